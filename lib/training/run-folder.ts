/** Opens the folder of a phase's run, which is new or to be continued. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Brain3DError } from '../base/errors';
import { makeDurableFolders, PARTIAL, removePartials } from '../files/atomic-directory';
import { LOCK_FILE } from '../files/folder-lock';
import { TRAINING_PHASES } from './phases';
import { RUN_FILE, type RunFacts, type RunRecord, readRunRecord, requireSameRun, writeRunRecord } from './run-record';
import { type Saved, SavedStates } from './saved-states';
import type { Scan } from './scans';

export interface RunFolder {
  dir: string;
  states: SavedStates;
  /** Null for a run that has not begun. */
  record: RunRecord | null;
  /** Null for a run that has no saved state yet. */
  saved: Saved | null;
}

/**
 * Checks the folder in which all phases write: it must be new, or hold only runs of phases. @throws {Brain3DError}
 * BRAIN3D_USAGE
 */
export async function requireOutput(out: string): Promise<void> {
  if (!existsSync(out)) return;
  const known: readonly string[] = [...TRAINING_PHASES, CACHE_FOLDER, LOCK_FILE];
  // Files that a killed process left while it took the lock are allowed too.
  const other = (await readdir(out)).find((name) => !known.includes(name) && !name.startsWith(`${LOCK_FILE}.`));
  if (other === undefined) return;
  throw new Brain3DError(
    'BRAIN3D_USAGE',
    `'${basename(out)}' already holds '${other}', which is no run of training; give a new folder`,
  );
}

/** The default folder of the cache. */
export const CACHE_FOLDER = 'cache';

/**
 * Opens the folder of a phase and writes nothing that matters. With `resume` an existing run must have the same
 * `facts`; without it there must be no run.
 * @throws {Brain3DError} BRAIN3D_USAGE if there is something else, BRAIN3D_CONFIG, BRAIN3D_FORMAT
 */
export async function openRunFolder(dir: string, facts: RunFacts, resume: boolean): Promise<RunFolder> {
  const states = new SavedStates(dir);
  const names = existsSync(dir) ? await readdir(dir) : [];
  const isBegun = names.includes(RUN_FILE);
  if (names.length > 0 && !resume) {
    throw new Brain3DError(
      'BRAIN3D_USAGE',
      `'${basename(dir)}' already holds a run; go on with it by --resume, or give a new folder`,
      { file: basename(dir) },
    );
  }
  const other = isBegun ? undefined : names.find((name) => !name.endsWith(PARTIAL));
  if (other !== undefined) {
    throw new Brain3DError(
      'BRAIN3D_USAGE',
      `'${basename(dir)}' holds '${other}' but no ${RUN_FILE}: that is no run to resume; give a new folder`,
      { file: RUN_FILE },
    );
  }
  if (!isBegun) return { dir, states, record: null, saved: null };
  const record = await readRunRecord(join(dir, RUN_FILE));
  requireSameRun(record, facts);
  return { dir, states, record, saved: await states.recover() };
}

/** Makes the folder of a run that has not begun and returns its salt. */
export async function beginRun(
  { dir, states, record }: RunFolder,
  facts: RunFacts,
  scans: readonly Scan[],
): Promise<string> {
  if (record !== null) return record.salt;
  await makeDurableFolders(dir);
  await removePartials(dir);
  // The record is written first: a folder that holds anything else without it is taken for somebody else's.
  const { salt } = await writeRunRecord(join(dir, RUN_FILE), facts, scans);
  await states.make();
  return salt;
}
