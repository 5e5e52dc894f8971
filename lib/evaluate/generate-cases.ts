/** Generates the texts of cases batch by batch. Each batch is on disk before the next begins. */
import { basename } from 'node:path';
import { Brain3DError, type ErrorCode } from '../base/errors';
import { isScanFault } from '../dataset/scans';
import type { FolderLock } from '../files/folder-lock';
import type { GenerationFailure, GenerationFile, GenerationLine } from './generations';
import type { CaseVolume, GeneratedText, TextGenerator } from './text-model';

/** The text of a case, or its failure, which counts as an empty text. */
export type CaseText = (GeneratedText & { error: null }) | { text: ''; error: GenerationFailure };

/** The error codes, besides those of its scan, that fail one case only; the next case may succeed. */
const CASE_FAULTS: readonly ErrorCode[] = ['BRAIN3D_OUT_OF_MEMORY', 'BRAIN3D_INTERNAL', 'BRAIN3D_SHAPE'];

export interface GenerationRun {
  file: GenerationFile;
  /** The lock of the folder that the file is in. */
  lock?: FolderLock | undefined;
  cases: readonly CaseVolume[];
  seed: number;
  batchSize: number;
  signal?: AbortSignal | undefined;
  /** Called with the number of cases that are done. */
  onDone: (done: number) => void;
}

/** Returns the cases without a text, with the text of another volume, or that failed; failed cases are tried again. */
export function pendingCases({ file, cases }: Pick<GenerationRun, 'file' | 'cases'>): CaseVolume[] {
  return cases.filter(({ id, volume }) => {
    const line = file.lines.get(id);
    return line === undefined || 'error' in line || line.volume !== volumeKey(volume);
  });
}

/** Generates the pending texts into the run's file. */
export async function generateCases(run: GenerationRun, generator: TextGenerator): Promise<void> {
  const pending = pendingCases(run);
  const kept = run.cases.length - pending.length;
  for (let begin = 0; begin < pending.length; begin += run.batchSize) {
    run.signal?.throwIfAborted();
    run.onDone(kept + begin);
    const lines = await generateBatch(run, generator, pending.slice(begin, begin + run.batchSize));
    await run.lock?.require();
    await run.file.append(lines);
  }
  run.onDone(run.cases.length);
}

/** Generates a batch. If it fails, each case is tried by itself, and only the cases that fail again have failed. */
async function generateBatch(
  run: GenerationRun,
  generator: TextGenerator,
  batch: readonly CaseVolume[],
): Promise<GenerationLine[]> {
  try {
    const texts = await generator.generate(batch, run.seed, run.signal);
    return batch.map((item, i) => textLine(item, texts[i] as GeneratedText));
  } catch (error) {
    run.signal?.throwIfAborted();
    if (!isCaseFault(error)) throw error;
    const [only, ...others] = batch;
    if (only !== undefined && others.length === 0) return [failureLine(only, error)];
    const lines: GenerationLine[] = [];
    for (const item of batch) lines.push(...(await generateBatch(run, generator, [item])));
    return lines;
  }
}

function isCaseFault(error: unknown): error is Brain3DError {
  return isScanFault(error) || (Brain3DError.isInstance(error) && CASE_FAULTS.includes(error.code));
}

function textLine({ id, volume }: CaseVolume, { text, finishReason, newTokens }: GeneratedText): GenerationLine {
  return { id, volume: volumeKey(volume), text, finish_reason: finishReason, new_tokens: newTokens };
}

function failureLine({ id, volume }: CaseVolume, { code, message }: Brain3DError): GenerationLine {
  return { id, volume: volumeKey(volume), error: { code, message } };
}

function volumeKey(volume: string): string {
  return basename(volume, '.safetensors');
}

/** Returns the texts of a finished run, one for each id. Cases without a volume failed before. */
export function collectTexts(
  ids: readonly string[],
  file: GenerationFile,
  unusable: ReadonlyMap<string, GenerationFailure>,
): CaseText[] {
  return ids.map((id) => {
    const line = file.lines.get(id);
    const error = unusable.get(id) ?? (line !== undefined && 'error' in line ? line.error : null);
    if (error !== null) return { text: '', error };
    const { text, finish_reason, new_tokens } = line as Extract<GenerationLine, { text: string }>;
    return { text, finishReason: finish_reason, newTokens: new_tokens, error: null };
  });
}

/** @throws {Brain3DError} of the first failure's code, if no case has a text */
export function requireSomeText(name: string, ids: readonly string[], texts: readonly CaseText[]): void {
  const first = texts[0]?.error ?? null;
  if (first === null || texts.some(({ error }) => error === null)) return;
  throw new Brain3DError(
    first.code,
    `every generation of '${name}' failed (${texts.length}); the first, ${ids[0]}: ${first.message}`,
  );
}
