/** Memory and threads that the system refuses: a typed error, and the process goes on. The parsers' own allocations: test/fuzz. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsed, ROOT, runScript } from '../support/child';

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

/** While the file of NO_THREADS exists, no thread can be started. */
const NO_THREADS = `
  #define _GNU_SOURCE
  #include <dlfcn.h>
  #include <errno.h>
  #include <pthread.h>
  #include <stdlib.h>
  #include <unistd.h>
  int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* argument) {
    int (*real)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*) = dlsym(RTLD_NEXT, "pthread_create");
    const char* file = getenv("NO_THREADS");
    return file != NULL && access(file, F_OK) == 0 ? EAGAIN : real(thread, attributes, start, argument);
  }
`;

test('threads that cannot be started: the addon says so, and loads when they can', () => {
  const [source, shim, flag] = ['shim.c', 'shim.so', 'flag'].map((name) => join(dir, name)) as [string, string, string];
  writeFileSync(source, NO_THREADS);
  execFileSync('cc', ['-shared', '-fPIC', source, '-o', shim, '-ldl']);
  const script = `
    const { rmSync, writeFileSync } = require('node:fs');
    const { loadAddon } = require(${JSON.stringify(join(ROOT, 'dist/native/binding.js'))});
    writeFileSync(process.env.NO_THREADS, '');
    const errors = [];
    for (let i = 0; i < 3; i++) try { loadAddon(); } catch ({ code, message }) { errors.push({ code, message }); }
    rmSync(process.env.NO_THREADS);
    console.log(JSON.stringify({ errors, version: loadAddon().buildInfo().version }));
  `;
  const env = { ...process.env, LD_PRELOAD: shim, NO_THREADS: flag };
  const { status, signal, stdout } = spawnSync(process.execPath, ['--eval', script], { env, encoding: 'utf8' });
  expect({ status, signal }).toEqual({ status: 0, signal: null });
  const { errors, version } = JSON.parse(stdout);
  const message = expect.stringContaining('the system starts no thread for it');
  expect(errors).toEqual(Array(3).fill({ code: 'BRAIN3D_ADDON', message }));
  expect(version).toMatch(/^\d/);
});
