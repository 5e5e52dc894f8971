/**
 * Records which images a model has seen, in `trained-on.json` beside `brain3d.json`, which has its digest. The file
 * holds keys of images (lib/dataset/image-key.ts) and no names. A key says nothing about a scan to anyone who does not
 * have the scan.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { writeFileAtomic } from '../files/atomic-file';
import { parseStored } from '../files/stored';
import type { Checkpoint } from './checkpoint';

export const TRAINED_ON_FILE = 'trained-on.json';

const key = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Schema = v.object({
  format: v.literal('brain3d-trained-on'),
  format_version: v.literal(1),
  /** False if the model was trained further from one without such a record. */
  complete: v.boolean(),
  /** The keys of the images whose reports it learned from. */
  train: v.array(key),
  /** The keys of the images by which a best model was chosen. */
  val: v.array(key),
});

/** The keys of images, over all phases that a model went through. */
export interface TrainedOn {
  complete: boolean;
  train: ReadonlySet<string>;
  val: ReadonlySet<string>;
}

const NOTHING: TrainedOn = { complete: true, train: new Set(), val: new Set() };
const UNKNOWN: TrainedOn = { ...NOTHING, complete: false };

/**
 * Reads the images that a checkpoint has seen. A checkpoint that never trained has seen none. The record is incomplete
 * for one that trained and has no list.
 * @throws {Brain3DError} BRAIN3D_WEIGHTS if the list is gone or is not the one that was written
 */
export async function readTrainedOn({ dir, phase, trainedOnSha256 }: Checkpoint): Promise<TrainedOn> {
  if (trainedOnSha256 === null) return phase === 'initialised' ? NOTHING : UNKNOWN;
  const json = await readFile(join(dir, TRAINED_ON_FILE), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw incomplete(`it cannot be read (${cause.code})`);
  });
  if (digest(json) !== trainedOnSha256) throw incomplete('it is another one');
  const result = parseStored(Schema, json);
  if (!result.isIntact) throw incomplete('it is not as it was written');
  const { complete, train, val } = result.value;
  return { complete, train: new Set(train), val: new Set(val) };
}

/** Writes the list into a checkpoint's directory and returns its digest, for `brain3d.json`. */
export async function writeTrainedOn(dir: string, { complete, train, val }: TrainedOn): Promise<string> {
  const stored: v.InferOutput<typeof Schema> = {
    format: 'brain3d-trained-on',
    format_version: 1,
    complete,
    // The keys are sorted, so that nothing says which scan came first.
    train: [...train].sort(),
    val: [...val].sort(),
  };
  const json = `${JSON.stringify(stored, null, 1)}\n`;
  await writeFileAtomic(join(dir, TRAINED_ON_FILE), json);
  return digest(json);
}

/** Combines the images seen before with those of further training. */
export function alsoTrainedOn(before: TrainedOn, now: { train: Iterable<string>; val: Iterable<string> }): TrainedOn {
  return {
    complete: before.complete,
    train: new Set([...before.train, ...now.train]),
    val: new Set([...before.val, ...now.val]),
  };
}

function digest(json: string): string {
  return createHash('sha256').update(json).digest('hex');
}

function incomplete(reason: string): Brain3DError {
  return new Brain3DError(
    'BRAIN3D_WEIGHTS',
    `expected ${TRAINED_ON_FILE}, the list of images that the checkpoint has seen, but ${reason}; get the checkpoint again, whole`,
    { file: TRAINED_ON_FILE },
  );
}
