/** A model for evaluation. Its identity is known before it is loaded, and it is loaded only if there is work. */
import { basename } from 'node:path';
import { digestAnswers, readCheckpoint } from '../checkpoint/checkpoint';
import type { Recipe } from '../checkpoint/recipe';
import { readTrainedOn, type TrainedOn } from '../checkpoint/trained-on';
import { openCachedVolume } from '../dataset/cache-entry';
import { readGenerationDefaults, resolveSettings } from '../model/decoding';
import { decodingOf, type GenerationSettings } from '../model/decoding-options';
import { Brain3D } from '../model/model';
import { loadAddon } from '../native/binding';
import { chooseDevice, chooseDtype } from '../native/device';
import type { Volume } from '../volume/volume';
import type { EvaluateOptions } from './options';

export interface GeneratedText {
  text: string;
  finishReason: 'eos' | 'length';
  newTokens: number;
}

/** A case with its file in the cache. */
export interface CaseVolume {
  id: string;
  volume: string;
}

export interface TextGenerator {
  /** Returns one text for each case; they are decoded together. */
  generate(cases: readonly CaseVolume[], seed: number, signal?: AbortSignal): Promise<GeneratedText[]>;
  dispose(): Promise<void>;
}

export interface TextModel {
  phase: string;
  /** The SHA-256 of everything that decides its answers. A copy has the same one, wherever it lies. */
  checkpoint: string;
  /** The images that it has seen; undefined for a model that never trains. */
  trainedOn?: TrainedOn;
  recipe: Pick<Recipe, 'volumeSize' | 'lowerPercentile' | 'upperPercentile'>;
  prompt: string;
  /** The settings of decoding. The seed is given with each call. */
  settings: Omit<GenerationSettings, 'seed'>;
  /** The kind of device, `cpu` or `cuda`, and the dtype. Results differ between them by rounding. */
  device: string;
  dtype: string;
  load(): Promise<TextGenerator>;
}

export type OpenModel = (dir: string, options: EvaluateOptions) => Promise<TextModel>;

export const openTextModel: OpenModel = async (dir, options) => {
  const checkpoint = await readCheckpoint(dir);
  const addon = loadAddon({ libtorch: options.libtorch });
  const { device, warning } = chooseDevice(addon, options.device ?? 'auto');
  if (warning !== null) options.onWarning?.(warning);
  const { seed: _, ...settings } = resolveSettings(options, await readGenerationDefaults(checkpoint.language.dir));
  const dtype = chooseDtype(device, options.dtype ?? 'auto');
  return {
    phase: checkpoint.phase,
    checkpoint: await digestAnswers(dir, options.signal),
    trainedOn: await readTrainedOn(checkpoint),
    recipe: checkpoint.recipe,
    prompt: options.prompt ?? checkpoint.prompt,
    settings,
    device: device.startsWith('cuda') ? 'cuda' : device,
    dtype,
    load: () => loadGenerator(dir, options),
  };
};

async function loadGenerator(dir: string, options: EvaluateOptions): Promise<TextGenerator> {
  const { device, dtype, libtorch, signal, onProgress, cudaGraph, prompt } = options;
  const model = await Brain3D.load({ model: dir, device, dtype, libtorch, signal, onProgress });
  const decoding = { prompt, ...decodingOf(options), cudaGraph };
  for (const warning of model.info.warnings) options.onWarning?.(`${basename(dir)}: ${warning}`);
  return {
    async generate(cases, seed, stop) {
      const volumes: Volume[] = [];
      for (const { volume } of cases) volumes.push(await openCachedVolume(volume, { signal: stop }));
      const reports = await model.generate(volumes, { ...decoding, seed, batchSize: cases.length, signal: stop });
      return reports.map(({ text, finishReason, counts }) => ({ text, finishReason, newTokens: counts.newTokens }));
    },
    dispose: () => model.dispose(),
  };
}
