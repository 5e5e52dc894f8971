/**
 * Explains failures of the operating system in training. A full disk does not end a run for good, and the error says
 * what is left.
 */
import { Brain3DError } from '../base/errors';

/**
 * Returns `cause` as BRAIN3D_IO with its meaning for the run, if it is a failure of the operating system; otherwise
 * unchanged.
 */
export function asIoError(cause: unknown, what: string, remedy: string): unknown {
  const isOurs = Brain3DError.isInstance(cause);
  const { code, message, syscall } = cause as NodeJS.ErrnoException;
  if (isOurs ? cause.code !== 'BRAIN3D_IO' : code === undefined || syscall === undefined) return cause;
  return new Brain3DError('BRAIN3D_IO', `${what} (${isOurs ? message : code}); ${remedy}`, { cause });
}
