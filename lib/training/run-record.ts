/** `run.json`: what a phase was started with. A resumed run must be the same in all that decides its result. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { writeFileAtomic } from '../checkpoint';
import { Brain3DError } from '../errors';
import { TRAINING_PHASES } from './phases';

export const RUN_FILE = 'run.json';

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Schema = v.object({
  format: v.literal('brain3d-training-run'),
  format_version: v.literal(1),
  phase: v.picklist(TRAINING_PHASES),
  /** That the run began with. */
  versions: v.object({ brain3d: v.string(), torch: v.string() }),
  settings: v.record(v.string(), v.unknown()),
  /** `cpu` or `cuda`. */
  device: v.string(),
  dtype: v.string(),
  manifest_sha256: digest,
  model: v.object({
    weights_sha256: digest,
    adapter_sha256: v.nullable(digest),
    vision: digest,
    language: digest,
    recipe: v.record(v.string(), v.unknown()),
    prompt: v.string(),
  }),
  /** Of the ids in the log. */
  salt: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
});
export type RunRecord = v.InferOutput<typeof Schema>;
/** What decides the result, and the versions it began with. */
export type RunFacts = Omit<RunRecord, 'format' | 'format_version' | 'salt'>;

/** May differ on resume: memory and disk, not mathematics. */
const FREE = new Set(['micro_batch', 'recompute', 'logit_rows', 'checkpoint_steps'].map((key) => `settings.${key}`));

export async function writeRunRecord(path: string, facts: RunFacts): Promise<RunRecord> {
  const salt = randomBytes(16).toString('hex');
  const record: RunRecord = { format: 'brain3d-training-run', format_version: 1, ...facts, salt };
  await writeFileAtomic(path, `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

export async function readRunRecord(path: string): Promise<RunRecord> {
  const result = v.safeParse(v.pipe(v.string(), v.parseJson(), Schema), await readFile(path, 'utf8'));
  if (result.success) return result.output;
  const field = v.getDotPath(result.issues[0]) ?? undefined;
  throw new Brain3DError('BRAIN3D_FORMAT', `${RUN_FILE} is not as it was written (${field ?? 'no JSON'})`, {
    file: RUN_FILE,
    field,
  });
}

/** @throws {Brain3DError} BRAIN3D_CONFIG naming the first field that differs */
export function requireSameRun({ salt: _, format: _f, format_version: _v, ...begun }: RunRecord, now: RunFacts): void {
  const [before, after] = [flat({ ...begun, versions: null }), flat({ ...now, versions: null })];
  for (const field of new Set([...before.keys(), ...after.keys()])) {
    if (FREE.has(field) || before.get(field) === after.get(field)) continue;
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `the run began with ${field} ${before.get(field) ?? 'not given'}, got ${after.get(field) ?? 'not given'}; resume with ` +
        'what it began with, or start anew in another folder',
      { file: RUN_FILE, field },
    );
  }
}

/** Leaves by path, as JSON. */
function flat(value: unknown, path = ''): Map<string, string> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return new Map([[path, JSON.stringify(value)]]);
  return new Map(Object.entries(value).flatMap(([key, item]) => [...flat(item, path === '' ? key : `${path}.${key}`)]));
}
