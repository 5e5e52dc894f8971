import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Brain3D, extractBrain, loadVolume, preprocess, Volume } from 'brain3d';
import { parseStripCommand } from '../../../lib/volume/strip-command';
import { brain3d, ROOT, SAMPLE, TINY_MODEL } from '../../support/cli';

const HEAD = join(ROOT, 'test', 'golden', 'strip', 'colin27_head_2mm.nii.gz');
const RAS = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-test-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** A command that runs `source` as a script; its arguments are in `input` and `output`. */
function tool(name: string, source: string): string {
  const path = join(dir, `${name}.mjs`);
  const head = `import { copyFileSync, writeFileSync } from 'node:fs';\nconst [input, output] = process.argv.slice(2);\n`;
  writeFileSync(path, head + source);
  return `"${process.execPath}" '${path}' {in} {out}`;
}

/** Does what a real tool does, with the answer at hand. */
const rightTool = () => tool('right', `copyFileSync(${JSON.stringify(SAMPLE)}, output);`);

/** Temporary folders of this process: test files beside this one have their own. */
const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`brain3d-${process.pid}-`));

function dice(a: Float32Array, b: Float32Array): number {
  let both = 0;
  let sum = 0;
  for (const [i, value] of a.entries()) {
    const one = value !== 0;
    const other = b[i] !== 0;
    if (one && other) both++;
    sum += Number(one) + Number(other);
  }
  return (2 * both) / sum;
}

/** A volume with something in every voxel. */
function noisy(volume: Volume): Volume {
  const voxels = volume.data().map((voxel, at) => voxel + 1 + ((at * 7919) % 13));
  return Volume.fromArray(voxels, volume.info.shape as [number, number, number], [...volume.info.affine]);
}

/** The head along other voxel axes: (i, j, k) reversed, or exchanged in a circle. */
async function stored(how: 'reversed' | 'rotated'): Promise<Volume> {
  const head = await loadVolume(HEAD);
  const [depth, height, width] = head.info.shape;
  const a = head.info.affine;
  const from = head.data();
  const to = new Float32Array(from.length);
  const at = (row: number, column: number): number => a[4 * row + column] as number;
  for (let d = 0; d < depth; d++)
    for (let h = 0; h < height; h++)
      for (let w = 0; w < width; w++) {
        const value = from[(d * height + h) * width + w] as number;
        if (how === 'reversed') to[((depth - 1 - d) * height + (height - 1 - h)) * width + (width - 1 - w)] = value;
        else to[(h * width + w) * depth + d] = value; // (i, j, k) are now the old (k, i, j)
      }
  if (how === 'reversed') {
    const last = [width - 1, height - 1, depth - 1];
    const affine = [0, 1, 2].flatMap((row) => [
      ...[0, 1, 2].map((column) => -at(row, column)),
      at(row, 3) + last.reduce((sum, voxels, column) => sum + voxels * at(row, column), 0),
    ]);
    return Volume.fromArray(to, [depth, height, width], [...affine, 0, 0, 0, 1]);
  }
  const affine = [0, 1, 2].flatMap((row) => [at(row, 2), at(row, 0), at(row, 1), at(row, 3)]);
  return Volume.fromArray(to, [height, width, depth], [...affine, 0, 0, 0, 1]);
}

test('a stripped volume keeps its brain, whatever its background, and says so', async () => {
  const volume = await loadVolume(SAMPLE);
  const auto = await preprocess(volume);
  const none = await preprocess(volume, { skullStrip: 'none' });
  // Only how dark the background is differs: 0 of the file, or a fifth of the brain's range below the brain.
  const [found, asItIs] = [auto.data(), none.data()];
  expect(found.every((value, index) => Math.abs(value - (asItIs[index] as number)) < 0.3)).toBe(true);
  expect(found.filter((value) => value === 0).length).toBeGreaterThan(0.5 * found.length);
  const { shape, affine } = volume.info;
  for (const background of [-1000, 40.5, 3e4]) {
    const other = volume.data().map((value) => (value === 0 ? background : value));
    const again = await preprocess(Volume.fromArray(other, shape as [number, number, number], affine as number[]));
    expect(Buffer.from(again.data().buffer).equals(Buffer.from(found.buffer))).toBe(true);
  }
  expect(auto.preprocessed?.skullStrip).toMatchObject({ method: 'already-stripped', warnings: [] });
  expect(auto.preprocessed?.skullStrip?.brainVolumeMl).toBeCloseTo(1826, -2);
  expect(auto.preprocessed?.skullStrip?.summary).toMatch(/^skull strip: already stripped \(the backg/);
  expect(auto.info.warnings).toEqual([]);
  expect(none.preprocessed?.skullStrip).toEqual({
    method: 'none',
    brainVolumeMl: null,
    summary: 'skull strip: none was asked for',
    warnings: [],
  });
});

test('a head that is not stripped carries a warning that its face may be recognised, wherever it goes', async () => {
  const face =
    /^the volume was not stripped and looks like a whole head \(\d+ % of its voxels are not 0, 4\.\d l\): .*face/;
  const head = await loadVolume(HEAD);
  const volumes = [
    await preprocess(head, { skullStrip: 'none' }),
    // Noise lies around it, so nothing but the share says so.
    await preprocess(noisy(await loadVolume(SAMPLE)), { skullStrip: 'none' }),
  ];
  expect(volumes[0]?.info.warnings).toEqual([expect.stringMatching(face)]);
  expect(volumes[0]?.preprocessed?.skullStrip.warnings).toEqual(volumes[0]?.info.warnings);
  expect(volumes[1]?.info.warnings).toEqual([expect.stringMatching(/\(8\d % of its voxels are not 0/)]);
  expect((await preprocess(head)).info.warnings.filter((text) => /face/.test(text))).toEqual([]);
  // Smaller than a head: whatever is in it is none.
  const small = Volume.fromArray(
    new Float32Array(8000).map((_, i) => 1 + (i % 7)),
    [20, 20, 20],
    RAS,
  );
  expect((await preprocess(small, { skullStrip: 'none' })).info.warnings).toEqual([]);

  const out = join(dir, 'reports');
  const short = ['--model', TINY_MODEL, '--max-new-tokens', '2', '--skull-strip', 'none'];
  const { status, stderr } = await brain3d(['report', HEAD, SAMPLE, ...short, '--out', out]);
  expect({ status, faces: stderr.match(/warning: .*whole head/g) }).toEqual({
    status: 0,
    faces: ['warning: colin27_head_2mm.nii.gz: the volume was not stripped and looks like a whole head'],
  });
  const document = JSON.parse(readFileSync(join(out, 'colin27_head_2mm.report.json'), 'utf8'));
  expect(document.warnings).toContainEqual(expect.stringMatching(face));
  const written = await brain3d(['preprocess', HEAD, '--out', join(dir, 'head.nii'), '--skull-strip', 'none']);
  expect(written.stderr).toMatch(/warning: the volume was not stripped and looks like a whole head/);
});

test('a head is stripped, and its preprocessed volume is that of the masked head', async () => {
  const head = await loadVolume(HEAD);
  const brain = await loadVolume(SAMPLE);
  const found = await extractBrain(head);
  expect(found.method).toBe('bet');
  expect(dice(found.mask.data(), brain.data())).toBeGreaterThanOrEqual(0.95);
  const stripped = await preprocess(head, { skullStrip: 'bet' });
  const mask = found.mask.data();
  const masked = Volume.fromArray(
    head.data().map((value, i) => (mask[i] === 0 ? 0 : value)),
    head.info.shape,
    head.info.affine,
  );
  const expected = (await preprocess(masked)).data();
  expect(stripped.data().every((value, index) => Math.abs(value - (expected[index] as number)) < 1e-3)).toBe(true);
  expect(stripped.info.warnings).toEqual([
    expect.stringMatching(/^skull strip: stripped with bet, brain volume 1\.\d\d l$/),
  ]);
});

test.each(['reversed', 'rotated'] as const)('the mask lies on the grid of a head that is %s', async (how) => {
  const head = await stored(how);
  const { mask } = await extractBrain(head);
  expect(mask.info.shape).toEqual(head.info.shape);
  expect(mask.info.affine).toEqual(head.info.affine);
  // The same patient: canonical, both masks are one.
  const plain = await extractBrain(await loadVolume(HEAD));
  const size: [number, number, number] = [90, 108, 108];
  const options = { size, skullStrip: 'none', upperPercentile: 100, lowerPercentile: 0 } as const;
  expect(dice((await preprocess(mask, options)).data(), (await preprocess(plain.mask, options)).data())).toBe(1);
});

test('a field of view that holds no head is left alone by auto, with a warning, and has no brain', async () => {
  const volume = Volume.fromArray(
    new Float32Array(6000).map((_, i) => i),
    [10, 20, 30],
    RAS,
  );
  const warning = 'skull strip: left as it is; a field of view of 30 x 20 x 10 mm holds no head';
  const out = await preprocess(volume, { size: [4, 4, 4] });
  expect(out.info.warnings).toEqual([warning]);
  expect(out.preprocessed?.skullStrip?.method).toBe('none');
  await expect(extractBrain(volume)).rejects.toMatchObject({
    code: 'BRAIN3D_VOLUME',
    message: `expected a head or a brain; ${warning}`,
  });
});

test('a volume without a brain is refused, whoever says where it is', async () => {
  const noise = Volume.fromArray(new Float32Array(64 ** 3).fill(5), [64, 64, 64], RAS);
  await expect(preprocess(noise)).rejects.toMatchObject({
    code: 'BRAIN3D_VOLUME',
    message: expect.stringContaining('nothing stands out from the background'),
  });
  const nothing = await loadVolume(HEAD);
  const none = Volume.fromArray(new Float32Array(90 * 108 * 90), [90, 108, 90], nothing.info.affine);
  const path = join(dir, 'none.nii.gz');
  await none.write(path, { datatype: 'uint8' });
  const empty = tool('empty', `copyFileSync(${JSON.stringify(path)}, output);`);
  await expect(extractBrain(nothing, { method: 'command', command: empty })).rejects.toMatchObject({
    code: 'BRAIN3D_VOLUME',
    message: expect.stringContaining('got 0 ml (command)'),
  });
});

describe('a command', () => {
  test('gives the mask, from a stripped image, and leaves nothing behind', async () => {
    const head = await loadVolume(HEAD);
    const found = await extractBrain(head, { method: 'command', command: rightTool() });
    expect(found).toMatchObject({ method: 'command', warnings: [expect.stringContaining('stripped with command')] });
    expect(dice(found.mask.data(), (await loadVolume(SAMPLE)).data())).toBe(1);
    expect(leftovers()).toEqual([]);
  });

  test('reads the volume where the placeholder says, with its own geometry', async () => {
    const copy = join(dir, 'seen.nii.gz');
    const command = tool('copy', `copyFileSync(input, ${JSON.stringify(copy)}); copyFileSync(input, output);`);
    const head = await loadVolume(HEAD);
    // The whole head as a brain: too large to be one.
    await expect(preprocess(head, { skullStrip: 'command', skullStripCommand: command })).rejects.toMatchObject({
      code: 'BRAIN3D_VOLUME',
      message: expect.stringContaining('expected a brain of 200 to 3000 ml'),
    });
    const seen = await loadVolume(copy);
    expect(seen.info.affine).toEqual(head.info.affine);
    expect(Buffer.from(seen.data().buffer).equals(Buffer.from(head.data().buffer))).toBe(true);
  });

  test.each([
    [
      'fails',
      `console.error('no GPU'); console.log('bye'); process.exit(3);`,
      'BRAIN3D_IO',
      /'node' ended with status 3; it said last: (no GPU \| bye|bye \| no GPU)/,
    ],
    ['is killed', `process.kill(process.pid, 'SIGKILL');`, 'BRAIN3D_IO', /was ended by SIGKILL/],
    ['writes nothing', `console.log('done');`, 'BRAIN3D_IO', /wrote none.*it said last: done/],
    ['writes no volume', `writeFileSync(output, 'brain');`, 'BRAIN3D_FORMAT', /brain\.nii\.gz/],
  ])('that %s is reported', async (name, source, code, message) => {
    const command = tool(name.replace(' ', '-'), source);
    await expect(extractBrain(await loadVolume(HEAD), { method: 'command', command })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(leftovers()).toEqual([]);
  });

  test('that writes in another space is refused', async () => {
    const head = await loadVolume(HEAD);
    const moved = [...head.info.affine];
    moved[3] = (moved[3] as number) + 2;
    const files = [
      ['moved', Volume.fromArray(head.data(), head.info.shape, moved), /2 mm away/],
      ['resampled', await preprocess(head, { skullStrip: 'none' }), /must write in the space of its input/],
    ] as const;
    for (const [name, volume, message] of files) {
      const path = join(dir, `${name}.nii.gz`);
      await volume.write(path);
      const command = tool(name, `copyFileSync(${JSON.stringify(path)}, output);`);
      await expect(extractBrain(head, { method: 'command', command })).rejects.toMatchObject({
        code: 'BRAIN3D_SHAPE',
        message: expect.stringMatching(message),
      });
    }
  });

  test('that is not there is named', async () => {
    const options = { method: 'command', command: 'no-such-tool-of-anyone -i {in} -o {out}' } as const;
    await expect(extractBrain(await loadVolume(HEAD), options)).rejects.toMatchObject({
      code: 'BRAIN3D_NOT_FOUND',
      message: expect.stringContaining("'no-such-tool-of-anyone' is not there"),
    });
  });

  test('ends with what it started when the call is aborted', async () => {
    const started = join(dir, 'pids');
    // The tool's own child, as the workers of a real one.
    const source = `
      import { spawn } from 'node:child_process';
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
      writeFileSync(${JSON.stringify(started)}, process.pid + ' ' + child.pid);
      setInterval(() => {}, 1000);`;
    const controller = new AbortController();
    const running = extractBrain(await loadVolume(HEAD), {
      method: 'command',
      command: tool('slow', source),
      signal: controller.signal,
    });
    while (!existsSync(started) || readFileSync(started, 'utf8') === '') await sleep(20);
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    for (const pid of readFileSync(started, 'utf8').split(' ').map(Number)) {
      for (let waited = 0; isRunning(pid) && waited < 300_000; waited += 20) await sleep(20);
      expect(isRunning(pid)).toBe(false);
    }
    expect(leftovers()).toEqual([]);
  });

  test('is split into words as written, without a shell', () => {
    expect(parseStripCommand(`my-tool --in={in}  "a b" 'c "d"' x'y z' $HOME;ls {out}`)).toEqual([
      'my-tool',
      '--in={in}',
      'a b',
      'c "d"',
      'xy z',
      '$HOME;ls',
      '{out}',
    ]);
    expect(() => parseStripCommand('tool {in}')).toThrow('expected a command with {in} and {out} among its arguments');
    expect(() => parseStripCommand('{in} {out}')).toThrow('{in} and {out} among its arguments');
    expect(() => parseStripCommand('tool "{in} {out}')).toThrow('expected closed quotes');
  });
});

test('wrong options are refused before anything runs', async () => {
  const head = await loadVolume(HEAD);
  const refused = (options: object): Promise<Volume> => preprocess(head, options as never);
  await expect(refused({ skullStrip: 'hd-bet' })).rejects.toThrow(
    "preprocess: expected auto or none or bet or command for skullStrip, got 'hd-bet'",
  );
  await expect(refused({ skullStrip: 'command' })).rejects.toThrow(
    "preprocess: expected skullStripCommand (--skull-strip-command) with skullStrip 'command'",
  );
  await expect(refused({ skullStripCommand: 'x {in} {out}' })).rejects.toThrow("needs skullStrip 'command'");
  await expect(refused({ skullStrip: 'command', skullStripCommand: 'x {in}' })).rejects.toBeInstanceOf(RangeError);
  await expect(extractBrain(head, { method: 'none' } as never)).rejects.toThrow('expected auto or bet or command');
});

test('reports, encodings and scores take the option, and a report says what was done', async () => {
  await using model = await Brain3D.load({ model: TINY_MODEL });
  const head = await loadVolume(HEAD);
  const report = await model.generate(head, { maxNewTokens: 4, greedy: true });
  expect(report.skullStrip?.method).toBe('bet');
  expect(report.warnings).toContainEqual(expect.stringContaining('stripped with bet'));
  const whole = await model.encode(head, { skullStrip: 'none' });
  const command = { skullStrip: 'command', skullStripCommand: rightTool() } as const;
  const stripped = await model.encode(head, command);
  expect(stripped.volume.data).not.toEqual(whole.volume.data);
  const sample = await model.encode(SAMPLE);
  expect(stripped.volume.data.length).toBe(sample.volume.data.length);
  const score = await model.score(head, 'There is no lesion.', command);
  expect(score.meanNll).toBeGreaterThan(0);
  await expect(model.score(head, 'There is no lesion.', { skullStrip: 'command' })).rejects.toThrow('model.score:');
});

describe('brain3d preprocess', () => {
  test('writes the mask on the grid of the file, and says what was done', async () => {
    const [out, mask] = [join(dir, 'out.nii.gz'), join(dir, 'mask.nii.gz')];
    const { status, stderr } = await brain3d(['preprocess', HEAD, '--out', out, '--mask-out', mask]);
    expect(stderr).toContain('brain3d: skull strip: stripped with bet, brain volume 1.');
    expect(status).toBe(0);
    const [head, written] = [await loadVolume(HEAD), await loadVolume(mask)];
    expect(written.info).toMatchObject({ shape: head.info.shape, affine: head.info.affine, datatype: 'uint8' });
    expect(new Set(written.data())).toEqual(new Set([0, 1]));
    expect(statSync(mask).mode & 0o777).toBe(0o600);
  });

  test('runs the command it is given', async () => {
    const args = ['--skull-strip', 'command', '--skull-strip-command', tool('fail', 'process.exit(7);')];
    const { status, stderr } = await brain3d(['preprocess', HEAD, '--out', join(dir, 'x.nii'), ...args]);
    expect(stderr).toContain("colin27_head_2mm.nii.gz: the skull-strip command 'node' ended with status 7");
    expect(status).toBe(1);
  });

  test.each([
    [['--skull-strip', 'none', '--mask-out', 'm.nii'], '--skull-strip none makes none'],
    [['--mask-out', HEAD], 'got the volume itself'],
    [['--mask-out', 'x.nii'], "got that of --out, 'x.nii'"],
    [['--skull-strip', 'command'], 'expected skullStripCommand (--skull-strip-command)'],
  ])('refuses %j', async (args, message) => {
    const { status, stderr } = await brain3d(['preprocess', HEAD, '--out', 'x.nii', ...args]);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ESRCH');
    return false;
  }
  // A process that ended but was not collected by its parent runs no more.
  return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}
