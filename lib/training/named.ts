/** Failures that say whose they are. */
import { Brain3DError } from '../base/errors';

/** The failure of one scan, with its id in front. */
export function named(error: unknown, id: string): unknown {
  if (!Brain3DError.isInstance(error)) return error;
  const { code, message, file, field, offset } = error;
  return new Brain3DError(code, `${id}: ${message}`, { file, field, offset, cause: error });
}
