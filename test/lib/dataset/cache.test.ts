/** The cache: what makes a new entry, what does not, and that nothing damaged is taken for whole. */
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  Brain3D,
  buildDataset,
  loadVolume,
  type ManifestEntry,
  openCachedVolume,
  type PreprocessDatasetOptions,
  preprocess,
  preprocessDataset,
  readCacheIndex,
  readManifest,
  writeManifest,
} from 'brain3d';
import { cacheKey, inputDigest, type PreprocessingSettings } from '../../../lib/dataset/cache-entry';
import { digestStripTool } from '../../../lib/volume/strip-command';
import { MODEL, SAMPLE } from '../../support/child';
import { bratsId, REPORTS, writeBratsSubject, writeScan } from '../../support/dataset';

const COUNT = 4;
let dir: string;
let manifest: string;
const at = (path: string) => join(dir, path);
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-cache-'));
  manifest = at('m.jsonl');
  for (let index = 0; index < COUNT; index++) await writeBratsSubject(dir, index, REPORTS.left);
  await buildDataset({ brats: at('brats'), reports: at('reports'), out: manifest });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const run = (options: Partial<PreprocessDatasetOptions> = {}) =>
  preprocessDataset({ manifest, out: at('cache'), size: [8, 12, 12], ...options });
const image = (index: number) => at(`brats/${bratsId(index)}/${bratsId(index)}_flair.nii`);
const files = () => readdirSync(at('cache')).sort();

/** Its last voxel, one bit. */
function changed(bytes: Buffer): Buffer {
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 2) ^ 1, bytes.length - 2);
  return bytes;
}

async function changeManifest(change: (entries: ManifestEntry[]) => void): Promise<void> {
  const { entries, skipped } = await readManifest(manifest);
  change(entries);
  await writeManifest(manifest, { entries, skipped });
}

describe('preprocessDataset', () => {
  it('makes every volume, as preprocess makes it, rounded to float16', async () => {
    const { counts, volumes, skipped } = await run();
    expect({ counts, skipped }).toEqual({ counts: { made: COUNT, kept: 0, repaired: 0 }, skipped: [] });
    expect([...volumes.keys()]).toEqual([0, 1, 2, 3].map(bratsId));
    for (const [index, path] of [...volumes.values()].entries()) {
      const cached = await openCachedVolume(path, { verify: true });
      const made = await preprocess(await loadVolume(image(index)), { size: [8, 12, 12] });
      const voxels = made.data();
      const excess = cached.data().map((value, voxel) => Math.abs(value - (voxels[voxel] as number)));
      expect(Math.max(...excess)).toBeLessThanOrEqual(2 ** -12);
      expect(cached.info).toEqual(made.info);
      expect(cached.preprocessed).toEqual(made.preprocessed);
      expect(cached.preprocessed).toMatchObject({ size: [8, 12, 12], skullStrip: { method: 'none' } });
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });

  it('leaves an index that training reads', async () => {
    const { volumes } = await run();
    const index = await readCacheIndex(at('cache'));
    expect(index).toMatchObject({
      recipe: { size: [8, 12, 12], lowerPercentile: 1, upperPercentile: 99 },
      manifest: { name: 'm.jsonl' },
      skipped: [],
    });
    expect(index.volumes).toEqual(volumes);
    const sidecar = JSON.parse(
      readFileSync((volumes.get(bratsId(0)) as string).replace('.safetensors', '.json'), 'utf8'),
    );
    expect(sidecar).toMatchObject({
      format: 'brain3d-cache',
      recipe: { size: [8, 12, 12], lower_percentile: 1, upper_percentile: 99 },
      source: { orientation: null },
      original: { shape: [16, 16, 16], orientation: 'LPS' },
      volume: { shape: [8, 12, 12], orientation: 'RAS' },
    });
  });

  it('keeps what is there, whatever the number of workers, the place or the time of the files', async () => {
    await run();
    const before = files();
    expect((await run({ workers: 1 })).counts).toEqual({ made: 0, kept: COUNT, repaired: 0 });
    utimesSync(image(0), new Date(0), new Date(0));
    copyFileSync(image(1), at('elsewhere.nii'));
    await changeManifest((entries) => {
      (entries[1] as ManifestEntry).image = at('elsewhere.nii');
      (entries[2] as ManifestEntry).report = REPORTS.right;
    });
    expect((await run()).counts).toEqual({ made: 0, kept: COUNT, repaired: 0 });
    expect(files()).toEqual(before);
  });

  it('makes anew only what a changed image, orientation or recipe asks for', async () => {
    const first = await run();
    await writeScan(image(0), 99);
    const second = await run();
    expect(second.counts).toEqual({ made: 1, kept: COUNT - 1, repaired: 0 });
    expect(second.volumes.get(bratsId(0))).not.toBe(first.volumes.get(bratsId(0)));
    await changeManifest((entries) => {
      (entries[1] as ManifestEntry).orientation = 'RAS';
    });
    expect((await run()).counts).toEqual({ made: 1, kept: COUNT - 1, repaired: 0 });
    expect((await run({ upperPercentile: 98 })).counts.made).toBe(COUNT);
    expect((await run({ size: [8, 12, 16] })).counts.made).toBe(COUNT);
    // The entries of the first recipe are still there.
    expect((await run()).counts).toEqual({ made: 0, kept: COUNT, repaired: 0 });
  });

  it('mirrors a volume whose orientation the manifest corrects', async () => {
    const before = await openCachedVolume((await run()).volumes.get(bratsId(0)) as string);
    await changeManifest((entries) => {
      (entries[0] as ManifestEntry).orientation = 'RPS';
    });
    const after = await openCachedVolume((await run()).volumes.get(bratsId(0)) as string);
    expect(after.info.warnings).toContainEqual(expect.stringMatching(/^overriddenOrientation: .* says LPS; .* RPS/));
    const [plain, mirrored] = [before.data(), after.data()];
    const row = (data: Float32Array, index: number) => Array.from(data.subarray(index * 12, (index + 1) * 12));
    for (let index = 0; index < 8 * 12; index++) expect(row(mirrored, index)).toEqual(row(plain, index).reverse());
  });

  it('removes what no scan needs, and nothing else, with prune', async () => {
    await run({ upperPercentile: 98 });
    writeFileSync(at('cache/notes.txt'), 'mine');
    const sidecar = files().find((name) => name.endsWith('.json')) as string;
    writeFileSync(at(`cache/${sidecar}.6f2c1f0e-3c55-4f0a-9d52-0d5a3f1f9a11.partial`), '{');
    const { pruned } = await run({ prune: true });
    expect(pruned).toBe(2 * COUNT + 1);
    expect(files()).toHaveLength(2 * COUNT + 2);
    expect(files()).toContain('notes.txt');
  });

  it('goes on where an aborted run stopped', async () => {
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }) => {
      if (done === 2) controller.abort(new Error('enough'));
    };
    await expect(run({ workers: 1, signal: controller.signal, onProgress })).rejects.toThrow('enough');
    await expect(readCacheIndex(at('cache'))).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
    const { counts } = await run();
    expect(counts.kept).toBeGreaterThanOrEqual(2);
    expect(counts).toEqual({ made: COUNT - counts.kept, kept: counts.kept, repaired: 0 });
  });

  it.each<[title: string, spoil: (volume: string, sidecar: string) => void]>([
    ['voxels that changed', (volume) => writeFileSync(volume, changed(readFileSync(volume)))],
    ['voxels that were cut off', (volume) => writeFileSync(volume, readFileSync(volume).subarray(0, -2))],
    ['no voxels', (volume) => rmSync(volume)],
    ['a sidecar that was cut off', (_, sidecar) => writeFileSync(sidecar, readFileSync(sidecar).subarray(0, 100))],
  ])('makes an entry anew that has %s', async (_title, spoil) => {
    const path = (await run()).volumes.get(bratsId(1)) as string;
    const whole = readFileSync(path);
    spoil(path, path.replace('.safetensors', '.json'));
    await expect(openCachedVolume(path, { verify: true })).rejects.toMatchObject({
      code: expect.stringMatching(/BRAIN3D_(FORMAT|NOT_FOUND)/),
    });
    expect((await run()).counts).toEqual({ made: 0, kept: COUNT - 1, repaired: 1 });
    expect(readFileSync(path).equals(whole)).toBe(true);
  });

  it('names the scan that fails, and stops or skips it', async () => {
    writeFileSync(image(2), readFileSync(image(2)).subarray(0, 500));
    const message = expect.stringMatching(/^BraTS20_Training_003 cannot be preprocessed: .*_003_flair\.nii/);
    await expect(run()).rejects.toMatchObject({ code: 'BRAIN3D_FORMAT', message });
    const problems: string[] = [];
    const { skipped, volumes, counts } = await run({ onError: 'skip', onProblem: ({ id }) => void problems.push(id) });
    expect(skipped).toEqual([{ id: bratsId(2), reason: expect.stringContaining('_003_flair.nii') }]);
    expect(problems).toEqual([bratsId(2)]);
    expect([...volumes.keys()]).toEqual([0, 1, 3].map(bratsId));
    expect(counts.made + counts.kept).toBe(COUNT - 1);
    expect((await readCacheIndex(at('cache'))).skipped).toEqual(skipped);
  });

  it('takes a fault of the cache for no fault of a scan', async () => {
    writeFileSync(at('file'), '');
    await expect(run({ out: at('file'), onError: 'skip' })).rejects.toThrow(/EEXIST|ENOTDIR/);
  });

  it('refuses wrong options by name', async () => {
    await expect(run({ worker: 1 } as never)).rejects.toThrow("did you mean 'workers'?");
    await expect(run({ workers: 0 })).rejects.toBeInstanceOf(RangeError);
    await expect(run({ lowerPercentile: 99 })).rejects.toThrow('expected lowerPercentile below upperPercentile');
  });
});

test('keys depend on the image, its orientation and the recipe', () => {
  const recipe: PreprocessingSettings = {
    size: [64, 128, 128],
    lowerPercentile: 1,
    upperPercentile: 99,
    skullStrip: 'auto',
    skullStripCommand: null,
  };
  const source = { sha256: 'a'.repeat(64), orientation: null };
  const keys = [
    cacheKey(source, recipe),
    cacheKey({ ...source, sha256: 'b'.repeat(64) }, recipe),
    cacheKey({ ...source, orientation: 'LPS' }, recipe),
    cacheKey(source, { ...recipe, size: [64, 126, 126] }),
    cacheKey(source, { ...recipe, lowerPercentile: 0 }),
    cacheKey(source, { ...recipe, skullStrip: 'bet' }),
    cacheKey(source, { ...recipe, skullStrip: 'command', skullStripCommand: 'strip {in} {out}' }),
  ];
  expect(new Set(keys).size).toBe(7);
  const reordered = Object.fromEntries(Object.entries(recipe).reverse()) as unknown as PreprocessingSettings;
  expect(cacheKey({ orientation: null, sha256: source.sha256 }, reordered)).toBe(keys[0]);
});

test('keys depend on what computes a volume, inputs on what changes more than roundings', () => {
  const recipe: PreprocessingSettings = {
    size: [64, 128, 128],
    lowerPercentile: 1,
    upperPercentile: 99,
    skullStrip: 'command',
    skullStripCommand: 'strip {in} {out}',
  };
  const source = { sha256: 'a'.repeat(64), orientation: null };
  const maker = { brain3d: '1.0.0', torch: '2.13.0', preprocessing: 1, stripTool: 'b'.repeat(64) };
  const others = [{ brain3d: '1.0.1' }, { torch: '2.13.1' }, { preprocessing: 2 }, { stripTool: 'c'.repeat(64) }];
  const makers = [maker, ...others.map((change) => ({ ...maker, ...change }))];
  expect(new Set(makers.map((one) => cacheKey(source, recipe, one))).size).toBe(5);
  expect(new Set(makers.map((one) => inputDigest(source, recipe, one))).size).toBe(3);
});

test('a skull-strip tool is known by its program and by the files among its arguments', async () => {
  const [tool, script, other] = [at('tool.sh'), at('strip.py'), at('other.py')];
  for (const [index, file] of [tool, script, other].entries()) writeFileSync(file, `version ${index}`);
  const direct = await digestStripTool(`${tool} {in} {out}`);
  const scripted = await digestStripTool(`node ${script} {in} {out}`);
  const digests = [direct, scripted, await digestStripTool(`node ${other} {in} {out}`)];
  expect(new Set(digests).size).toBe(3);
  expect(await digestStripTool(`${tool} -v {in} {out}`)).toBe(direct);
  writeFileSync(tool, 'another version');
  writeFileSync(script, 'another version');
  expect(await digestStripTool(`${tool} {in} {out}`)).not.toBe(direct);
  expect(await digestStripTool(`node ${script} {in} {out}`)).not.toBe(scripted);
  expect(await digestStripTool('no-such-program {in} {out}')).toMatch(/^[0-9a-f]{64}$/);
});

test('a model takes a cached volume', async () => {
  copyFileSync(SAMPLE, at(`brats/${bratsId(0)}/${bratsId(0)}_flair.nii.gz`));
  rmSync(image(0));
  await changeManifest((entries) => {
    (entries[0] as ManifestEntry).image = at(`brats/${bratsId(0)}/${bratsId(0)}_flair.nii.gz`);
    entries.length = 1;
  });
  const { volumes } = await preprocessDataset({ manifest, out: at('cache') });
  const cached = await openCachedVolume(volumes.get(bratsId(0)) as string);
  const model = await Brain3D.load({ model: MODEL });
  try {
    const { volume, visualTokens } = await model.encode(cached);
    expect(volume.shape).toEqual([64, 128, 128]);
    const plain = await model.encode(await loadVolume(SAMPLE));
    const difference = visualTokens.data.map((value, index) =>
      Math.abs(value - (plain.visualTokens.data[index] as number)),
    );
    expect(Math.max(...difference)).toBeLessThan(0.01 * Math.max(...plain.visualTokens.data.map(Math.abs)));
  } finally {
    await model.dispose();
  }
});

test('what is no cache is refused by name', async () => {
  await expect(openCachedVolume(at('none.safetensors'))).rejects.toMatchObject({
    code: 'BRAIN3D_NOT_FOUND',
    file: 'none.json',
  });
  await expect(readCacheIndex(dir)).rejects.toMatchObject({
    code: 'BRAIN3D_NOT_FOUND',
    message: expect.stringContaining(basename(dir)),
  });
  writeFileSync(at('index.json'), '{"format": "brain3d-cache-index"}');
  await expect(readCacheIndex(dir)).rejects.toMatchObject({ code: 'BRAIN3D_FORMAT', field: 'format_version' });
});
