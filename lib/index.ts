/** brain3d turns a brain MRI into a report. Research use only. */

export { DISCLAIMER } from './base/disclaimer';
export { Brain3DError, ERROR_CODES, type ErrorCode } from './base/errors';
export { type Checkpoint, PHASES, type Phase, readCheckpoint } from './checkpoint/checkpoint';
export { type ImportOptions, type InitOptions, importCheckpoint, initCheckpoint } from './checkpoint/create';
export { type CompressionName, type PatchEmbedding, RECIPES, type Recipe, type RecipeName } from './checkpoint/recipe';
export { type BuildDatasetOptions, type BuiltDataset, buildDataset } from './dataset/build';
export {
  type CacheIndex,
  type CacheProblem,
  type PreprocessDatasetOptions,
  type PreprocessedDataset,
  preprocessDataset,
  readCacheIndex,
} from './dataset/cache';
export {
  type CacheMaker,
  type OpenCachedVolumeOptions,
  openCachedVolume,
  type PreprocessingSettings,
} from './dataset/cache-entry';
export { type CheckDatasetOptions, checkDataset, type DatasetCheck, type Finding } from './dataset/check';
export type { Composition, CompositionRow } from './dataset/composition';
export {
  type Manifest,
  type ManifestEntry,
  readManifest,
  type SkippedEntry,
  writeManifest,
} from './dataset/manifest';
export type { DatasetProblem } from './dataset/scans';
export { type ShowDatasetOptions, showDataset } from './dataset/show';
export { type Split, splitSubjects } from './dataset/split';
export { evaluate } from './evaluate/evaluate';
export type { EvaluateOptions } from './evaluate/options';
export type { EvaluationResults, EvaluationRow } from './evaluate/results';
export type { Comparison, GroupScores, Spread } from './evaluate/score-rows';
export { type Diagnosis, diagnose } from './inspect/doctor';
export { type Inspection, inspect } from './inspect/inspect';
export { type BertScore, type BertScoreOptions, type BertScores, bertScore, type TextPair } from './metrics/bertscore';
export type { Estimate, Metric, Unavailable } from './metrics/bootstrap';
export type { CaseErrors, EntityErrors } from './metrics/case-errors';
export type { MetricScores, TextScores } from './metrics/evaluate-texts';
export { type ScoreTextsOptions, scoreTexts } from './metrics/score';
export type { TextStatistics } from './metrics/statistics';
export { readTexts, type TextEntry } from './metrics/texts';
export type { GenerateOptions } from './model/decoding';
export type { GenerationSettings } from './model/decoding-options';
export {
  Brain3D,
  type Brain3DEvents,
  type EncodeOptions,
  type Encoding,
  type LoadOptions,
  type Score,
  type VolumeSource,
} from './model/model';
export type { ModelInput, Report, ReportFlag, TextChunk, Timings } from './model/report';
export type { ReportStream, StreamFinish } from './model/stream';
export { writeTensors } from './native/write-tensors';
export {
  extractLaterality,
  type Laterality,
  type LateralityReading,
  peerLaterality,
  type SideMention,
} from './reading/laterality';
export { type SimulateCohortOptions, simulateCohort } from './simulate/cohort';
export type { Findings } from './simulate/findings';
export type { CohortStatistics } from './simulate/statistics';
export { type SimulatedSubject, type SimulateSubjectOptions, simulateSubject } from './simulate/subject';
export type { Best } from './training/early-stopping';
export type { PhaseStart, TrainedPhase, TrainerEvents, TrainingResult } from './training/events';
export type { StepLine, ValidationLine } from './training/log';
export { TRAINING_PHASES, type TrainingPhase } from './training/phases';
export type { TrainingConfig } from './training/settings';
export { Trainer, type TrainerOptions } from './training/trainer';
export { montage } from './volume/montage';
export type { SkullStrip } from './volume/skull-strip';
export {
  type Brain,
  type ExtractBrainOptions,
  extractBrain,
  inspectVolume,
  type LoadVolumeOptions,
  loadVolume,
  type Preprocessed,
  type PreprocessOptions,
  preprocess,
  Volume,
  type VolumeInfo,
  type WriteVolumeOptions,
} from './volume/volume';
