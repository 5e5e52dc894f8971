/**
 * Keeps two processes from writing into one folder, where each would take the other's files for its own. The lock is a
 * file that is made whole by one link. The link fails where the file exists, so only one process can have the lock.
 *
 * A lock whose process has ended is taken over, by one process only, which holds another lock meanwhile. A lock of
 * another machine or container is never taken over, because nothing here can tell whether its process runs. A user who
 * knows that it does not can remove the file.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, realpath, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { ownIdentity, type ProcessIdentity, stateOf } from './process-identity';
import { parseStored } from './stored';

export const LOCK_FILE = 'lock';
/** The time between two signs of life of a lock. At each it also checks that it still exists. */
const HEARTBEAT_MS = 5000;

const OwnerSchema = v.object({
  host: v.string(),
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  started: v.optional(v.nullable(v.string()), null),
  boot: v.optional(v.nullable(v.string()), null),
  space: v.optional(v.nullable(v.string()), null),
  /** The thread of the process. No number of a thread is used twice. */
  thread: v.optional(v.nullable(v.number()), null),
  /** Tells two locks of one process apart. */
  token: v.optional(v.string(), ''),
});

/**
 * The texts of the locks that this thread holds. Any other lock of this thread was left by a release that the system
 * let fail.
 */
const held = new Set<string>();

export interface LockOptions {
  /** Called once if the lock disappears or becomes another's while it is held. */
  onLost?: ((error: Brain3DError) => void) | undefined;
  /** @default 5000 */
  heartbeatMs?: number | undefined;
}

export interface FolderLock {
  /** @throws {Brain3DError} BRAIN3D_IO if the lock is gone or another's: nothing may be written any more */
  require(): Promise<void>;
  /** Gives the folder back. A lock that has become another's stays. Calling it again does nothing. */
  release(): Promise<void>;
}

/**
 * Takes a folder, which must exist.
 * @throws {Brain3DError} BRAIN3D_USAGE if another process, or another call of this one, has it
 */
export async function lockFolder(dir: string, options: LockOptions = {}): Promise<FolderLock> {
  const path = join(await realpath(dir), LOCK_FILE);
  const text = ownText();
  held.add(text);
  try {
    await acquire(path, text, basename(dir));
  } catch (error) {
    held.delete(text);
    throw error;
  }
  return new HeldLock(path, text, basename(dir), options);
}

/** Holds the lock of the folder while `work` runs. */
export async function withFolderLock<T>(
  dir: string,
  work: (lock: FolderLock) => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const lock = await lockFolder(dir, options);
  try {
    return await work(lock);
  } finally {
    await lock.release();
  }
}

class HeldLock implements FolderLock {
  readonly #path: string;
  readonly #text: string;
  readonly #folder: string;
  readonly #onLost: LockOptions['onLost'];
  readonly #timer: NodeJS.Timeout;
  #isReleased = false;

  constructor(path: string, text: string, folder: string, { onLost, heartbeatMs = HEARTBEAT_MS }: LockOptions) {
    this.#path = path;
    this.#text = text;
    this.#folder = folder;
    this.#onLost = onLost;
    this.#timer = setInterval(() => void this.#beat(), heartbeatMs).unref();
  }

  async require(): Promise<void> {
    if ((await textOf(this.#path)) === this.#text) return;
    throw new Brain3DError(
      'BRAIN3D_IO',
      `'${LOCK_FILE}' in '${this.#folder}' was removed or taken over while this process held it: another one may write there, ` +
        'so this one writes no more; see which of them should go on',
      { file: LOCK_FILE },
    );
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#isReleased) return;
    this.#isReleased = true;
    held.delete(this.#text);
    if ((await textOf(this.#path)) === this.#text) await rm(this.#path, { force: true });
  }

  async #beat(): Promise<void> {
    try {
      await this.require();
      const seconds = (performance.timeOrigin + performance.now()) / 1000;
      await utimes(this.#path, seconds, seconds);
    } catch (error) {
      // A call that the system refuses once is tried again at the next beat, which also notices a file that came in
      // between.
      if (this.#isReleased || !Brain3DError.isInstance(error)) return;
      clearInterval(this.#timer);
      this.#onLost?.(error);
    }
  }
}

/** Makes `path` with that text. @throws {Brain3DError} BRAIN3D_USAGE if a process that may run has it */
async function acquire(path: string, text: string, folder: string): Promise<void> {
  for (;;) {
    if (await create(path, text)) return;
    const found = await textOf(path);
    if (found === null) continue; // given back in between
    await refuseLiving(path, found, folder);
    if (await takeOver(path, found, text, folder)) return;
  }
}

/** Replaces a lock that nobody has by its own. Only one process at a time looks again and does so. */
async function takeOver(path: string, stale: string, text: string, folder: string): Promise<boolean> {
  const guard = `${path}.takeover`;
  const guardText = ownText();
  held.add(guardText);
  try {
    await acquire(guard, guardText, folder);
    if ((await textOf(path)) !== stale) return false;
    const temporary = temporaryOf(path);
    await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
    await rename(temporary, path);
    return true;
  } finally {
    held.delete(guardText);
    if ((await textOf(guard)) === guardText) await rm(guard, { force: true });
  }
}

/** Whether the file was made; false if it exists. */
async function create(path: string, text: string): Promise<boolean> {
  const temporary = temporaryOf(path);
  await writeFile(temporary, text, { mode: 0o600, flag: 'wx' });
  try {
    await link(temporary, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw cause;
  } finally {
    await rm(temporary, { force: true });
  }
}

function temporaryOf(path: string): string {
  return `${path}.${randomUUID()}.partial`;
}

function ownText(): string {
  return JSON.stringify({ ...ownIdentity(), thread: threadId, token: randomUUID() });
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return null;
    throw cause;
  });
}

/**
 * Refuses a lock whose process may run. A text that is no lock has no process, because locks are made whole. @throws
 * {Brain3DError} BRAIN3D_USAGE
 */
async function refuseLiving(path: string, text: string, folder: string): Promise<void> {
  const owner = parseStored(OwnerSchema, text);
  if (!owner.isIntact) return;
  const state = stateOf(owner.value satisfies ProcessIdentity);
  const { pid, thread } = owner.value;
  if (state === 'gone') return;
  if (state === 'running' && pid === process.pid && thread === threadId && !held.has(text)) return;
  const who =
    state === 'running'
      ? `is in use by process ${pid}; wait for it, or remove '${LOCK_FILE}' in that folder if it does not work there`
      : `is in use by process ${pid} of another machine or container, which cannot be seen from here${await lastSign(path)}; wait ` +
        `for it, or remove '${LOCK_FILE}' in that folder once you know that it has ended`;
  throw new Brain3DError('BRAIN3D_USAGE', `'${folder}' ${who}`, { file: LOCK_FILE });
}

/**
 * When the lock was touched last, by the clock of this machine. This helps a user decide; the program does not use it.
 */
async function lastSign(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found === null ? '' : `; its last sign of life was at ${found.mtime.toISOString()}`;
}
