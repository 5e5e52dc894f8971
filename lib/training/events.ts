/** The events of a trainer. */
import type { Brain3DError } from '../base/errors';
import type { OnProgress } from '../base/progress';
import type { Best } from './early-stopping';
import type { StepLine, ValidationLine } from './log';
import type { TrainingPhase } from './phases';

export interface PhaseStart {
  phase: TrainingPhase;
  device: string;
  dtype: string;
  /** The number of parameters that train. */
  numParameters: number;
  trainScans: number;
  valScans: number;
  epochs: number;
  stepsPerEpoch: number;
  /** The number of steps done before, by the run that is resumed; 0 for a new one. */
  resumedAt: number;
}

export interface TrainedPhase {
  phase: TrainingPhase;
  /** The end of all epochs, or no improvement for `patience` epochs. */
  reason: 'epochs' | 'early-stop';
  epochs: number;
  steps: number;
  best: Best;
  /** The directory of the best model. */
  model: string;
}

export interface TrainingResult {
  phases: TrainedPhase[];
  /** The directory of the last phase's best model. */
  model: string;
}

export type TrainerEvents = {
  /** A stage before or between steps moves on. */
  progress: OnProgress;
  /** Something worth knowing that is no failure. */
  warning: (message: string) => void;
  /** A phase begins or continues. */
  phase: (start: PhaseStart) => void;
  /** An epoch begins or continues; numbered from 1. */
  epoch: (epoch: { phase: TrainingPhase; epoch: number; epochs: number }) => void;
  /** A step is done; the event is its line in the log. */
  step: (step: StepLine) => void;
  /** An epoch's validation is done; the event is its line in the log. */
  validation: (validation: ValidationLine) => void;
  /** A state to resume from is saved. */
  state: (state: { phase: TrainingPhase; step: number; name: string }) => void;
  /** Something could not be written, and the run goes on (see `onSaveError`). */
  saveError: (failure: { phase: TrainingPhase; step: number; error: Brain3DError }) => void;
  /** A phase ends before its last epoch. */
  earlyStop: (stop: { phase: TrainingPhase; epoch: number; best: Best }) => void;
  /** A phase is done. */
  done: (trained: TrainedPhase) => void;
};

export type Emit = <E extends keyof TrainerEvents>(event: E, ...args: Parameters<TrainerEvents[E]>) => void;
