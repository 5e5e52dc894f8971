import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DISCLAIMER } from 'brain3d';
import { brain3d, ROOT, SAMPLE, TINY_MODEL } from '../../support/cli';

const COMMANDS = ['report', 'encode', 'score', 'preprocess', 'init', 'import', 'inspect', 'doctor'];
/** Commands that get this fail as soon as they load the addon. */
const WITHOUT_LIBTORCH = { LIBTORCH: '/nonexistent' };
const SHORT = ['--max-new-tokens', '8'];

let directory: string;
const path = (name: string) => join(directory, name);
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'test-cli-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('help', () => {
  it('names every command and the disclaimer', async () => {
    const { status, stdout } = await brain3d(['--help'], { env: WITHOUT_LIBTORCH });
    expect(status).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(stdout).toContain(DISCLAIMER);
  });

  it.each(COMMANDS)('of %s has an example', async (command) => {
    const { status, stdout } = await brain3d([command, '--help'], { env: WITHOUT_LIBTORCH });
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:\\n  .*brain3d ${command}`));
  });

  it('is not needed for the version', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(await brain3d(['--version'], { env: WITHOUT_LIBTORCH })).toMatchObject({
      status: 0,
      stdout: `${version}\n`,
    });
  });
});

describe('wrong usage ends with status 2, before any native code is loaded:', () => {
  it.each([
    [[], /Usage: brain3d/],
    [['reprot'], /unknown command 'reprot'\n\(Did you mean report\?\)/],
    [['report'], /missing required argument 'volume'/],
    [['report', 'x.nii', '--temprature', '1'], /unknown option '--temprature'\n\(Did you mean --temperature\?\)/],
    [['report', 'x.nii', '--seed', '12abc'], /'--seed <n>' argument '12abc' is invalid. Expected an integer/],
    [['report', 'x.nii', '--top-k', '1.5'], /Expected an integer/],
    [['report', 'x.nii', '--temperature', ''], /Expected a number/],
    [['report', 'x.nii', '--temperature', '-1'], /expected a number > 0 for temperature, got -1/],
    [['report', 'x.nii', '--top-p', '1.5'], /expected a number from 0 to 1 for topP, got 1.5/],
    [['report', 'x.nii', '--min-new-tokens', '9', ...SHORT], /expected minNewTokens <= maxNewTokens \(8\), got 9/],
    [['report', 'x.nii', '--device', 'tpu'], /Expected auto, cpu, cuda or cuda:N/],
    [['report', 'x.nii', '--dtype', 'float16'], /Allowed choices are auto, float32, bfloat16/],
    [['report', 'x.nii', '--orientation', 'RAX'], /Expected axis codes such as RAS or LPS/],
    [['report', 'x.nii', '--json', '--stream'], /'--stream' cannot be used with option '--json'/],
    [['encode', 'x.nii', '--out', 'x.safetensors'], /required option '--model <dir>' not specified/],
    [['encode', 'x.nii', '--model', 'm', '--out', 'x.npz'], /Expected a name that ends in .safetensors/],
    [['preprocess', 'x.nii', '--out', 'x.mgz'], /expected a name that ends in .nii or .nii.gz for --out, got .x.mgz./],
    [['preprocess', 'x.nii', '--out', './x.nii'], /expected another file for --out, got the volume itself, 'x.nii'/],
    [['init', '--vision', 'v', '--language', 'l', '--out', 'o', '--recipe', 'papier'], /Allowed choices are paper/],
  ])('%j', async (args, message) => {
    const { status, stdout, stderr } = await brain3d(args, { env: WITHOUT_LIBTORCH });
    expect(stderr).toMatch(message);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });

  it('an empty report to score', async () => {
    const args = ['score', SAMPLE, '--model', TINY_MODEL, '--report', '-'];
    expect(await brain3d(args, { stdin: ' \n', env: WITHOUT_LIBTORCH })).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/expected a report of at least one word/),
    });
  });
});

describe('a failure ends with status 1 and one line that has the code:', () => {
  it('of several volumes it names the one at fault', async () => {
    const { status, stdout, stderr } = await brain3d(['report', SAMPLE, path('absent.nii'), '--model', TINY_MODEL]);
    expect(stderr).toMatch(/^brain3d: .*absent\.nii.* \[BRAIN3D_NOT_FOUND\]\n$/);
    expect(stderr).not.toContain(directory);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  });

  it('also where only preprocessing shows it', async () => {
    const constant = path('constant.nii');
    writeConstantVolume(constant);
    const { status, stderr } = await brain3d(['report', SAMPLE, constant, '--allow-geometry', '--model', TINY_MODEL]);
    expect(stderr).toMatch(/^brain3d: .*constant\.nii.* \[BRAIN3D_VOLUME\]\n$/m);
    expect(status).toBe(1);
  });

  it('a model that is none', async () => {
    const { status, stderr } = await brain3d(['report', SAMPLE, '--model', directory]);
    expect(stderr).toMatch(/^brain3d: expected brain3d\.json in .* \[BRAIN3D_NOT_FOUND\]\n$/m);
    expect(status).toBe(1);
  });

  it('with the stack only when asked', async () => {
    const args = ['inspect', path('absent')];
    expect((await brain3d(args)).stderr).not.toMatch(/^ +at /m);
    expect((await brain3d(args, { env: { BRAIN3D_DEBUG: '1' } })).stderr).toMatch(/^ +at /m);
  });
});

/** 2 x 2 x 2 zeros as NIfTI-1, float32. */
function writeConstantVolume(file: string): void {
  const bytes = Buffer.alloc(352 + 8 * 4);
  bytes.writeInt32LE(348, 0);
  [3, 2, 2, 2, 1, 1, 1, 1].forEach((side, index) => {
    bytes.writeInt16LE(side, 40 + 2 * index);
    bytes.writeFloatLE(1, 76 + 4 * index);
  });
  bytes.writeInt16LE(16, 70);
  bytes.writeInt16LE(32, 72);
  bytes.writeFloatLE(352, 108);
  bytes.writeInt16LE(1, 254);
  for (const row of [0, 1, 2]) bytes.writeFloatLE(1, 280 + 16 * row + 4 * row);
  bytes.write('n+1\0', 344, 'latin1');
  writeFileSync(file, bytes);
}
