/** Folders as they come: files that are not there, names that are no scans; and that what is built is always read again. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  Brain3DError,
  buildDataset,
  checkDataset,
  type DatasetProblem,
  preprocessDataset,
  readManifest,
  Volume,
} from 'brain3d';
import fc from 'fast-check';
import { parseBidsName } from '../../../lib/dataset/bids-name';
import { bratsId, REPORTS, writeBratsSubject, writeReport, writeScan } from '../../support/dataset';

let dir: string;
const at = (path: string) => join(dir, path);
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-folders-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function build(folders: object): Promise<{ ids: string[]; skipped: Record<string, string>; problems: string[] }> {
  const problems: DatasetProblem[] = [];
  const onProblem = (problem: DatasetProblem) => void problems.push(problem);
  const out = at('m.jsonl');
  rmSync(out, { force: true });
  await expect(buildDataset({ ...folders, out, onProblem })).rejects.toMatchObject({
    message: expect.stringContaining('cannot be used: '),
  });
  const all = problems.map(({ id }) => id);
  await buildDataset({ ...folders, out, onError: 'skip' });
  const { entries, skipped } = await readManifest(out);
  return {
    ids: entries.map(({ id }) => id),
    skipped: Object.fromEntries(skipped.map(({ id, skipped: { reason } }) => [id, reason])),
    problems: all,
  };
}

function place(path: string, what: 'link' | 'folder' | 'annex' | 'textual link' | 'lfs' | 'empty'): void {
  mkdirSync(dirname(path), { recursive: true });
  if (what === 'link') symlinkSync('../../.git/annex/objects/Xx/Yy/key/key', path);
  else if (what === 'folder') mkdirSync(path);
  else if (what === 'empty') writeFileSync(path, '');
  else if (what === 'annex') writeFileSync(path, '/annex/objects/MD5E-s12345--0123456789abcdef.nii.gz\n');
  else if (what === 'textual link') writeFileSync(path, '../../.git/annex/objects/Xx/Yy/MD5E-s1--0/MD5E-s1--0');
  else writeFileSync(path, `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 123456\n`);
}

const KINDS: [kind: Parameters<typeof place>[1], message: string][] = [
  ['link', 'is a link that leads nowhere; fetch what it stands for'],
  ['folder', 'is a folder'],
  ['annex', 'is a pointer of git-annex; fetch it'],
  ['textual link', 'is a pointer of git-annex; fetch it'],
  ['lfs', 'is a pointer of Git LFS; fetch it'],
  ['empty', ''],
];

describe.each(KINDS)('what is there and cannot be read is named: %s', (kind, message) => {
  it('as a control, in any session', async () => {
    await writeScan(at('healthy/sub-01/ses-01/anat/sub-01_ses-01_FLAIR.nii.gz'), 1);
    await writeScan(at('healthy/sub-02/anat/sub-02_FLAIR.nii.gz'), 2);
    place(at('healthy/sub-01/ses-02/anat/sub-01_ses-02_FLAIR.nii.gz'), kind);
    place(at('healthy/sub-03/anat/sub-03_FLAIR.nii'), kind);
    const { ids, skipped, problems } = await build({ healthy: at('healthy') });
    expect(ids).toEqual(['sub-01_ses-01_FLAIR', 'sub-02_FLAIR']);
    expect(problems).toEqual(['sub-01_ses-02_FLAIR', 'sub-03_FLAIR']);
    expect(Object.keys(skipped)).toEqual(problems);
    for (const reason of Object.values(skipped)) expect(reason).toContain(message);
  });

  it.each(['image', 'segmentation', 'report'])("as a patient's %s", async (role) => {
    for (const index of [0, 1]) await writeBratsSubject(dir, index, REPORTS.left);
    const id = bratsId(1);
    const path =
      role === 'image'
        ? at(`brats/${id}/${id}_flair.nii`)
        : role === 'report'
          ? at(`reports/${id}/${id}_flair_text.txt`)
          : at(`brats/${id}/${id}_seg.nii.gz`);
    rmSync(path, { force: true });
    place(path, kind);
    const { ids, skipped } = await build({ brats: at('brats'), reports: at('reports') });
    expect(ids).toEqual([bratsId(0)]);
    expect(Object.keys(skipped)).toEqual([id]);
    expect(skipped[id]).toContain(message);
  });
});

test('a pointer that came in place of an image later is named, too', async () => {
  for (const seed of [1, 2]) await writeScan(at(`healthy/sub-0${seed}/anat/sub-0${seed}_FLAIR.nii`), seed);
  await buildDataset({ healthy: at('healthy'), out: at('m.jsonl') });
  const image = at('healthy/sub-02/anat/sub-02_FLAIR.nii');
  rmSync(image);
  place(image, 'lfs');
  const message = expect.stringContaining('sub-02_FLAIR.nii is a pointer of Git LFS; fetch it');
  const { findings } = await checkDataset(at('m.jsonl'));
  expect(findings.filter(({ level }) => level === 'error')).toEqual([{ level: 'error', id: 'sub-02_FLAIR', message }]);
  await expect(preprocessDataset({ manifest: at('m.jsonl'), out: at('cache') })).rejects.toMatchObject({ message });
});

describe('folders that are links to nowhere', () => {
  it.each(['sub-02', 'sub-02/anat', 'sub-02/ses-01'])('%s', async (path) => {
    await writeScan(at('healthy/sub-01/anat/sub-01_FLAIR.nii'), 1);
    mkdirSync(at('healthy/sub-02'), { recursive: true });
    if (path === 'sub-02') rmSync(at('healthy/sub-02'), { recursive: true });
    symlinkSync('/nowhere/at/all', at(`healthy/${path}`));
    const { ids, skipped } = await build({ healthy: at('healthy') });
    expect(ids).toEqual(['sub-01_FLAIR']);
    expect(Object.values(skipped)).toEqual([
      'expected a folder, got a link that leads nowhere; fetch what it stands for (`git annex get` or `datalad get`, where they made it)',
    ]);
  });

  it.each(['brats', 'reports'])("a patient's in %s", async (folder) => {
    for (const index of [0, 1]) await writeBratsSubject(dir, index, REPORTS.left);
    rmSync(at(`${folder}/${bratsId(1)}`), { recursive: true });
    symlinkSync('/nowhere/at/all', at(`${folder}/${bratsId(1)}`));
    const { ids, skipped } = await build({ brats: at('brats'), reports: at('reports') });
    expect([ids, Object.keys(skipped)]).toEqual([[bratsId(0)], [bratsId(1)]]);
    expect(skipped[bratsId(1)]).toContain('a link that leads nowhere');
  });

  // A user who may read everything sees no permission missing.
  const isRoot = process.getuid?.() === 0;
  const test = isRoot ? it.skip : it;
  const why = isRoot ? ' (skipped: root may read everything)' : '';
  test(`a folder without permission${why}`, async () => {
    await writeScan(at('healthy/sub-01/anat/sub-01_FLAIR.nii'), 1);
    await writeScan(at('healthy/sub-02/anat/sub-02_FLAIR.nii'), 2);
    chmodSync(at('healthy/sub-02'), 0);
    const { ids, skipped } = await build({ healthy: at('healthy') });
    chmodSync(at('healthy/sub-02'), 0o700);
    expect([ids, Object.keys(skipped)]).toEqual([['sub-01_FLAIR'], ['sub-02']]);
  });
});

describe('names in BIDS', () => {
  it.each<[stem: string, rest: string]>([
    ['sub-01_FLAIR', ''],
    ['sub-01_ses-02_acq-3d_rec-norm_run-1_FLAIR', 'acq-3d_rec-norm_run-1'],
    ['sub-01_part-mag_FLAIR', 'part-mag'],
  ])('of scans: %s', (stem, rest) => expect(parseBidsName(stem, 'FLAIR')).toMatchObject({ kind: 'image', rest }));

  it.each([
    'sub-01_part-phase_FLAIR',
    'sub-01_part-real_FLAIR',
    'sub-01_echo-2_FLAIR',
    'sub-01_space-MNI_FLAIR',
    'sub-01_desc-preproc_FLAIR',
    'sub-01_ce-gadolinium_FLAIR',
    'sub-01_chunk-1_FLAIR',
    'sub-01_run-1_run-2_FLAIR',
    'sub-01_phase_FLAIR',
    'sub-01_flair',
    'sub-01_FLAIR.NII.GZ',
    'acq-3d_FLAIR',
  ])('that are refused: %s', (stem) => expect(parseBidsName(stem, 'FLAIR').kind).toBe('refused'));

  it.each(['sub-01_T1w', 'sub-01_mod-FLAIR_defacemask', 'sub-01_FLAIR_mask', 'sub-01_FLAIRmask', 'notes'])(
    'of other files: %s',
    (stem) => expect(parseBidsName(stem, 'FLAIR').kind).toBe('other'),
  );

  it('become scans by their folders, with endings in any case', async () => {
    await writeScan(at('healthy/sub-01/anat/sub-01_part-mag_FLAIR.nii.gz'), 1);
    await writeScan(at('healthy/sub-01/anat/sub-01_part-phase_FLAIR.nii.gz'), 2);
    await writeScan(at('healthy/sub-01/anat/sub-01_mod-FLAIR_defacemask.nii.gz'), 3);
    await writeScan(at('healthy/derivatives/tool/sub-05/anat/sub-05_FLAIR.nii.gz'), 4);
    await writeScan(at('healthy/sub-02/anat/sub-02_FLAIR.nii.gz'), 5);
    renameSync(at('healthy/sub-02/anat/sub-02_FLAIR.nii.gz'), at('healthy/sub-02/anat/sub-02_FLAIR.NII.GZ'));
    await writeScan(at('healthy/sub-03/ses-01/anat/sub-03_ses-02_FLAIR.nii.gz'), 6);
    writeFileSync(at('healthy/sub-03_scans.tsv'), '');
    const { ids, skipped } = await build({ healthy: at('healthy') });
    expect(ids).toEqual(['sub-01_part-mag_FLAIR', 'sub-02_FLAIR']);
    expect(skipped).toEqual({
      'sub-01_part-phase_FLAIR': 'its name has part-, but not part-mag: it shows no magnitudes',
      'sub-03_ses-02_FLAIR': expect.stringContaining('expected a name of ses-01, as its folder has it'),
    });
  });
});

test('two sessions may call their files alike', async () => {
  for (const [seed, session] of ['ses-01', 'ses-02'].entries())
    await writeScan(at(`healthy/sub-01/${session}/anat/sub-01_FLAIR.nii`), seed + 1);
  const { entries } = await buildDataset({ healthy: at('healthy'), out: at('m.jsonl') });
  expect(entries.map(({ id }) => id)).toEqual(['sub-01_ses-01_FLAIR', 'sub-01_ses-02_FLAIR']);
  expect((await readManifest(at('m.jsonl'))).entries).toEqual(entries);
});

test('one image under two names is a problem of both, in one source or two', async () => {
  await writeScan(at('healthy/sub-01/anat/sub-01_FLAIR.nii'), 1);
  await writeScan(at('healthy/sub-02/anat/sub-02_FLAIR.nii.gz'), 1);
  await writeScan(at('healthy/sub-03/anat/sub-03_FLAIR.nii.gz'), 3);
  await writeScan(at('brats/p1/p1_flair.nii'), 3);
  writeReport(dir, 'p1', REPORTS.left);
  await writeBratsSubject(dir, 4, REPORTS.right);
  const { ids, skipped } = await build({ healthy: at('healthy'), brats: at('brats'), reports: at('reports') });
  expect(ids).toEqual([bratsId(4)]);
  expect(skipped['sub-01_FLAIR']).toBe('the same image as sub-02_FLAIR, of another subject; remove what is wrong');
  expect(Object.keys(skipped)).toEqual(['p1', 'sub-01_FLAIR', 'sub-02_FLAIR', 'sub-03_FLAIR']);
});

test('a subject that two sources spell differently is a problem', async () => {
  await writeScan(at('healthy/sub-01/anat/sub-01_FLAIR.nii'), 1);
  await writeScan(at('brats/SUB-1/SUB-1_flair.nii'), 2);
  writeReport(dir, 'SUB-1', REPORTS.left);
  const { skipped } = await build({ healthy: at('healthy'), brats: at('brats'), reports: at('reports') });
  expect(Object.values(skipped)).toEqual(['the subject is in brats and in bids; rename one']);
});

describe('whatever the folders hold', () => {
  const label = fc.constantFrom('01', '1', '001', 'A', 'a', '02', 'x_y', 'é', '', '01.5', '-');
  const session = fc.option(fc.constantFrom('ses-01', 'ses-1', 'ses-02', 'ses-é', 'ses-a b', 'ses-'), { nil: null });
  const file = fc.record({
    subject: label,
    session,
    named: fc.constantFrom('own', 'other', 'none'),
    entity: fc.constantFrom('', '_run-1', '_run-2', '_acq-3d', '_part-phase', '_run-1_run-1', '_odd'),
    suffix: fc.constantFrom('FLAIR', 'FLAIR', 'FLAIR', 'flair', 'T1w', 'FLAIR.nii'),
    ending: fc.constantFrom('.nii', '.nii.gz', '.NII', '.Nii.gz'),
    content: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 19 }) },
      { weight: 1, arbitrary: fc.constantFrom('link', 'folder', 'annex', 'lfs', 'empty') },
    ),
  });
  const patient = fc.record({
    name: fc.constantFrom('p1', 'P1', 'p01', 'sub-01', 'sub-1', 'p 2', 'p2', '.p3', 'é'),
    content: fc.constantFrom(0, 1, 20, 21, 22, 'link', 'folder'),
    report: fc.constantFrom(REPORTS.left, REPORTS.right, 'short', null),
  });

  it('the reader takes what build writes, and check finds no error in it', async () => {
    let built = 0;
    const images: Buffer[] = [];
    for (let seed = 0; seed < 23; seed++) {
      const voxels = new Float32Array(125).map((_, index) => (index * (seed + 3)) % 31);
      await Volume.fromArray(voxels, [5, 5, 5], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]).write(
        at('image.nii'),
      );
      images.push(readFileSync(at('image.nii')));
    }
    const put = (path: string, content: number | string): void => {
      try {
        mkdirSync(dirname(path), { recursive: true });
        if (typeof content === 'number') writeFileSync(path, images[content] as Buffer, { flag: 'wx' });
        else place(path, content as 'link');
      } catch (error) {
        // Something of that name is there already.
        if (!/EEXIST|ENOTDIR|EISDIR/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    };
    const layouts = fc.tuple(fc.array(file, { minLength: 1, maxLength: 10 }), fc.array(patient, { maxLength: 5 }));
    await fc.assert(
      fc.asyncProperty(layouts, fc.integer({ min: 0, max: 99 }), async ([files, patients], seed) => {
        for (const folder of ['healthy', 'brats', 'reports']) rmSync(at(folder), { recursive: true, force: true });
        for (const one of files) {
          const subject = `sub-${one.subject}`;
          const inName = one.named === 'own' ? one.session : one.named === 'other' ? 'ses-09' : null;
          const name = `${subject}${inName === null ? '' : `_${inName}`}${one.entity}_${one.suffix}${one.ending}`;
          put(at(join('healthy', subject, one.session ?? '', 'anat', name)), one.content);
        }
        for (const { name, content, report } of patients) {
          put(at(`brats/${name}/${name}_flair.nii`), content);
          if (report !== null) writeReport(dir, name, report);
        }
        const out = at('m.jsonl');
        rmSync(out, { force: true });
        const sources = patients.length === 0 ? {} : { brats: at('brats'), reports: at('reports') };
        if (patients.length > 0) mkdirSync(at('reports'), { recursive: true });
        try {
          const made = await buildDataset({ ...sources, healthy: at('healthy'), out, seed, onError: 'skip' });
          const { entries, skipped } = await readManifest(out);
          expect(entries).toEqual(made.entries);
          expect(skipped).toEqual(made.skipped);
          built++;
        } catch (error) {
          if (!Brain3DError.isInstance(error)) throw error;
          // Nothing that can be used, or no folder of a subject: said, not written.
          expect(error.code).toBe('BRAIN3D_NOT_FOUND');
          return;
        }
        const { findings } = await checkDataset(out);
        expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
      }),
      { numRuns: 20, seed: 5 },
    );
    expect(built).toBeGreaterThan(5);
  });
});
