/**
 * The one way TypeScript calls the addon's asynchronous methods. It passes aborts on and turns failures into typed
 * errors.
 */
import { fromNative } from '../base/errors';
import type { NativeAddon, NativeCancelToken } from './surface';

/**
 * Runs `call` with a token that `signal` cancels. Rejects with `signal.reason` once aborted, otherwise with the failure
 * converted by `fromNative`.
 */
export async function callNative<T>(
  addon: NativeAddon,
  signal: AbortSignal | undefined,
  call: (token: NativeCancelToken) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const token = addon.createCancelToken();
  const abort = (): void => token.cancel();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await call(token);
  } catch (failure) {
    signal?.throwIfAborted();
    throw fromNative(failure);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
