/** Memory that the system refuses: a typed error, and the process goes on. The parsers' own allocations: test/fuzz. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsed, runScript } from '../support/child';

const limited = spawnSync('prlimit', ['--version']).status === 0 ? test : test.skip;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A sound volume of 640 x 640 x 640 bytes, all zero and none of them on the disk: 1 GiB as numbers. */
function largeVolume(): string {
  const header = Buffer.alloc(352);
  header.writeInt32LE(348, 0);
  for (const [index, value] of [3, 640, 640, 640, 1, 1, 1, 1].entries()) header.writeInt16LE(value, 40 + 2 * index);
  header.writeInt16LE(2, 70);
  header.writeInt16LE(8, 72);
  for (let index = 0; index < 8; index++) header.writeFloatLE(1, 76 + 4 * index);
  header.writeFloatLE(352, 108);
  header.writeFloatLE(1, 112);
  header[123] = 2;
  header.writeInt16LE(1, 254);
  for (const at of [280, 300, 320]) header.writeFloatLE(1, at); // the sform's diagonal
  header.write('n+1\0', 344, 'latin1');
  const path = join(dir, 'large.nii');
  writeFileSync(path, header);
  truncateSync(path, 352 + 640 ** 3);
  return path;
}

limited('a volume for which there is no memory (skipped: prlimit is missing)', async () => {
  const ending = await runScript(`
    import { execFileSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    const options = { size: [32, 32, 32], skullStrip: 'none' };
    const digest = async () => (await preprocess(await loadVolume(SAMPLE), options)).data().reduce((sum, x) => sum + x, 0);
    const before = await digest();
    const inUse = Number(/^VmSize:\\s+(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    // Room for what V8 and the threads map meanwhile, but not for the voxels.
    execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (inUse + 384 * 2 ** 20)]);
    const errors = [];
    for (let i = 0; i < 5; i++)
      await loadVolume(${JSON.stringify(largeVolume())}).catch(({ name, code, message }) => errors.push({ name, code, message }));
    console.log(JSON.stringify({ errors, same: (await digest()) === before }));
  `);
  const { errors, same } = parsed(ending);
  const expected = {
    name: 'Brain3DError',
    code: 'BRAIN3D_OUT_OF_MEMORY',
    message: 'the process could not allocate memory; free memory or use a smaller input',
  };
  expect(errors).toEqual(Array(5).fill(expected));
  expect(same).toBe(true);
});

limited(
  'an array for which there is no memory, in a call that waits for nothing (skipped: prlimit is missing)',
  async () => {
    const ending = await runScript(`
    import { execFileSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    await brain3d.inspectVolume(SAMPLE);
    const voxels = new Float32Array(640 ** 3);
    const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
    const inUse = Number(/^VmSize:\\s+(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
    execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (inUse + 384 * 2 ** 20)]);
    let code = null;
    try {
      Volume.fromArray(voxels, [640, 640, 640], affine);
    } catch (error) {
      code = error.code;
    }
    const small = Volume.fromArray(voxels.subarray(0, 8), [2, 2, 2], affine);
    console.log(JSON.stringify({ code, shape: small.info.shape }));
  `);
    expect(parsed(ending)).toEqual({ code: 'BRAIN3D_OUT_OF_MEMORY', shape: [2, 2, 2] });
  },
);
