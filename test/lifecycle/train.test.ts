/** Training that is killed at any point, or whose disk is full, and goes on: nothing is lost and nothing differs. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, type TrainerOptions } from 'brain3d';
import { SplitMix64 } from '../../dist/base/rng';
import { endingOf, type Loose, parsed, ROOT } from '../support/child';
import { HANG_MS } from '../support/limits';
import { rounds } from '../support/rounds';
import { comparable, readLog, type TrainingFixture, writeTrainingFixture } from '../support/training';

const CHILD = join(ROOT, 'test/support/train-child.mjs');
const KILLS = rounds(30);

let dir: string;
let fixture: TrainingFixture;
let whole: ReturnType<typeof resultOf>;
/** Operations on files that an uninterrupted run makes. */
let operations: number;
let count = 0;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-train-'));
  fixture = await writeTrainingFixture(join(dir, 'fixture'), { train: 2, val: 1 });
  const given = options();
  const ended = await run(given);
  expect(ended.json).toMatchObject({ phases: [{ phase: 'lora-sft', steps: 4 }] });
  operations = ended.json.operations;
  whole = resultOf(given.out);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const options = (changes: Partial<TrainerOptions> = {}): TrainerOptions => ({
  ...fixture,
  out: join(dir, `run-${count++}`),
  phase: 'lora-sft',
  epochs: 2,
  batchSize: 1,
  saveSteps: 1,
  resume: true,
  ...changes,
});

interface Fault {
  /** Operation before which the process kills itself. */
  killAt?: number;
  /** Operation that fails as on a full disk. */
  failAt?: number;
  /** Kill it so long after the phase's start. */
  killAfterMs?: number;
  /** Largest file in units of 512 bytes. */
  fileLimit?: number;
}

async function run(given: TrainerOptions, fault: Fault = {}): Promise<{ signal: string | null; json: Loose }> {
  const { killAt, failAt, killAfterMs, fileLimit } = fault;
  const args = [CHILD, JSON.stringify({ options: given, killAt, failAt })];
  // A write beyond the limit fails once its signal is ignored.
  const limited = ['-c', `trap '' XFSZ; ulimit -f ${fileLimit}; exec "$@"`, 'sh', process.execPath, ...args];
  const child = fileLimit === undefined ? spawn(process.execPath, args) : spawn('sh', limited);
  if (killAfterMs !== undefined) child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), killAfterMs));
  const ending = await endingOf(child);
  return ending.signal === null ? { signal: null, json: parsed(ending) } : { signal: ending.signal, json: null };
}

/** Everything that must be the same in the end. */
function resultOf(out: string) {
  const best = (name: string): string => readFileSync(join(out, 'lora-sft/best', name)).toString('base64');
  return {
    log: comparable(readLog(out, 'lora-sft')),
    weights: best('brain3d.safetensors'),
    adapter: best('adapter/adapter_model.safetensors'),
    checkpoint: best('brain3d.json'),
  };
}

async function expectBestToBeComplete(out: string): Promise<void> {
  const best = join(out, 'lora-sft/best');
  if (existsSync(best)) expect(await inspect(best)).toMatchObject({ kind: 'checkpoint', problems: [] });
}

test(
  `killed ${KILLS} times, in steps and while writing, it ends as if it had not been`,
  async () => {
    const random = new SplitMix64(20261124);
    for (let kills = 0; kills < KILLS; ) {
      const given = options();
      for (let isKilled = true; isKilled; ) {
        // Kills come by turns before an operation on a file and at some time.
        const fault: Fault =
          kills % 2 === 0
            ? { killAt: Math.floor(random.uniform() * 0.7 * operations) }
            : { killAfterMs: Math.floor(random.uniform() * 400) };
        const { signal } = await run(given, fault);
        isKilled = signal === 'SIGKILL';
        if (isKilled) kills++;
        await expectBestToBeComplete(given.out);
      }
      expect(resultOf(given.out)).toEqual(whole);
    }
  },
  HANG_MS + 100_000 * KILLS,
);

test('on a full disk it stops with an error that says what is left, and goes on from there', async () => {
  const given = options();
  // Each time further: the log, a saved state, the best model, the curves.
  for (const share of [0.01, 0.1, 0.3, 0.5]) {
    const { json } = await run(given, { failAt: Math.floor(share * operations) });
    expect(json).toMatchObject({
      code: 'BRAIN3D_IO',
      message: expect.stringMatching(/ENOSPC.*(no saved state yet|--resume goes on)/),
    });
    await expectBestToBeComplete(given.out);
  }
  await run(given);
  expect(resultOf(given.out)).toEqual(whole);
});

test('a state that cannot be written natively leaves the state before', async () => {
  const given = options();
  await run(given, { killAt: Math.floor(operations / 2) });
  const { json } = await run(given, { fileLimit: 3000 });
  expect(json).toMatchObject({
    code: 'BRAIN3D_IO',
    message: expect.stringMatching(
      /the saved state of step \d could not be written .*step-0000000\d.* is complete, and --resume/,
    ),
  });
  await run(given);
  expect(resultOf(given.out)).toEqual(whole);
});
