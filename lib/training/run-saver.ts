/**
 * Keeps the log, the models and the saved states of a phase's run, and decides what happens where they cannot be
 * written.
 */
import { Brain3DError } from '../base/errors';
import type { FolderLock } from '../files/folder-lock';
import { FreeSpace, type Sizes } from '../files/free-space';
import { callNative } from '../native/call';
import type { NativeAddon, NativeTrainer } from '../native/surface';
import { type ModelSource, writeModel } from './best-model';
import type { Best } from './early-stopping';
import type { Emit } from './events';
import { asIoError } from './io-error';
import type { LogLine, TrainingLog } from './log';
import type { TrainingPhase } from './phases';
import type { Progress, Saved, SavedStates } from './saved-states';

/** The reactions to a failed save. */
export const ON_SAVE_ERROR = ['stop', 'continue'] as const;
export type OnSaveError = (typeof ON_SAVE_ERROR)[number];

/** The parts of a phase's run that the saver needs. */
export interface SavedRun {
  phase: TrainingPhase;
  /** The folder of the phase's run. */
  dir: string;
  /** The lock of the folder that `dir` is in. */
  lock: FolderLock;
  addon: NativeAddon;
  native: NativeTrainer;
  states: SavedStates;
  model: ModelSource;
  sizes: Sizes;
  onSaveError: OnSaveError;
  emit: Emit;
}

export class RunSaver {
  readonly #parts: SavedRun;
  readonly #log: TrainingLog;
  readonly #space: FreeSpace;
  /** The progress in the newest saved state, or the start. */
  #kept: Progress;
  /** The name of the saved state that this run would be resumed from; null for its start. */
  #name: string | null;
  /** The best model if it could not be written. Its weights are gone with the next step. */
  #lost: Best | null = null;
  /** Whether a line of the log is still to be written. */
  #isLogBehind = false;

  /** @param start of a run that has no saved state */
  constructor(parts: SavedRun, log: TrainingLog, saved: Saved | null, start: Progress) {
    this.#parts = parts;
    this.#log = log;
    this.#space = new FreeSpace(parts.dir, parts.sizes, (message) =>
      parts.emit('warning', `${parts.phase}: ${message}`),
    );
    this.#kept = saved?.progress ?? start;
    this.#name = saved?.name ?? null;
  }

  /** Describes the newest saved state for messages. */
  get state(): string {
    return this.#name === null ? 'there is no saved state yet' : `the saved state ${this.#name} is complete`;
  }

  async begin(): Promise<void> {
    await this.#space.checkWhole();
  }

  isAhead(progress: Progress): boolean {
    return progress !== this.#kept;
  }

  async append(line: LogLine): Promise<void> {
    await this.#parts.lock.require();
    const write = () => this.#log.append(line);
    // A line that could not be written is written later. The failure is reported once.
    const isWritten = this.#isLogBehind
      ? await this.#isDone(write)
      : await this.#try('the log', line.step, false, write);
    this.#isLogBehind = !isWritten;
  }

  /** Writes the model as the best one. With `isLast` a failure ends the run whatever `onSaveError` says. */
  async keepBest(best: Best, isLast: boolean): Promise<void> {
    const { lock, states, model } = this.#parts;
    await lock.require();
    const what = `the model of epoch ${best.epoch}`;
    await this.#space.check(what, 'model');
    const isWritten = await this.#try(what, best.step, isLast, () =>
      states.writeBest(best.step, (dir) => writeModel(model, best, dir)),
    );
    this.#lost = isWritten ? null : best;
  }

  /** Saves the state, unless this progress has been saved already. */
  async keep(progress: Progress, isLast: boolean): Promise<void> {
    if (!this.isAhead(progress)) return;
    const { phase, lock, emit } = this.#parts;
    await lock.require();
    const { step } = progress;
    const what = `the saved state of step ${step}`;
    await this.#space.check(what, 'state');
    let name = '';
    const isWritten = await this.#try(what, step, isLast, async () => {
      name = await this.#write(progress);
    });
    if (!isWritten) return;
    this.#name = name;
    this.#kept = progress;
    this.#isLogBehind = false;
    emit('state', { phase, step, name });
  }

  async #write(progress: Progress): Promise<string> {
    const { addon, native, states } = this.#parts;
    // A saved state must not name a model that does not exist.
    if (this.#lost !== null) {
      const message = `the model of epoch ${this.#lost.epoch}, the best one, could not be written and is lost`;
      throw new Brain3DError('BRAIN3D_IO', message);
    }
    const logBytes = await this.#log.sync();
    return states.write(progress, logBytes, (file) =>
      callNative(addon, undefined, (token) => native.saveState(file, token)),
    );
  }

  /**
   * Returns whether the file was written. Where the run is to go on, a failure of the operating system is only
   * reported.
   */
  async #try(what: string, step: number, isLast: boolean, write: () => Promise<void>): Promise<boolean> {
    const { phase, onSaveError, emit } = this.#parts;
    try {
      await write();
      return true;
    } catch (cause) {
      const remedy = this.#name === null ? this.state : `${this.state}, and --resume goes on from it`;
      const error = asIoError(cause, `${phase}: ${what} could not be written`, remedy);
      if (isLast || onSaveError === 'stop' || !isIo(error)) throw error;
      emit('saveError', { phase, step, error });
      return false;
    }
  }

  async #isDone(write: () => Promise<void>): Promise<boolean> {
    return write().then(
      () => true,
      (cause) => {
        if (isIo(asIoError(cause, 'the log', ''))) return false;
        throw cause;
      },
    );
  }
}

function isIo(error: unknown): error is Brain3DError {
  return Brain3DError.isInstance(error) && error.code === 'BRAIN3D_IO';
}
