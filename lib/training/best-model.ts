/** Writes the model of a phase's best epoch, as a checkpoint directory like any other. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packageVersion } from '../base/version';
import { ADAPTER_DIR, type Checkpoint, WEIGHTS_FILE, writeCheckpoint } from '../checkpoint/checkpoint';
import { type TrainedOn, writeTrainedOn } from '../checkpoint/trained-on';
import { writeStored } from '../files/stored';
import { callNative } from '../native/call';
import type { NativeAddon, NativeTrainer } from '../native/surface';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from './adapter-config';
import type { Best } from './early-stopping';
import type { TrainingPhase } from './phases';

export interface ModelSource {
  addon: NativeAddon;
  native: NativeTrainer;
  /** The checkpoint that the phase started from. */
  source: Checkpoint;
  phase: TrainingPhase;
  seed: number;
  manifestSha256: string;
  /** The images that the model has seen, those of earlier phases too. */
  trainedOn: TrainedOn;
  /** Null where no adapter trains. */
  adapterConfig: Record<string, unknown> | null;
}

/** Writes everything into `dir`, with `brain3d.json` last. The backbones stay where they are. */
export async function writeModel(from: ModelSource, best: Best, dir: string): Promise<void> {
  const { addon, native, source, phase, adapterConfig } = from;
  await callNative(addon, undefined, (token) => native.writeWeights(join(dir, WEIGHTS_FILE), token));
  if (adapterConfig !== null) {
    const adapter = join(dir, ADAPTER_DIR);
    await mkdir(adapter, { mode: 0o700 });
    await callNative(addon, undefined, (token) => native.writeAdapter(join(adapter, ADAPTER_WEIGHTS), token));
    await writeStored(join(adapter, ADAPTER_CONFIG), adapterConfig);
  }
  const { recipe, prompt, eosTokenIds, vision, language, provenance } = source;
  const made = {
    source_phase: source.phase,
    manifest_sha256: from.manifestSha256,
    seed: from.seed,
    epochs: best.epoch,
    steps: best.step,
    val_loss: best.loss,
    torch: addon.buildInfo().torchVersion,
  };
  // The keys begin with the phase, so that the notes of earlier phases stay.
  const noted = Object.fromEntries(Object.entries(made).map(([key, value]) => [`${phase}.${key}`, value]));
  await writeCheckpoint({
    dir,
    phase,
    recipe,
    prompt,
    eosTokenIds,
    vision,
    language,
    provenance: { ...provenance, command: 'train', ...noted, brain3d: packageVersion() },
    trainedOnSha256: await writeTrainedOn(dir, from.trainedOn),
  });
}
