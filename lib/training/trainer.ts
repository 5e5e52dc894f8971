/** The trainer that programs use: one object for one run. */
import { EventEmitter } from 'node:events';
import { join, resolve } from 'node:path';
import type TypedEmitter from 'typed-emitter';
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { makeDurableFolders } from '../files/atomic-directory';
import { type FolderLock, withFolderLock } from '../files/folder-lock';
import { loadAddon } from '../native/binding';
import { chooseDevice, chooseDtype, deviceEntry, dtypeEntry } from '../native/device';
import type { NativeAddon } from '../native/surface';
import { readConfigFile } from './config-file';
import type { TrainedPhase, TrainerEvents, TrainingResult } from './events';
import { asIoError } from './io-error';
import { trainPhase } from './open-phase';
import { type PhaseSettings, TRAINING_PHASES, type TrainingPhase } from './phases';
import { RunControl } from './run-control';
import { CACHE_FOLDER, requireOutput } from './run-folder';
import { ON_SAVE_ERROR } from './run-saver';
import { phasesOf, resolveSettings, settingsEntries, type TrainingConfig } from './settings';

const TrainerSchema = v.object({
  /** The directory of the checkpoint to start from. */
  model: is.text(),
  /** The manifest of the dataset. */
  data: is.text(),
  /** The folder of the run, with a folder for each phase. */
  out: is.text(),
  /** @default 'all' */
  phase: v.optional(is.oneOf([...TRAINING_PHASES, 'all'])),
  /** A configuration file; the options here override it. */
  config: v.optional(is.text()),
  /** Continues the run in `out`, or begins it if there is none. @default false */
  resume: v.optional(is.flag()),
  /** The folder of the preprocessed volumes and the features. @default `cache` in `out` */
  cache: v.optional(is.text()),
  /**
   * The reaction if a state, a best model or the log cannot be written. `stop` ends the run. `continue` reports it
   * (`saveError`), keeps the old state and tries again at the next one. A failure to write at the end is always an
   * error. @default 'stop'
   */
  onSaveError: v.optional(is.oneOf(ON_SAVE_ERROR)),
  ...deviceEntry,
  ...dtypeEntry,
  /** The LibTorch directory; overrides LIBTORCH. */
  libtorch: v.optional(is.text()),
  signal: v.optional(is.signal()),
  ...settingsEntries,
});
export type TrainerOptions = v.InferInput<typeof TrainerSchema>;

/**
 * Trains a model by one phase or by all three, each from the best model of the one before. Everything it makes is in
 * `out`. A run that ended in any way continues with `resume`, with the same result as one that was never interrupted.
 */
export class Trainer extends (EventEmitter as new () => TypedEmitter<TrainerEvents>) implements AsyncDisposable {
  readonly #options: v.InferOutput<typeof TrainerSchema>;
  readonly #control = new RunControl();
  #running: Promise<TrainingResult> | null = null;

  /** @throws {TypeError | RangeError} for options that cannot be; nothing is read before `run` */
  constructor(options: TrainerOptions) {
    super();
    this.#options = parseOptions('Trainer', TrainerSchema, options);
  }

  /**
   * Runs to the end; may be called once. An error that a listener throws ends the run and is its rejection.
   * @throws {Brain3DError} BRAIN3D_USAGE, BRAIN3D_CONFIG, BRAIN3D_NOT_FOUND, BRAIN3D_FORMAT, BRAIN3D_IO,
   *   BRAIN3D_WEIGHTS, BRAIN3D_DEVICE, BRAIN3D_OUT_OF_MEMORY, BRAIN3D_DIVERGED, BRAIN3D_DISPOSED; the signal's reason
   *   once aborted
   */
  async run(): Promise<TrainingResult> {
    if (this.#running !== null) throw new Brain3DError('BRAIN3D_USAGE', 'a trainer runs once; make another one');
    this.#running = withCallerStack(this.run, () => this.#run());
    return this.#running;
  }

  /** Stops after the step in progress and saves the state. Resolves then, or when the run has ended. */
  async pause(): Promise<void> {
    await Promise.race([this.#control.pause(), this.#ended()]);
  }

  /** Continues after `pause`. */
  resume(): void {
    this.#control.resume();
  }

  /**
   * Ends the run within a step, saves the state if steps were done, and waits for it. Calling it again does nothing.
   */
  async dispose(): Promise<void> {
    this.#control.abort(new Brain3DError('BRAIN3D_DISPOSED', 'the trainer was disposed; resume with another one'));
    await this.#ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  async #ended(): Promise<void> {
    await Promise.allSettled([this.#running]);
  }

  async #run(): Promise<TrainingResult> {
    const { signal } = this.#options;
    const abort = (): void => this.#control.abort(signal?.reason);
    signal?.throwIfAborted();
    this.#control.signal.throwIfAborted();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await this.#phases();
    } catch (cause) {
      // An error while a state was written is already a Brain3DError and says more.
      if (Brain3DError.isInstance(cause)) throw cause;
      throw asIoError(
        cause,
        'reading or writing failed',
        'what was complete is complete, and --resume goes on from it',
      );
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async #phases(): Promise<TrainingResult> {
    const { out, cache, config, libtorch } = this.#options;
    // The run and the cache each have a lock of their own.
    if (cache !== undefined && resolve(cache) === resolve(out))
      throw new Brain3DError('BRAIN3D_USAGE', 'expected another folder for cache than for out', { field: 'cache' });
    const layers = [config === undefined ? {} : await readConfigFile(config), settingsOf(this.#options)];
    // All phases are checked before the first one starts: the third must not fail for a reason that existed from the
    // beginning.
    const planned = phasesOf(this.#options.phase ?? 'all').map((phase) => ({
      phase,
      settings: resolveSettings(phase, layers),
    }));
    if (!this.#options.resume) await requireOutput(out);
    const addon = loadAddon({ libtorch });
    await makeDurableFolders(out);
    const onLost = (error: Brain3DError): void => this.#control.abort(error);
    return withFolderLock(out, (lock) => this.#inTurn(planned, addon, lock), { onLost });
  }

  async #inTurn(
    planned: { phase: TrainingPhase; settings: PhaseSettings }[],
    addon: NativeAddon,
    lock: FolderLock,
  ): Promise<TrainingResult> {
    const { data, out, model, resume, onSaveError, device: wanted, dtype, cache } = this.#options;
    const { device, warning } = chooseDevice(addon, wanted ?? 'auto');
    if (warning !== null) this.emit('warning', warning);
    const trained: TrainedPhase[] = [];
    for (const { phase, settings } of planned) {
      const before = trained.at(-1);
      const phaseResult = await trainPhase({
        phase,
        settings,
        model: before?.model ?? model,
        data,
        out,
        cache: cache ?? join(out, CACHE_FOLDER),
        device,
        dtype: chooseDtype(device, dtype ?? 'auto'),
        resume: resume ?? false,
        onSaveError: onSaveError ?? 'stop',
        addon,
        lock,
        control: this.#control,
        emit: (event, ...args) => void this.emit(event, ...args),
      });
      trained.push(phaseResult);
      this.emit('done', phaseResult);
    }
    return { phases: trained, model: (trained.at(-1) as TrainedPhase).model };
  }
}

/** Returns those of the options that a configuration file has as well. */
function settingsOf(options: Record<string, unknown>): TrainingConfig {
  return Object.fromEntries(Object.entries(options).filter(([key]) => key in settingsEntries));
}
