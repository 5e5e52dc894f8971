/**
 * A training's disk after a power loss at any moment: what it wrote is recorded, each beginning of that is replayed into a
 * folder as the disk may have kept it, and going on from there must end as if nothing had happened.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainerOptions } from 'brain3d';
import { SplitMix64 } from '../../dist/base/rng';
import { endingOf, ROOT } from '../support/child';
import { type Change, DiskModel, LOSSES, type Loss, readChanges, someLoss } from '../support/disk-model';
import { HANG_MS } from '../support/limits';
import { comparable, readLog, train, writeTrainingFixture } from '../support/training';

/** All beginnings with all losses, not a few of them. */
const IS_FULL = process.env.BRAIN3D_ALL_FAULTS === '1';
const LIMIT_MS = IS_FULL ? 3 * 3_600_000 : 3 * HANG_MS;
const SOME = 8;
const STEPS = 4;

const hasCompiler = spawnSync('cc', ['--version']).status === 0;
const why = hasCompiler ? '' : ' (skipped: there is no cc to compile the shim)';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-power-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const digestOf = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** Records the changes that a training makes in the empty folder `root`. */
async function record(options: TrainerOptions, root: string): Promise<Change[]> {
  const [shim, log] = [join(dir, 'fault-shim.so'), join(dir, 'log')];
  const source = join(ROOT, 'test/support/fault-shim.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl', '-lpthread']);
  const child = spawn(process.execPath, [join(ROOT, 'test/support/record-child.mjs'), JSON.stringify(options)], {
    env: { ...process.env, LD_PRELOAD: shim, FAULT_ROOT: root, FAULT_LOG: log, UV_USE_IO_URING: '0' },
  });
  expect(await endingOf(child)).toMatchObject({ code: 0, signal: null });
  return readChanges(readFileSync(log));
}

/** Everything below `dir`: links by their targets, files with their bytes. */
function contentsOf(dir: string): string[] {
  const entries = readdirSync(dir, { withFileTypes: true, recursive: true });
  const described = entries.map((entry) => {
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const isLink = entry.isSymbolicLink();
    const bytes = isLink ? readlinkSync(path) : entry.isFile() ? digestOf(readFileSync(path)) : '';
    return `${path.slice(dir.length)} ${isLink ? '->' : ''} ${bytes}`;
  });
  return described.sort();
}

/** Everything that must be the same in the end. */
function resultOf(out: string) {
  const best = (name: string): string => digestOf(readFileSync(join(out, 'lora-sft/best', name)));
  return {
    log: comparable(readLog(out, 'lora-sft')),
    weights: best('brain3d.safetensors'),
    adapter: best('adapter/adapter_model.safetensors'),
    checkpoint: best('brain3d.json'),
  };
}

/** Resumes: from which step, and what comes of it. */
async function goOn(options: TrainerOptions) {
  let from = STEPS; // a run that is finished has no phase to go on with
  const begin = ({ resumedAt }: { resumedAt: number }) => {
    from = resumedAt;
  };
  const failure = await train(options, (trainer) => trainer.on('phase', begin)).then(
    () => null,
    (error) => error,
  );
  return { from, failure, result: failure === null ? resultOf(options.out) : null };
}

interface Case {
  /** Changes before the power was lost. */
  length: number;
  name: string;
  loss: Loss;
}

function casesOf(changes: readonly Change[]): Case[] {
  const random = new SplitMix64(20261124);
  const mixed = () => ({ name: 'mixed', loss: someLoss(() => random.uniform()) });
  const extremes = Object.entries(LOSSES).map(([name, loss]) => ({ name, loss }));
  if (IS_FULL) {
    const lengths = Array.from({ length: changes.length + 1 }, (_, length) => length);
    return lengths.flatMap((length) => [...extremes, mixed(), mixed()].map((loss) => ({ length, ...loss })));
  }
  // Right after each report everything else is lost; between, spread over the whole run, the losses by turns.
  const reports = changes.flatMap(({ kind }, at) => (kind === '#' ? [at + 1] : []));
  const [, bytes, entries, everything] = extremes as [Omit<Case, 'length'>, ...Omit<Case, 'length'>[]];
  const between = Array.from({ length: SOME }, (_, index) => ({
    length: Math.floor(((index + random.uniform()) * changes.length) / SOME),
    ...([mixed(), bytes, mixed(), entries][index % 4] as Omit<Case, 'length'>),
  }));
  const cases = [...between, ...reports.map((length) => ({ length, ...(everything as Omit<Case, 'length'>) }))];
  return cases.sort((a, b) => a.length - b.length);
}

(hasCompiler ? test : test.skip)(
  `a power loss at any moment loses no state that was reported, and resuming ends as if it had not been${why}`,
  async () => {
    const { model, data } = await writeTrainingFixture(join(dir, 'fixture'), { train: 4, val: 2 });
    const root = join(dir, 'disk');
    mkdirSync(root);
    const settings = { model, data, phase: 'lora-sft', epochs: 2, batchSize: 2, saveSteps: 1 } as const;
    const options = (disk: string): TrainerOptions => ({ ...settings, out: join(disk, 'runs/run'), resume: true });
    const changes = await record(options(root), root);
    const whole = resultOf(options(root).out);

    // The record is complete: it makes the same files again.
    const replayed = new DiskModel(root);
    for (const change of changes) replayed.apply(change);
    replayed.rebuild(join(dir, 'replayed'), LOSSES.nothing);
    expect(contentsOf(join(dir, 'replayed'))).toEqual(contentsOf(root));
    expect(changes.length).toBeGreaterThan(300);
    expect(replayed.mark).toBe(String(STEPS));

    const disk = new DiskModel(root);
    let applied = 0;
    const seen = new Set<string>();
    const reported = new Set<string | null>();
    for (const { length, name, loss } of casesOf(changes)) {
      while (applied < length) disk.apply(changes[applied++] as Change);
      const left = join(dir, 'left');
      disk.rebuild(left, loss);
      const state = digestOf(`${disk.mark} ${JSON.stringify(contentsOf(left))}`);
      if (!seen.has(state)) {
        const at = `${length} of ${changes.length} changes, lost: ${name}, reported: ${disk.mark}`;
        const { from, ...ended } = await goOn(options(left));
        expect({ at, ...ended }).toEqual({ at, failure: null, result: whole });
        expect({ at, isKept: from >= Number(disk.mark) }).toEqual({ at, isKept: true });
      }
      seen.add(state);
      reported.add(disk.mark);
      rmSync(left, { recursive: true });
    }
    expect(reported.size).toBeGreaterThan(3);
  },
  LIMIT_MS,
);
