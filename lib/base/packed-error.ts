/** Packs errors on their way to another thread or process. */
import { Brain3DError, type ErrorCode } from './errors';

/** The fields of an error. Structured clone keeps neither the class nor the fields of a `Brain3DError`. */
export interface PackedError {
  name: string;
  message: string;
  stack: string | undefined;
  /** The code of a `Brain3DError`; null for other errors. */
  code: ErrorCode | null;
  file?: string;
  field?: string;
  offset?: number;
  cause?: PackedError;
}

export function packError(error: unknown): PackedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined, code: null };
  const { name, message, stack, cause } = error;
  const packed: PackedError = { name, message, stack, code: null };
  if (cause instanceof Error) packed.cause = packError(cause);
  if (!Brain3DError.isInstance(error)) return packed;
  return { ...packed, code: error.code, file: error.file, field: error.field, offset: error.offset };
}

/** Errors about wrong arguments keep their class: callers and the command line recognise them by it. */
const CLASSES: Record<string, new (message: string, options?: ErrorOptions) => Error> = { TypeError, RangeError };

export function unpackError(packed: PackedError): Error {
  const { name, code, message, stack, file, field, offset } = packed;
  const cause = packed.cause === undefined ? undefined : unpackError(packed.cause);
  const PlainError = CLASSES[name] ?? Error;
  const error =
    code === null
      ? new PlainError(message, cause === undefined ? undefined : { cause })
      : new Brain3DError(code, message, { file, field, offset, cause });
  // The stack is the job's own, which shows the place in the worker and begins with the message.
  if (stack !== undefined) error.stack = stack;
  return error;
}
