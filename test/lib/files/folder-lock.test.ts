/** The lock of a folder: one of many processes has it, what a dead one left is taken over once, others are respected. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { threadId } from 'node:worker_threads';
import { buildDataset, initCheckpoint, preprocessDataset, readCheckpoint, readManifest, simulateCohort } from 'brain3d';
import { lockFolder, withFolderLock } from '../../../dist/files/folder-lock';
import { ownIdentity } from '../../../dist/files/process-identity';
import type { Loose } from '../../support/child';
import { ROOT } from '../../support/child';
import { writeDatasetFolders } from '../../support/dataset';

let dir: string;
let count = 0;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-lock-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function fresh(lock?: object | string): string {
  const folder = join(dir, `folder-${count++}`);
  mkdirSync(folder);
  if (lock !== undefined)
    writeFileSync(join(folder, 'lock'), typeof lock === 'string' ? lock : JSON.stringify({ token: 'x', ...lock }));
  return folder;
}

/** The lock of a process that has ended: its number is free, or somebody else's by now. */
function deadOwner(): Loose {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return { ...ownIdentity(), pid, started: '1' };
}

/** A process that answers line by line. */
class Racer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  constructor() {
    this.#child = spawn(process.execPath, [join(ROOT, 'test/support/lock-child.mjs')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }
  async next(): Promise<string> {
    return (await this.#lines.next()).value;
  }
  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }
  end(): void {
    this.#child.stdin?.end();
  }
}

describe('of many processes', () => {
  const ROUNDS = 40;
  const racers: Racer[] = [];
  beforeAll(async () => {
    for (let index = 0; index < 8; index++) racers.push(new Racer());
    await Promise.all(racers.map((racer) => racer.next()));
  });
  afterAll(() => {
    for (const racer of racers) racer.end();
  });

  /** Answers of all, each of which wanted the folder at once. */
  async function race(folder: string): Promise<string[]> {
    for (const racer of racers) racer.say(folder);
    const answers = await Promise.all(racers.map((racer) => racer.next()));
    for (const racer of racers) racer.say('release');
    await Promise.all(racers.map((racer) => racer.next()));
    return answers.sort();
  }
  const ONE = [...Array(7).fill('BRAIN3D_USAGE'), 'won'];

  it.each<[what: string, lock: () => object | string | undefined]>([
    ['a free folder', () => undefined],
    ['one that a dead process left', deadOwner],
    ['one that a process was killed in', () => '{"ho'],
  ])('one gets %s', async (_what, lock) => {
    for (let round = 0; round < ROUNDS; round++) {
      const folder = fresh(lock());
      expect(await race(folder)).toEqual(ONE);
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('one gets what a process left that died while it took over', async () => {
    for (let round = 0; round < 10; round++) {
      const folder = fresh(deadOwner());
      writeFileSync(join(folder, 'lock.takeover'), JSON.stringify(deadOwner()));
      expect(await race(folder)).toEqual(ONE);
      expect(readdirSync(folder)).toEqual([]);
    }
  });
});

describe('a lock that is there', () => {
  const own = ownIdentity();

  it.each<[who: string, owner: Loose]>([
    ['of this process', own],
    ['of a process that runs', { host: hostname(), pid: process.ppid }],
    ['of another machine', { host: 'elsewhere', pid: 1 }],
    ['of another container', { ...own, space: 'pid:[1]' }],
  ])('%s is refused', async (who, owner) => {
    const folder = fresh(owner);
    const attempt = lockFolder(folder);
    await expect(attempt).rejects.toMatchObject({
      code: 'BRAIN3D_USAGE',
      file: 'lock',
      message: expect.stringContaining(`in use by process ${owner.pid}`),
    });
    if (who.includes('another'))
      await expect(attempt).rejects.toThrow(
        /cannot be seen from here; its last sign of life was at \d{4}-.*once you know/,
      );
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it.each<[who: string, owner: () => Loose]>([
    ['of a process that is no more', deadOwner],
    ['of an earlier process with this number', () => ({ ...own, started: '1' })],
    ['of the time before a restart', () => ({ ...own, boot: 'another', space: 'pid:[1]' })],
    ['of an earlier release', () => ({ host: hostname(), pid: deadOwner().pid })],
  ])('%s is taken over', async (_who, owner) => {
    const folder = fresh(owner());
    const lock = await lockFolder(folder);
    expect(JSON.parse(readFileSync(join(folder, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
    await lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a lock that is held', () => {
  it('is told of once it is gone, and is given back to nobody else', async () => {
    for (const spoil of [
      (folder: string) => rmSync(join(folder, 'lock')),
      (folder: string) => rmSync(folder, { recursive: true }),
      (folder: string) => writeFileSync(join(folder, 'lock'), JSON.stringify({ host: 'elsewhere', pid: 7 })),
    ]) {
      const folder = fresh();
      let lose: (error: unknown) => void = () => undefined;
      const lost = new Promise((resolve) => {
        lose = resolve;
      });
      const lock = await lockFolder(folder, { onLost: lose, heartbeatMs: 5 });
      await lock.require();
      spoil(folder);
      await expect(lock.require()).rejects.toMatchObject({ code: 'BRAIN3D_IO', file: 'lock' });
      expect(await lost).toMatchObject({ code: 'BRAIN3D_IO' });
      const left = existsSync(join(folder, 'lock'));
      await lock.release();
      expect(existsSync(join(folder, 'lock'))).toBe(left);
    }
  });

  it('is touched again and again', async () => {
    const folder = fresh();
    const lock = await lockFolder(folder, { heartbeatMs: 2 });
    for (let beat = 0; beat < 2; beat++) {
      utimesSync(join(folder, 'lock'), 1, 1);
      while (statSync(join(folder, 'lock')).mtimeMs === 1000) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await lock.release();
  });

  it('that this thread left, because the system let its release fail, is taken over; one of another thread is not', async () => {
    const left = fresh({ ...ownIdentity(), thread: threadId });
    await (await lockFolder(left)).release();
    expect(existsSync(join(left, 'lock'))).toBe(false);
    for (const thread of [threadId + 1, null])
      await expect(lockFolder(fresh({ ...ownIdentity(), thread }))).rejects.toMatchObject({ code: 'BRAIN3D_USAGE' });
  });

  it('is free again after the work, whatever came of it', async () => {
    const folder = fresh();
    await expect(withFolderLock(folder, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withFolderLock(folder, async () => 7)).toBe(7);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('two calls at once', () => {
  const settle = async (calls: Promise<unknown>[]) => {
    const results = await Promise.allSettled(calls);
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({ code: 'BRAIN3D_USAGE' });
  };
  const at = (name: string) => join(dir, name);
  const folders = () => ({ brats: at('brats'), reports: at('reports'), healthy: at('healthy') });

  it('write one manifest', async () => {
    await writeDatasetFolders(dir);
    const build = (seed: number) => buildDataset({ ...folders(), out: at('m.jsonl'), seed });
    await settle([build(1), build(2)]);
    expect((await readManifest(at('m.jsonl'))).entries).toHaveLength(8);
    expect(readdirSync(dir).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('fill one cache, make one checkpoint, simulate one cohort', async () => {
    const cache = () => preprocessDataset({ manifest: at('m.jsonl'), out: at('cache'), size: [8, 12, 12], workers: 1 });
    await settle([cache(), cache()]);
    const [vision, language] = ['vision', 'language'].map((kind) => join(ROOT, 'models/tiny', kind)) as [
      string,
      string,
    ];
    const init = (seed: number) => initCheckpoint({ vision, language, out: at('model'), seed });
    await settle([init(1), init(2)]);
    expect((await readCheckpoint(at('model'))).phase).toBe('initialised');
    const cohort = () => simulateCohort({ out: at('cohort'), subjects: 2, grid: 'small', workers: 1 });
    await settle([cohort(), cohort()]);
    for (const folder of ['cache', 'model', 'cohort']) expect(readdirSync(at(folder))).not.toContain('lock');
  });
});
