/** The loop of training, the same for every phase: steps, validation, states, early stopping. */
import { join } from 'node:path';
import { Brain3DError } from '../base/errors';
import { callNative } from '../native/call';
import type { NativeStepResult } from '../native/surface';
import { epochOrder, stepSeed } from './batches';
import { type Best, judge } from './early-stopping';
import type { TrainedPhase } from './events';
import { hashId, type StepLine, TrainingLog, type ValidationLine } from './log';
import { itemsAt, type Objective } from './objective';
import type { PhaseSettings, TrainingPhase } from './phases';
import type { RunControl } from './run-control';
import { RunSaver, type SavedRun } from './run-saver';
import type { Progress, Saved } from './saved-states';
import type { Scan } from './scans';
import { countWarmupSteps, learningRateFactor } from './schedule';
import { nativeRates } from './settings';

export const LOG_FILE = 'log.jsonl';

export interface PhaseParts extends SavedRun {
  settings: PhaseSettings;
  /** The salt of the ids in the log. */
  salt: string;
  objective: Objective;
  train: readonly Scan[];
  control: RunControl;
}

const START: Progress = { epoch: 0, position: 0, step: 0, best: null, epochsWithoutImprovement: 0, finished: null };

/** Runs a phase from `saved`, or from its start, to its end. */
export async function runPhase(parts: PhaseParts, saved: Saved | null): Promise<TrainedPhase> {
  const { addon, native, dir } = parts;
  if (saved !== null) await callNative(addon, undefined, (token) => native.loadState(saved.stateFile, token));
  const log = await TrainingLog.open(join(dir, LOG_FILE), saved?.logBytes ?? 0);
  try {
    const run = new PhaseRun(parts, log, saved);
    return await run.toEnd();
  } finally {
    await log.close();
  }
}

class PhaseRun {
  readonly #parts: PhaseParts;
  readonly #saver: RunSaver;
  readonly #stepsPerEpoch: number;
  #progress: Progress;

  constructor(parts: PhaseParts, log: TrainingLog, saved: Saved | null) {
    this.#parts = parts;
    this.#saver = new RunSaver(parts, log, saved, START);
    this.#progress = saved?.progress ?? START;
    this.#stepsPerEpoch = this.#windows(0).length;
  }

  async toEnd(): Promise<TrainedPhase> {
    const { control } = this.#parts;
    await this.#saver.begin();
    try {
      while (this.#progress.finished === null) await this.#epoch();
    } catch (error) {
      // A cancelled step updated nothing, so the state in memory is that after the last whole step.
      if (control.signal.aborted) await this.#saver.keep(this.#progress, true);
      throw error;
    }
    return this.#result(this.#progress.finished);
  }

  async #epoch(): Promise<void> {
    const { phase, settings, control, emit } = this.#parts;
    const windows = this.#windows(this.#progress.epoch);
    const save = () => this.#saver.keep(this.#progress, false);
    emit('epoch', { phase, epoch: this.#progress.epoch + 1, epochs: settings.epochs });
    while (this.#progress.position < windows.length) {
      await control.boundary(save);
      await this.#step(windows[this.#progress.position] as number[]);
      const { step, position } = this.#progress;
      const isDue = settings.saveSteps > 0 && step % settings.saveSteps === 0;
      if (isDue && position < windows.length) await save();
    }
    await control.boundary(save);
    await this.#validate();
  }

  async #step(window: readonly number[]): Promise<void> {
    const { phase, settings, objective, addon, emit } = this.#parts;
    const { step, epoch } = this.#progress;
    const totalSteps = settings.epochs * this.#stepsPerEpoch;
    const factor = learningRateFactor(step, countWarmupSteps(settings, totalSteps), totalSteps);
    const learningRates = nativeRates(settings, factor);
    const start = performance.now();
    const result = await objective.step(window, {
      learningRates,
      maxGradNorm: settings.maxGradNorm,
      seed: stepSeed(settings.seed, phase, step),
    });
    this.#requireFinite(result, window);
    this.#progress = { ...this.#progress, step: step + 1, position: this.#progress.position + 1 };
    const ms = performance.now() - start;
    const line: StepLine = {
      event: 'step',
      phase,
      epoch: epoch + 1,
      step: step + 1,
      loss: result.loss,
      lr: learningRates,
      grad_norm: result.gradNorm,
      vis_scale: result.visScale,
      tokens_per_s: (1000 * objective.numTokens(result, window.length)) / ms,
      ms,
      peak_bytes: result.peakDeviceBytes || addon.systemInfo().peakResidentBytes,
      samples: this.#ids(window).map((id) => hashId(this.#parts.salt, id)),
    };
    await this.#saver.append(line);
    emit('step', line);
  }

  async #validate(): Promise<void> {
    const { phase, settings, objective, emit } = this.#parts;
    const start = performance.now();
    const loss = await objective.validate();
    const { step } = this.#progress;
    const epoch = this.#progress.epoch + 1;
    if (!Number.isFinite(loss)) throw this.#divergence(`the validation loss of epoch ${epoch} is ${loss}`, 'loss');
    const { improved, ...judged } = judge(this.#progress, { loss, epoch, step }, settings.minDelta);
    const best = judged.best as Best;
    const isStopped = settings.patience > 0 && judged.epochsWithoutImprovement >= settings.patience;
    const finished = epoch >= settings.epochs ? 'epochs' : isStopped ? 'early-stop' : null;
    const isLast = finished !== null;
    if (improved) await this.#saver.keepBest(best, isLast);
    const line: ValidationLine = {
      event: 'validation',
      phase,
      epoch,
      step,
      loss,
      best_loss: best.loss,
      epochs_without_improvement: judged.epochsWithoutImprovement,
      ms: performance.now() - start,
    };
    await this.#saver.append(line);
    this.#progress = { ...judged, epoch, position: 0, step, finished };
    await this.#saver.keep(this.#progress, isLast);
    emit('validation', line);
    if (finished === 'early-stop') emit('earlyStop', { phase, epoch, best });
  }

  /** @throws {Brain3DError} BRAIN3D_DIVERGED naming step, tensor and scans */
  #requireFinite({ nonFinite }: NativeStepResult, window: readonly number[]): void {
    if (nonFinite === null) return;
    const all = this.#ids(window);
    const ids = nonFinite.samples.length === 0 ? all : itemsAt(all, nonFinite.samples);
    const scans = ids.length > 8 ? `${ids.slice(0, 8).join(', ')} and ${ids.length - 8} more` : ids.join(', ');
    const step = this.#progress.step + 1;
    const message = `step ${step} gave a value that is not finite in ${nonFinite.tensor} (scans: ${scans}); nothing was updated`;
    throw this.#divergence(message, nonFinite.tensor);
  }

  /** The advice is to begin a new run, because a resumed run would come to the same step. */
  #divergence(message: string, field: string): Brain3DError {
    const remedy = 'lower the learning rates or lengthen the warm-up in a new run';
    const text = `${this.#parts.phase}: ${message}; ${this.#saver.state}; ${remedy}`;
    return new Brain3DError('BRAIN3D_DIVERGED', text, { field });
  }

  #ids(window: readonly number[]): string[] {
    return window.map((index) => (this.#parts.train[index] as Scan).id);
  }

  #windows(epoch: number): number[][] {
    const { train, settings, objective } = this.#parts;
    return objective.windows(epochOrder(train.length, settings.seed, epoch));
  }

  #result(reason: TrainedPhase['reason']): TrainedPhase {
    return trainedPhase(this.#parts.phase, reason, this.#progress, this.#parts.states.best);
  }
}

export function trainedPhase(
  phase: TrainingPhase,
  reason: TrainedPhase['reason'],
  { epoch, step, best }: Progress,
  model: string,
): TrainedPhase {
  return { phase, reason, epochs: epoch, steps: step, best: best as Best, model };
}
