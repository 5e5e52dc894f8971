/** Building and checking datasets from small folders; every defect by its message. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  buildDataset,
  checkDataset,
  type DatasetProblem,
  type ManifestEntry,
  readManifest,
  writeManifest,
} from 'brain3d';
import { HEALTHY_REPORTS } from '../../../lib/dataset/healthy-reports';
import {
  bratsId,
  REPORTS,
  writeBratsSubject,
  writeDatasetFolders,
  writeReport,
  writeScan,
} from '../../support/dataset';

let dir: string;
const at = (path: string) => join(dir, path);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-dataset-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const brats = () => ({ brats: at('brats'), reports: at('reports'), out: at('m.jsonl') });
const healthy = () => ({ healthy: at('healthy'), out: at('m.jsonl') });
const ids = (items: { id: string }[]) => items.map(({ id }) => id);

describe('buildDataset', () => {
  it('finds patients and controls with their reports, sides and splits', async () => {
    await writeDatasetFolders(dir);
    writeFileSync(at('brats/name_mapping.csv'), 'not a subject');
    mkdirSync(at('brats/__MACOSX'));
    const built = await buildDataset({ ...brats(), ...healthy() });
    const { entries, skipped } = await readManifest(at('m.jsonl'));
    expect(built).toMatchObject({ entries, skipped: [], seed: 42 });
    expect(skipped).toEqual([]);
    expect(ids(entries)).toEqual([
      bratsId(0),
      bratsId(1),
      bratsId(2),
      bratsId(3),
      'sub-01_FLAIR',
      'sub-02_ses-01_FLAIR',
      'sub-02_ses-02_FLAIR',
      'sub-03_acq-lowres_FLAIR',
    ]);
    expect(entries[0]).toEqual({
      id: bratsId(0),
      subject: bratsId(0),
      source: 'brats',
      class: 'glioma',
      image: at(`brats/${bratsId(0)}/${bratsId(0)}_flair.nii.gz`),
      segmentation: at(`brats/${bratsId(0)}/${bratsId(0)}_seg.nii.gz`),
      report: REPORTS.left,
      laterality: 'left',
      modality: 'FLAIR',
      split: 'train',
    });
    expect(entries.map(({ laterality }) => laterality)).toEqual([
      'left',
      'right',
      'bilateral',
      'right',
      ...Array(4).fill('none'),
    ]);
    const [, , , , , first, second] = entries as [ManifestEntry, ...ManifestEntry[]];
    expect(first).toMatchObject({ subject: 'sub-02', session: 'ses-01', class: 'healthy', source: 'bids' });
    expect(second).toMatchObject({ subject: 'sub-02', session: 'ses-02', report: first?.report, split: first?.split });
    expect(HEALTHY_REPORTS).toContain(first?.report);
    expect(built.composition).toMatchObject({ scans: 8, subjects: 7 });
  });

  it('makes the same manifest again, and never over the old one', async () => {
    await writeDatasetFolders(dir);
    await buildDataset({ ...brats(), ...healthy() });
    await buildDataset({ ...brats(), ...healthy(), out: at('again.jsonl') });
    expect(readFileSync(at('again.jsonl'), 'utf8')).toBe(readFileSync(at('m.jsonl'), 'utf8'));
    await expect(buildDataset({ ...brats(), ...healthy() })).rejects.toMatchObject({
      code: 'BRAIN3D_USAGE',
      message: expect.stringContaining("'m.jsonl' exists, and its split must not be made anew"),
    });
  });

  it("takes the authors' rule for sides where that is asked for", async () => {
    await writeBratsSubject(dir, 0, REPORTS.right);
    const { entries } = await buildDataset({ ...brats(), laterality: 'peer' });
    expect(entries[0]?.laterality).toBe('bilateral');
  });

  it('takes T2-weighted controls where they are asked for, and says so in their reports', async () => {
    await writeDatasetFolders(dir);
    const { entries, skipped } = await buildDataset({ ...healthy(), healthyModality: 'T2w', onError: 'skip' });
    expect(entries).toMatchObject([
      { id: 'sub-03_T2w', modality: 'T2w', report: expect.stringContaining('T2-weighted') },
    ]);
    expect(ids(skipped)).toEqual(['sub-01', 'sub-02']);
  });

  it('follows links to folders, and takes class and side from no path', async () => {
    await writeBratsSubject(dir, 0, REPORTS.left);
    mkdirSync(at('healthy-right'));
    renameSync(at('brats'), at('healthy-right/elsewhere'));
    symlinkSync(at('healthy-right/elsewhere'), at('brats'));
    const { entries } = await buildDataset(brats());
    expect(entries).toMatchObject([{ class: 'glioma', laterality: 'left' }]);
  });

  const image = (index: number, ending = '.nii') => at(`brats/${bratsId(index)}/${bratsId(index)}_flair${ending}`);
  const silent = (path: string) => {
    const bytes = readFileSync(path);
    bytes.writeInt16LE(0, 252);
    bytes.writeInt16LE(0, 254);
    writeFileSync(path, bytes);
  };

  it.each<[title: string, code: string, message: string, spoil: () => unknown]>([
    [
      'no image',
      'NOT_FOUND',
      'expected BraTS20_Training_002_flair.nii or .nii.gz, got neither',
      () => rmSync(image(1)),
    ],
    [
      'two images',
      'NOT_FOUND',
      'expected one image, got BraTS20_Training_002_flair.nii and BraTS20_Training_002_flair.nii.gz; keep one',
      () => copyFileSync(image(1), image(1, '.nii.gz')),
    ],
    [
      'no report',
      'NOT_FOUND',
      'expected the report BraTS20_Training_002_flair_text.txt',
      () => rmSync(at(`reports/${bratsId(1)}`), { recursive: true }),
    ],
    [
      'no folder of images',
      'NOT_FOUND',
      'there is a report but no folder of images',
      () => rmSync(at(`brats/${bratsId(1)}`), { recursive: true }),
    ],
    [
      'an empty report',
      'FORMAT',
      'expected a report of at least 20 characters',
      () => writeReport(dir, bratsId(1), ' \n'),
    ],
    [
      'a short report',
      'FORMAT',
      'characters in BraTS20_Training_002_flair_text.txt, got 7',
      () => writeReport(dir, bratsId(1), 'normal'),
    ],
    [
      'bytes for a report',
      'FORMAT',
      'expected UTF-8 text',
      () => writeReport(dir, bratsId(1), Buffer.from([0xc3, 0x28, 0x20])),
    ],
    [
      'a cut-off image',
      'FORMAT',
      'BraTS20_Training_002_flair.nii',
      () => writeFileSync(image(1), readFileSync(image(1)).subarray(0, 100)),
    ],
    ['no orientation', 'ORIENTATION', 'left and right would be a guess', () => silent(image(1))],
  ])('names the subject with %s, and stops or skips it', async (_title, code, message, spoil) => {
    await writeBratsSubject(dir, 0, REPORTS.left);
    await writeBratsSubject(dir, 1, REPORTS.right);
    spoil();
    const problems: DatasetProblem[] = [];
    const onProblem = (problem: DatasetProblem) => void problems.push(problem);
    await expect(buildDataset({ ...brats(), onProblem })).rejects.toMatchObject({
      code: `BRAIN3D_${code}`,
      message: expect.stringContaining(`${bratsId(1)} cannot be used: `),
    });
    await expect(readManifest(at('m.jsonl'))).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
    expect(problems).toMatchObject([{ id: bratsId(1), message: expect.stringContaining(message) }]);
    await buildDataset({ ...brats(), onError: 'skip' });
    const { entries, skipped } = await readManifest(at('m.jsonl'));
    expect(ids(entries)).toEqual([bratsId(0)]);
    expect(skipped).toEqual([
      {
        id: bratsId(1),
        subject: bratsId(1),
        source: 'brats',
        class: 'glioma',
        skipped: { reason: problems[0]?.message },
      },
    ]);
  });

  it('looks at all subjects before it stops', async () => {
    for (const index of [0, 1, 2]) await writeBratsSubject(dir, index, REPORTS.left);
    rmSync(image(0));
    rmSync(image(2));
    const problems: DatasetProblem[] = [];
    await expect(buildDataset({ ...brats(), onProblem: (problem) => void problems.push(problem) })).rejects.toThrow(
      /^BraTS20_Training_001 cannot be used: .*; so are 1 more \(1 can be\); .*--on-error skip/,
    );
    expect(ids(problems)).toEqual([bratsId(0), bratsId(2)]);
  });

  it('refuses names that are of another subject, or that two sources share', async () => {
    await writeScan(at('healthy/sub-01/anat/sub-02_FLAIR.nii'), 1);
    await writeScan(at('healthy/sub-02/anat/sub-02_FLAIR.nii'), 2);
    await expect(buildDataset(healthy())).rejects.toThrow(/expected a name that begins with sub-01_, got sub-02_FLAIR/);
    await writeScan(at('brats/sub-02/sub-02_flair.nii'), 3);
    writeReport(dir, 'sub-02', REPORTS.left);
    await expect(buildDataset({ ...brats(), ...healthy() })).rejects.toThrow(/sub-02/);
    const { skipped } = await buildDataset({ ...brats(), ...healthy(), onError: 'skip' });
    expect(skipped.map(({ skipped: { reason } }) => reason)).toContain(
      'the subject is in brats and in bids; rename one',
    );
  });

  it('refuses a call that says too little, and folders that are others', async () => {
    await expect(buildDataset({ out: at('m.jsonl') })).rejects.toThrow('expected brats with reports, or healthy');
    await expect(buildDataset({ out: at('m.jsonl'), brats: dir })).rejects.toThrow(
      'expected brats and reports together',
    );
    await expect(buildDataset({ ...healthy(), helthy: '' } as never)).rejects.toThrow("did you mean 'healthy'?");
    await expect(buildDataset(healthy())).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND' });
    mkdirSync(at('healthy'));
    await expect(buildDataset(healthy())).rejects.toThrow("expected folders such as sub-01 in 'healthy', got none");
  });

  it('stops when it is told to', async () => {
    await writeDatasetFolders(dir);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(buildDataset({ ...healthy(), onError: 'skip', signal })).rejects.toThrow('enough');
  });
});

describe('checkDataset', () => {
  /** The manifest of the folders, changed. */
  async function spoiled(change: (entries: ManifestEntry[]) => void): Promise<string> {
    await writeDatasetFolders(dir);
    const { entries, skipped } = await buildDataset({ ...brats(), ...healthy() });
    change(entries);
    await writeManifest(at('spoiled.jsonl'), { entries, skipped });
    return at('spoiled.jsonl');
  }
  const find = (entries: ManifestEntry[], id: string) => entries.find((entry) => entry.id === id) as ManifestEntry;
  const errorsOf = async (manifest: string) =>
    (await checkDataset(manifest)).findings
      .filter(({ level }) => level === 'error')
      .map(({ id, message }) => `${id}: ${message}`);
  const warningsOf = async (manifest: string) =>
    (await checkDataset(manifest)).findings
      .filter(({ level }) => level === 'warning')
      .map(({ id, message }) => `${id}: ${message}`);

  it('finds no error in what build made, and counts it', async () => {
    const { findings, composition } = await checkDataset(await spoiled(() => undefined));
    expect(findings).toEqual([{ level: 'warning', id: bratsId(1), message: `the same report as ${bratsId(3)}` }]);
    expect(composition.rows.map((row) => [row.class, row.laterality, row.total])).toEqual([
      ['glioma', 'left', 1],
      ['glioma', 'right', 2],
      ['glioma', 'bilateral', 1],
      ['healthy', 'none', 4],
    ]);
    expect(composition.rows[3]?.percent).toBe(50);
  });

  it('finds a subject in two splits', async () => {
    const manifest = await spoiled((entries) => {
      find(entries, 'sub-02_ses-01_FLAIR').split = 'train';
      find(entries, 'sub-02_ses-02_FLAIR').split = 'test';
    });
    expect(await errorsOf(manifest)).toEqual([
      "sub-02: the subject's scans are in train and test; a subject belongs to one split",
    ]);
  });

  it('finds the same image under two names, compressed or not', async () => {
    const manifest = await spoiled((entries) => {
      const [entry] = entries as [ManifestEntry];
      const copy = at('copy.nii');
      writeFileSync(copy, gunzipSync(readFileSync(entry.image)));
      entries.push({ ...entry, id: 'copy', subject: 'copy', image: copy, report: REPORTS.left.replace('The', 'A') });
      entries.push({ ...entry, id: 'again', report: REPORTS.left.replace('The', 'One') });
    });
    expect(await errorsOf(manifest)).toEqual([`${bratsId(0)}: the same image as copy, again`]);
  });

  it('finds missing and damaged files, also segmentations', async () => {
    const manifest = await spoiled((entries) => {
      rmSync(find(entries, bratsId(1)).image);
      rmSync(find(entries, bratsId(0)).segmentation as string);
      const cut = find(entries, 'sub-01_FLAIR').image;
      writeFileSync(cut, readFileSync(cut).subarray(0, -20));
    });
    const errors = await errorsOf(manifest);
    expect(errors).toHaveLength(3);
    expect(errors[0]).toMatch(/^BraTS20_Training_001: .*BraTS20_Training_001_seg.nii.gz/);
    expect(errors[1]).toMatch(/^BraTS20_Training_002: .*BraTS20_Training_002_flair.nii/);
    expect(errors[2]).toMatch(/^sub-01_FLAIR: cannot read 'sub-01_FLAIR.nii.gz'/);
  });

  it('finds reports that are not clean, and sides that they do not have', async () => {
    const manifest = await spoiled((entries) => {
      find(entries, bratsId(0)).report = 'The lesion is  in the left lobe';
      find(entries, bratsId(1)).laterality = 'bilateral';
      find(entries, bratsId(2)).laterality = 'left';
      find(entries, 'sub-01_FLAIR').report = 'A lesion is seen in the left frontal lobe.';
    });
    expect(await errorsOf(manifest)).toEqual([
      expect.stringMatching(/^BraTS20_Training_001: expected a cleaned report/),
    ]);
    expect(await warningsOf(manifest)).toEqual([
      `${bratsId(1)}: laterality is bilateral, as the authors' rule (peer) has it, its report reads as right ` +
        "('left' is about a ventricle and does not count)",
      `${bratsId(2)}: laterality is left, its report reads as bilateral`,
      "sub-01_FLAIR: a healthy subject's report names a side (left)",
      `${bratsId(1)}: the same report as ${bratsId(3)}`,
    ]);
  });

  it('believes an orientation that the manifest states, and warns', async () => {
    const manifest = await spoiled((entries) => {
      find(entries, bratsId(0)).orientation = 'RAS';
    });
    expect((await warningsOf(manifest))[0]).toMatch(
      /^BraTS20_Training_001: overriddenOrientation: the file's sform says LPS; it was read as RAS/,
    );
  });
});
