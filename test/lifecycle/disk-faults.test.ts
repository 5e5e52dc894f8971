/** Training over files whose calls fail in turn, and on a disk that is really full: nothing complete is ever lost. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endingOf, type Loose, parsed, ROOT } from '../support/child';
import { HANG_MS } from '../support/limits';
import { type TrainingFixture, writeTrainingFixture } from '../support/training';

/** All calls with all their errors, not each call with one. */
const IS_FULL = process.env.BRAIN3D_ALL_FAULTS === '1';
const LIMIT_MS = IS_FULL ? 3 * 3_600_000 : 6 * HANG_MS;

let dir: string;
let fixture: TrainingFixture;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-disk-'));
  fixture = await writeTrainingFixture(join(dir, 'fixture'), { train: 2, val: 1 });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function run(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Loose> {
  return parsed(await endingOf(spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env } })));
}

const hasCompiler = spawnSync('cc', ['--version']).status === 0;
const withCompiler = hasCompiler ? test : test.skip;
const why = hasCompiler ? '' : ' (skipped: there is no cc to compile the shim)';

withCompiler(
  `every call on a file may fail or fall short: a typed error, and resuming ends as if it had not${why}`,
  async () => {
    const shim = join(dir, 'fault-shim.so');
    execFileSync('cc', [
      '-shared',
      '-fPIC',
      '-O1',
      '-o',
      shim,
      join(ROOT, 'test/support/fault-shim.c'),
      '-ldl',
      '-lpthread',
    ]);
    const root = join(dir, 'runs');
    mkdirSync(root);
    const options = { ...fixture, phase: 'lora-sft', epochs: 1, batchSize: 1, saveSteps: 1 };
    const given = { options, root, isFull: IS_FULL };
    const { calls, places, faults, withoutRename } = await run(
      process.execPath,
      [join(ROOT, 'test/support/fault-child.mjs'), JSON.stringify(given)],
      {
        LD_PRELOAD: shim,
        FAULT_ROOT: root,
        UV_USE_IO_URING: '0',
      },
    );
    expect(calls).toBeGreaterThan(300);
    expect(places).toBeGreaterThan(60);
    expect(faults.length).toBeGreaterThanOrEqual(places);
    // Every kind of call was hit.
    expect([...new Set(faults.map(({ kind }: Loose) => kind))]).toEqual(
      expect.arrayContaining(['o', 'r', 'w', 's', 'n', 'm', 'c', 'u']),
    );
    expect(faults.filter(({ isSame, descriptors }: Loose) => !isSame || descriptors !== 0)).toEqual([]);
    // Short transfers are gone on with; closing and clearing away may fail without harm.
    expect(faults.filter(({ code }: Loose) => code !== undefined && !/^BRAIN3D_/.test(code))).toEqual([]);
    const codes = faults.flatMap(({ kind, error, onSaveError, code }: Loose) =>
      'wsn'.includes(kind) && error !== 'short' && onSaveError === 'stop' ? [code] : [],
    );
    expect([...new Set(codes)]).toEqual(['BRAIN3D_IO']);
    // Nothing can be renamed at all: saved states stay as they were, and training goes on from them elsewhere.
    expect(withoutRename).toMatchObject({
      code: 'BRAIN3D_IO',
      message: expect.stringContaining('ENOSYS'),
      kept: withoutRename.saved,
      isSame: true,
    });
    expect(withoutRename.saved.length).toBeGreaterThan(2);
    // A run that is to go on does so, and tells of what failed.
    const told = faults.filter(({ saveErrors }: Loose) => saveErrors.length > 0);
    expect(told.every(({ onSaveError }: Loose) => onSaveError === 'continue')).toBe(true);
    expect([...new Set(told.flatMap(({ saveErrors }: Loose) => saveErrors))]).toEqual(['BRAIN3D_IO']);
    expect(told.filter(({ code }: Loose) => code === undefined).length).toBeGreaterThan(3);
  },
  LIMIT_MS,
);

/** A tmpfs of that many KiB in a mount namespace of its own, with `command` run in it as `$0 "$@"`. */
const inTmpfs = (kib: number, mount: string, command: string[]): [string, string[]] => [
  'unshare',
  [
    '--user',
    '--map-root-user',
    '--mount',
    'sh',
    '-c',
    `mount -t tmpfs -o size=${kib}k tmpfs "${mount}" && exec "$0" "$@"`,
    ...command,
  ],
];
const canMount = ((): boolean => {
  const [command, args] = inTmpfs(64, tmpdir(), ['true']);
  return spawnSync(command, args).status === 0;
})();

(canMount ? test : test.skip)(
  `a full disk stops it with an error that says what is left, and what is left goes on${canMount ? '' : ' (skipped: no tmpfs may be mounted here)'}`,
  async () => {
    const mount = join(dir, 'full');
    mkdirSync(mount);
    const options = {
      ...fixture,
      phase: 'lora-sft',
      epochs: 1,
      batchSize: 1,
      saveSteps: 1,
      cache: join(mount, 'cache'),
    };
    const child = join(ROOT, 'test/support/full-disk-child.mjs');
    const [command, args] = inTmpfs(64 * 1024, mount, [process.execPath, child, JSON.stringify({ options, mount })]);
    const { isSame, stops, continued, ended } = await run(command, args);
    expect(isSame).toBe(true);
    expect(stops.length).toBeGreaterThan(3);
    for (const { code, message } of stops) {
      expect(code).toBe('BRAIN3D_IO');
      expect(message).toMatch(/ENOSPC|No space left/i);
    }
    // The run ends well if room is made in time, and with an error if not; either way it has told before.
    expect(continued).toMatchObject({ isSame: true, resumed: null });
    expect(ended).toMatchObject({ isSame: true, resumed: 'BRAIN3D_IO' });
    for (const { warnings, saveErrors } of [continued, ended]) {
      expect(warnings[0]).toMatch(/the disk has .* MiB free, and the run may need .* MiB more: 3 saved states of/);
      expect(warnings[1]).toMatch(/the disk has .* MiB free, and the saved state of step 1 needs .* MiB; make room/);
      expect(saveErrors[0]).toMatch(/the saved state of step 1 could not be written .*there is no saved state yet/);
    }
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(mount);
  },
  LIMIT_MS,
);
