/** brain3d: a brain MRI in, a report out. Research use only. */
export { type Checkpoint, PHASES, type Phase, readCheckpoint } from './checkpoint';
export { type ImportOptions, type InitOptions, importCheckpoint, initCheckpoint } from './create-checkpoint';
export { type Diagnosis, diagnose } from './doctor';
export { Brain3DError, ERROR_CODES, type ErrorCode } from './errors';
export type { GenerateOptions, GenerationSettings } from './generation';
export { type Inspection, inspect } from './inspect';
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
export { type CompressionName, RECIPES, type Recipe, type RecipeName } from './recipe';
export { DISCLAIMER, type Report, type TextChunk, type Timings } from './report';
export type { SkullStrip } from './skull-strip';
export type { ReportStream } from './stream';
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
