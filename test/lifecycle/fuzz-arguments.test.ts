/** The addon's functions against arbitrary JavaScript values: typed errors, no crash, usable afterwards. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../../dist/native/binding';
import { ROOT, SAMPLE } from '../support/child';
import { HANG_MS } from '../support/limits';
import { writeTrainingFixture } from '../support/training';

/** The number of calls of each function; BRAIN3D_FUZZ_RUNS sets another. */
const RUNS = Number(process.env.BRAIN3D_FUZZ_RUNS ?? 40);
const SEED = 20261124;
const LIMIT_MS = HANG_MS + RUNS * 10_000;

test(
  'every exported function takes any values without crashing',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
    const { model, cache } = await writeTrainingFixture(join(dir, 'fixture'), { train: 1, val: 1 });
    const cached = readdirSync(cache).find((name) => name.endsWith('.safetensors')) as string;
    const script = join(ROOT, 'test/support/fuzz/arguments.mjs');
    const args = [script, String(RUNS), String(SEED), model, join(cache, cached), SAMPLE];
    const child = spawn(process.execPath, args, { cwd: dir, timeout: LIMIT_MS - 10_000 });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ending = await new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
    rmSync(dir, { recursive: true, force: true });
    expect({ ending, stderr }).toEqual({ ending: { code: 0, signal: null }, stderr: '' });
    const result = JSON.parse(stdout);
    expect(result.functions).toEqual(expect.arrayContaining(Object.keys(loadAddon())));
    expect(result.functions).toEqual(expect.arrayContaining(['model.generate', 'trainer.step', 'volume.data']));
    expect(result.returned + result.refused).toBe(RUNS * (result.functions.length + result.spoiled.length));
    expect(result.returned).toBeGreaterThan(RUNS);
    expect(result.shape).toEqual([90, 108, 90]);
  },
  LIMIT_MS,
);
