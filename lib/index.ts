/** brain3d: a brain MRI in, a report out. Research use only. */
export { type Checkpoint, PHASES, type Phase, readCheckpoint } from './checkpoint';
export { type ImportOptions, type InitOptions, importCheckpoint, initCheckpoint } from './create-checkpoint';
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
  type CacheRecipe,
  type OpenCachedVolumeOptions,
  openCachedVolume,
} from './dataset/cache-entry';
export { type CheckDatasetOptions, checkDataset, type DatasetCheck, type Finding } from './dataset/check';
export type { Composition, CompositionRow } from './dataset/composition';
export {
  extractLaterality,
  type Laterality,
  type LateralityReading,
  peerLaterality,
  type SideMention,
} from './dataset/laterality';
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
export { type Diagnosis, diagnose } from './doctor';
export { Brain3DError, ERROR_CODES, type ErrorCode } from './errors';
export { evaluate } from './evaluate/evaluate';
export type { EvaluateOptions } from './evaluate/options';
export type { EvaluationResults, EvaluationRow } from './evaluate/results';
export type { Comparison, GroupScores, Spread } from './evaluate/score-rows';
export type { GenerateOptions, GenerationSettings } from './generation';
export { type Inspection, inspect } from './inspect';
export { type BertScore, type BertScoreOptions, type BertScores, bertScore, type TextPair } from './metrics/bertscore';
export type { Estimate, Metric, Unavailable } from './metrics/bootstrap';
export type { CaseErrors, EntityErrors } from './metrics/case-errors';
export type { MetricScores, TextScores } from './metrics/evaluate-texts';
export { type ScoreTextsOptions, scoreTexts } from './metrics/score';
export type { TextStatistics } from './metrics/statistics';
export { readTexts, type TextEntry } from './metrics/texts';
export {
  Brain3D,
  type Brain3DEvents,
  type EncodeOptions,
  type Encoding,
  type LoadOptions,
  type Score,
  type VolumeSource,
} from './model';
export { montage } from './montage';
export { type CompressionName, type PatchEmbedding, RECIPES, type Recipe, type RecipeName } from './recipe';
export { DISCLAIMER, type ModelInput, type Report, type ReportFlag, type TextChunk, type Timings } from './report';
export { type SimulateCohortOptions, simulateCohort } from './simulate/cohort';
export type { Findings } from './simulate/findings';
export type { CohortStatistics } from './simulate/statistics';
export { type SimulatedSubject, type SimulateSubjectOptions, simulateSubject } from './simulate/subject';
export type { SkullStrip } from './skull-strip';
export type { ReportStream, StreamFinish } from './stream';
export type { Best } from './training/early-stopping';
export type { PhaseStart, TrainedPhase, TrainerEvents, TrainingResult } from './training/events';
export type { StepLine, ValidationLine } from './training/log';
export { TRAINING_PHASES, type TrainingPhase } from './training/phases';
export type { TrainingConfig } from './training/settings';
export { Trainer, type TrainerOptions } from './training/trainer';
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
} from './volume';
export { writeTensors } from './write-tensors';
