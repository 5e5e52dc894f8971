/** Puts the id of a scan into its error. */
import { Brain3DError } from '../base/errors';

/** Returns the error of one scan, with its id in front of the message. */
export function named(error: unknown, id: string): unknown {
  if (!Brain3DError.isInstance(error)) return error;
  const { code, message, file, field, offset } = error;
  return new Brain3DError(code, `${id}: ${message}`, { file, field, offset, cause: error });
}
