/**
 * Keeps the saved states to resume a phase's run from, and its best model. Each is a directory that appears whole by one
 * rename; `best` is a link that is changed in one step. At any moment the newest saved state, and the model it calls
 * best, are complete.
 */
import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { Brain3DError } from '../base/errors';
import { respell, toCamel, toSnake } from '../base/key-case';
import {
  makeDurableFolders,
  PARTIAL,
  pointLink,
  removePartials,
  syncPath,
  writeDirectoryAtomic,
} from '../files/atomic-directory';
import { digestFile } from '../files/digest';
import { parseStored, writeStored } from '../files/stored';
import type { Stopping } from './early-stopping';

const STATE_FILE = 'state.safetensors';
const TRAINER_FILE = 'trainer.json';
const KEPT = 2;

/** The position of a saved state in the run. With `state.safetensors` it is all that is needed to continue. */
export interface Progress extends Stopping {
  /** The number of epochs done. */
  epoch: number;
  /** The number of steps done in this epoch. If all of its steps are done, its validation is next. */
  position: number;
  /** The number of steps done in all. */
  step: number;
  finished: 'epochs' | 'early-stop' | null;
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const TrainerSchema = v.object({
  format: v.literal('brain3d-training-state'),
  format_version: v.literal(1),
  epoch: count,
  position: count,
  step: count,
  best: v.nullable(v.object({ loss: v.number(), epoch: count, step: count })),
  epochs_without_improvement: count,
  finished: v.nullable(v.picklist(['epochs', 'early-stop'])),
  log_bytes: count,
  /** The SHA-256 of state.safetensors. */
  state_sha256: v.string(),
});
type StoredTrainer = v.InferOutput<typeof TrainerSchema>;

/** A complete saved state. */
export interface Saved {
  name: string;
  progress: Progress;
  logBytes: number;
  stateFile: string;
  stateSha256: string;
}

export class SavedStates {
  readonly #dir: string;

  /** @param dir of the phase's run */
  constructor(dir: string) {
    this.#dir = dir;
  }

  get #states(): string {
    return join(this.#dir, 'states');
  }

  /** The path by which the best model is found. */
  get best(): string {
    return join(this.#dir, 'best');
  }

  /** Makes the folder and syncs it, so that the files beside it in the run's folder are on the disk too. */
  async make(): Promise<void> {
    await makeDurableFolders(this.#states);
  }

  /**
   * Returns the newest saved state, verified; null if there is none. Removes what a killed process left unfinished, and
   * points `best` to the model that the saved state calls best.
   * @throws {Brain3DError} BRAIN3D_FORMAT if it is damaged
   */
  async recover(): Promise<Saved | null> {
    await this.make();
    await removePartials(this.#dir);
    await removePartials(this.#states);
    const newest = (await this.#names()).at(-1);
    const saved = newest === undefined ? null : await this.#read(newest);
    if (saved !== null && (await digestFile(saved.stateFile)) !== saved.stateSha256)
      throw damaged(saved.name, `${STATE_FILE} has other bytes than were written`);
    if (saved?.progress.best) await pointLink(this.best, bestName(saved.progress.best.step));
    else await rm(this.best, { force: true });
    // The process that wrote the newest saved state may have ended before this. Older ones are removed once the newest
    // is on the disk.
    await syncPath(this.#states);
    await this.#prune();
    return saved;
  }

  /** Writes the model of this step as the best one. `best` points to it once a saved state names it. */
  async writeBest(step: number, fill: (dir: string) => Promise<void>): Promise<void> {
    await writeDirectoryAtomic(join(this.#dir, bestName(step)), fill);
  }

  /** @param saveState writes the native state to the given file */
  async write(progress: Progress, logBytes: number, saveState: (file: string) => Promise<void>): Promise<string> {
    const name = stateName(progress);
    // The saved state was written before, but could not be synced.
    if ((await this.#names()).includes(name)) await syncPath(this.#states);
    else await this.#writeNew(name, progress, logBytes, saveState);
    if (progress.best !== null) await pointLink(this.best, bestName(progress.best.step));
    await this.#prune();
    return name;
  }

  async #writeNew(
    name: string,
    progress: Progress,
    logBytes: number,
    saveState: (file: string) => Promise<void>,
  ): Promise<void> {
    await writeDirectoryAtomic(join(this.#states, name), async (dir) => {
      const state = join(dir, STATE_FILE);
      await saveState(state);
      const stored: StoredTrainer = {
        format: 'brain3d-training-state',
        format_version: 1,
        ...(respell(progress, toSnake) as Omit<
          StoredTrainer,
          'format' | 'format_version' | 'log_bytes' | 'state_sha256'
        >),
        log_bytes: logBytes,
        state_sha256: await digestFile(state),
      };
      await writeStored(join(dir, TRAINER_FILE), stored);
    });
  }

  /** The names of the saved states, oldest first. */
  async #names(): Promise<string[]> {
    const names = (await readdir(this.#states)).filter((name) => orderOf(name) !== null);
    return names.sort((a, b) => (orderOf(a) as number) - (orderOf(b) as number));
  }

  async #read(name: string): Promise<Saved> {
    const dir = join(this.#states, name);
    const json = await readFile(join(dir, TRAINER_FILE), 'utf8').catch((cause) => {
      throw damaged(name, `${TRAINER_FILE} cannot be read (${(cause as NodeJS.ErrnoException).code})`);
    });
    const result = parseStored(TrainerSchema, json);
    if (!result.isIntact) throw damaged(name, `${TRAINER_FILE} is not as it was written`);
    const { format: _, format_version: _v, log_bytes: logBytes, state_sha256: stateSha256, ...progress } = result.value;
    const stateFile = join(dir, STATE_FILE);
    return { name, progress: respell(progress, toCamel) as Progress, logBytes, stateFile, stateSha256 };
  }

  /** Keeps the newest saved states and the models that they, or the link, call best. */
  async #prune(): Promise<void> {
    const names = await this.#names();
    const kept = names.slice(-KEPT);
    for (const name of names.slice(0, -KEPT)) await rm(join(this.#states, name), { recursive: true });
    const used = new Set<string>();
    for (const name of kept) {
      const { best } = (await this.#read(name)).progress;
      if (best !== null) used.add(bestName(best.step));
    }
    const models = (await readdir(this.#dir)).filter((name) => /^best-\d+$/.test(name));
    if (models.length > 0 && used.size > 0) used.add(await readlink(this.best));
    const unused = models.filter((name) => !used.has(name));
    await Promise.all(unused.map((name) => rm(join(this.#dir, name), { recursive: true })));
  }
}

/** Returns `step-00000123`, or with `-epoch-0004` if the epoch is done and validated. */
function stateName({ step, epoch, position }: Progress): string {
  const name = `step-${String(step).padStart(8, '0')}`;
  return position === 0 ? `${name}-epoch-${String(epoch).padStart(4, '0')}` : name;
}

function bestName(step: number): string {
  return `best-${String(step).padStart(8, '0')}`;
}

/** Orders saved states by step. Within a step, the one before the validation comes first. Null for other names. */
function orderOf(name: string): number | null {
  const match = /^step-(\d+)(-epoch-\d+)?$/.exec(name);
  if (match === null || name.endsWith(PARTIAL)) return null;
  return 2 * Number(match[1]) + (match[2] === undefined ? 0 : 1);
}

function damaged(name: string, reason: string): Brain3DError {
  return new Brain3DError(
    'BRAIN3D_FORMAT',
    `the saved state ${name} is damaged: ${reason}; remove that folder to go on from the one before`,
    { file: name },
  );
}
