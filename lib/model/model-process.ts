/**
 * The parent's side of a child process that holds a model: it asks questions over Node's channel, gets answers in order
 * and ends the child. `engine-process.ts` is the child's side.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Brain3DError } from '../base/errors';
import { type PackedError, unpackError } from '../base/packed-error';
import type { Listeners } from './engine';

/** A message to the child. `id` names a question; an abort refers to a question asked before. */
export type Question = { id: number; method: string; args: unknown[] } | { id: number; abort: true };

/** A message from the child: any number of progress events and chunks, then a result or a failure. */
export type Answer = { id: number } & (
  | { progress: Parameters<Listeners['onProgress']>[0] }
  | { chunk: Parameters<NonNullable<Listeners['onChunk']>>[0] }
  | { result: unknown }
  | { failure: PackedError }
);

export interface Asking extends Partial<Listeners> {
  signal?: AbortSignal | undefined;
}

interface Pending {
  asking: Asking;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
  /** The error that a listener threw. */
  thrown: { error: unknown } | null;
  /** The timer that kills a child that does not stop when told to. */
  deadline: NodeJS.Timeout | null;
}

/** How long a child may take to stop or end by itself, in seconds. A step takes far less. */
const PATIENCE_S = 10;

export class ModelProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;
  #lost: Brain3DError | null = null;
  #killedFor: string | null = null;

  constructor() {
    this.#child = fork(join(__dirname, 'engine-process.js'), [], {
      execArgv: [], // the host's own flags (--inspect, --eval) are not meant for the child
      serialization: 'advanced', // passes typed arrays unchanged
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (answer: Answer) => this.#receive(answer));
    this.#child.once('error', (cause) => this.#lose(`could not be started or reached: ${cause.message}`, cause));
    this.#child.once('exit', (code, signal) => this.#lose(this.#killedFor ?? describeEnd(code, signal)));
    this.#rest();
  }

  get pid(): number | null {
    return this.#lost === null ? (this.#child.pid ?? null) : null;
  }

  /** The reason why the process is gone; null while it lives. */
  get lost(): Brain3DError | null {
    return this.#lost;
  }

  /**
   * Asks the child and returns its answer. An abort is passed on; the call rejects with the signal's reason once the
   * child's work has stopped. A child that does not stop (hung in a driver, stopped by the system) is killed.
   * @throws {Brain3DError} BRAIN3D_WORKER_LOST if the process ends first
   */
  async ask(method: string, args: unknown[], asking: Asking): Promise<unknown> {
    const { signal } = asking;
    signal?.throwIfAborted();
    if (this.#lost !== null) throw this.#lost;
    const id = this.#nextId++;
    const abort = (): void => this.#stop(id);
    signal?.addEventListener('abort', abort, { once: true });
    // The child keeps this process alive only while an answer is awaited.
    this.#child.ref();
    this.#child.channel?.ref();
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { asking, resolve, reject, thrown: null, deadline: null });
        this.#send({ id, method, args });
      });
    } catch (error) {
      // The death of the child is reported even if the call was aborted.
      if (this.#lost === null) signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      clearInterval(this.#pending.get(id)?.deadline ?? undefined);
      this.#pending.delete(id);
      this.#rest();
    }
  }

  /** Ends the child and waits until it has ended. */
  async end(): Promise<void> {
    if (this.#lost !== null) return;
    const ended = once(this.#child, 'exit');
    const deadline = this.#killUnlessDone('end');
    this.#child.ref();
    this.#child.disconnect();
    await ended;
    clearInterval(deadline);
  }

  /** Tells the child to stop work on a question. */
  #stop(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    pending.deadline ??= this.#killUnlessDone('stop its work');
    this.#send({ id, abort: true });
  }

  #killUnlessDone(what: string): NodeJS.Timeout {
    let left = PATIENCE_S;
    // The time is counted in ticks of a second, which do not all come at once after this process was stopped or the
    // machine slept.
    return setInterval(() => {
      if (--left > 0) return;
      this.#killedFor = `did not ${what} within ${PATIENCE_S} s and was killed`;
      this.#child.kill('SIGKILL');
    }, 1000);
  }

  #send(question: Question): void {
    // The error needs no handling here: `exit` reports a child that is gone.
    this.#child.send(question, () => undefined);
  }

  #receive(answer: Answer): void {
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    if ('failure' in answer) pending.reject(pending.thrown?.error ?? unpackError(answer.failure));
    else if (!('result' in answer)) this.#tell(answer.id, pending, answer);
    else if (pending.thrown === null) pending.resolve(answer.result);
    else pending.reject(pending.thrown.error);
  }

  /**
   * Passes an event to the listeners. An error that one throws ends the call and is its rejection, as in this process.
   */
  #tell(id: number, pending: Pending, answer: Answer): void {
    if (pending.thrown !== null) return;
    try {
      if ('progress' in answer) pending.asking.onProgress?.(answer.progress);
      if ('chunk' in answer) pending.asking.onChunk?.(answer.chunk);
    } catch (error) {
      pending.thrown = { error };
      this.#stop(id);
    }
  }

  #rest(): void {
    if (this.#pending.size > 0) return;
    this.#child.unref();
    this.#child.channel?.unref();
  }

  #lose(how: string, cause?: Error): void {
    this.#lost ??= new Brain3DError(
      'BRAIN3D_WORKER_LOST',
      `the process of the isolated model ${how}; what it was doing is lost, and the next call starts another one`,
      { cause },
    );
    for (const { reject } of this.#pending.values()) reject(this.#lost);
  }
}

function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === null) return `ended with status ${code}`;
  return `was ended by ${signal}${signal === 'SIGKILL' ? ' (perhaps the system ran out of memory)' : ''}`;
}
