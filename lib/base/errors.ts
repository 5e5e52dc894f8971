import { basename } from 'node:path';

/** Error codes are stable; message texts may change. Causes and remedies are in docs/errors.md. */
export const ERROR_CODES = [
  'BRAIN3D_USAGE',
  'BRAIN3D_NOT_FOUND',
  'BRAIN3D_IO',
  'BRAIN3D_FORMAT',
  'BRAIN3D_UNSUPPORTED',
  'BRAIN3D_ORIENTATION',
  'BRAIN3D_VOLUME',
  'BRAIN3D_CONFIG',
  'BRAIN3D_WEIGHTS',
  'BRAIN3D_SHAPE',
  'BRAIN3D_DEVICE',
  'BRAIN3D_OUT_OF_MEMORY',
  'BRAIN3D_DIVERGED',
  'BRAIN3D_CANCELLED',
  'BRAIN3D_DISPOSED',
  'BRAIN3D_BUSY',
  'BRAIN3D_WORKER_LOST',
  'BRAIN3D_LIBTORCH',
  'BRAIN3D_ADDON',
  'BRAIN3D_INTERNAL',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** An `Error` as the addon throws it: `code` is stable, `file` a base name. */
export interface NativeFailure extends Error {
  code: `BRAIN3D_${string}`;
  file?: string;
  field?: string;
  offset?: number;
}

const BRAND = Symbol.for('brain3d.error');

/**
 * The error for every failure brain3d reports, native or not. Arguments of a wrong type, unknown options and names are
 * `TypeError`, values outside their range `RangeError`.
 */
export class Brain3DError extends Error {
  readonly code: ErrorCode;
  /** The base name of the file at fault. A whole path may identify a patient. */
  declare readonly file?: string;
  /** The header field, configuration key or tensor at fault. */
  declare readonly field?: string;
  /** The byte offset in the file. */
  declare readonly offset?: number;
  readonly [BRAND] = true;

  constructor(
    code: ErrorCode,
    message: string,
    detail: { file?: string; field?: string; offset?: number; cause?: unknown } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: withoutPaths(detail.cause) });
    this.name = 'Brain3DError';
    this.code = code;
    if (detail.file !== undefined) this.file = detail.file;
    if (detail.field !== undefined) this.field = detail.field;
    if (detail.offset !== undefined) this.offset = detail.offset;
  }

  /** True for errors of any copy of this package, in any realm. Use it instead of `instanceof`. */
  static isInstance(value: unknown): value is Brain3DError {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
  }
}

/** Returns a native rejection as a `Brain3DError`, and anything else unchanged. */
export function fromNative(failure: unknown): unknown {
  if (!isNativeFailure(failure)) return failure;
  return new Brain3DError(failure.code as ErrorCode, failure.message, failure);
}

/**
 * Returns a failure of the operating system as a `Brain3DError` that names the file, and anything else unchanged.
 * Node's own message quotes the whole path.
 */
export function fromSystem(failure: unknown): unknown {
  if (!isSystemError(failure)) return failure;
  const { code, syscall, path } = failure;
  const kind = code === 'ENOENT' ? 'BRAIN3D_NOT_FOUND' : 'BRAIN3D_IO';
  if (path === undefined)
    return new Brain3DError(kind, `the operating system refused to ${syscall} (${code})`, { cause: failure });
  const file = basename(path);
  const message = `the operating system refused to ${syscall} '${file}' (${code})`;
  return new Brain3DError(kind, message, { file, cause: failure });
}

/**
 * Gives an error the stack of the public call it belongs to. Where work settles on another thread, the stack at that
 * moment does not show the caller. `publicFunction` and the functions it called are left out of the stack.
 */
export async function withCallerStack<T>(
  publicFunction: (...args: never[]) => unknown,
  work: () => Promise<T>,
): Promise<T> {
  const callSite: { stack?: string } = {};
  Error.captureStackTrace(callSite, publicFunction);
  try {
    return await work();
  } catch (failure) {
    const error = fromSystem(failure);
    if (Brain3DError.isInstance(error)) {
      const frames = callSite.stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
      error.stack = [`${error.name}: ${error.message}`, ...frames].join('\n');
    }
    throw error;
  }
}

type SystemError = Error & { code: string; errno: number; syscall: string; path?: string };

function isSystemError(value: unknown): value is SystemError {
  const { code, errno, syscall } = (value ?? {}) as Partial<SystemError>;
  return typeof code === 'string' && typeof errno === 'number' && typeof syscall === 'string';
}

/**
 * Removes paths from a cause, since printing an error also prints its cause. With BRAIN3D_LOG_PATHS=1 the paths stay.
 */
function withoutPaths(cause: unknown): unknown {
  if (!isSystemError(cause) || process.env.BRAIN3D_LOG_PATHS === '1') return cause;
  const { code, errno, syscall } = cause;
  return Object.assign(new Error(`${syscall} failed (${code})`), { code, errno, syscall });
}

function isNativeFailure(value: unknown): value is NativeFailure {
  const code = (value as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('BRAIN3D_') && !Brain3DError.isInstance(value);
}
