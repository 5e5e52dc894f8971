/**
 * Canaries: what identifies a patient is planted in headers, folders, names, manifests and reports, every command is run, and
 * all it prints and writes is searched. Where which of them may stand: docs/testing.md, "Privacy and clinical safety".
 */
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { inspect } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { initCheckpoint, loadVolume, readTexts, writeManifest as saveManifest, Volume } from 'brain3d';
import {
  CANARY,
  type Canary,
  canariesIn,
  canariesInFile,
  filesBelow,
  modeOf,
  plantInHeader,
} from '../support/canaries';
import { brain3d, type CliOptions, type CliResult, ROOT, SAMPLE, TINY_MODEL } from '../support/cli';
import { writeGoldenTokenizer } from '../support/tokenizer';

const SIZE: [number, number, number] = [16, 28, 28];
const RAS = [1, 0, 0, -14, 0, 1, 0, -14, 0, 0, 1, -8, 0, 0, 0, 1];
const REPORT = `${CANARY.text} lies in the left temporal lobe with marked edema and some necrosis.`;
const SPLITS = ['train', 'train', 'train', 'train', 'val', 'val', 'test', 'test'];
const [VISION, LANGUAGE] = ['vision', 'language'].map((kind) => join(ROOT, 'models/tiny', kind)) as [string, string];

let dir: string;
/** The folder of inputs; its own name is a canary. */
const input = (...names: string[]): string => join(dir, `${CANARY.folder}_input`, ...names);
/** The folder of outputs. */
const output = (...names: string[]): string => join(dir, 'output', ...names);
const nii = (name: string): string => input(`${CANARY.name}-${name}.nii`);

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
  mkdirSync(input());
  mkdirSync(output());
  const sample = gunzipSync(readFileSync(SAMPLE));
  writeFileSync(nii('scan'), plantInHeader(sample));
  writeFileSync(nii('truncated'), plantInHeader(sample).subarray(0, 5000));
  writeFileSync(nii('magic'), Buffer.from(plantInHeader(sample)).fill('X', 344, 347));
  writeFileSync(nii('silent'), Buffer.from(plantInHeader(sample)).fill(0, 252, 256));
  writeFileSync(nii('flat'), Buffer.from(plantInHeader(sample)).fill(7, 1000));
  writeFileSync(input(`${CANARY.name}.txt`), REPORT);
  writeFileSync(input('short.txt'), 'x');
  await initCheckpoint({
    ...{ vision: VISION, language: LANGUAGE, out: join(dir, 'model') },
    ...{ depthKernel: 2, depthStride: 2, depthPadding: 0, volumeSize: SIZE },
  });
  await writeManifest();
  writeBids();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const manifest = (): string => input('manifest.jsonl');

/** Small striped scans with a canary in each free column. */
async function writeManifest(): Promise<void> {
  const lines: string[] = [];
  for (const [index, split] of SPLITS.entries()) {
    const image = `${CANARY.name}-small-${index}.nii`;
    const voxels = new Float32Array(16 * 28 * 28).map((_, at) => ((at + index) % 7) + (at % (3 + index)));
    await Volume.fromArray(voxels, SIZE, RAS).write(input(image));
    writeFileSync(input(image), plantInHeader(readFileSync(input(image))));
    const id = `${CANARY.name}-${index}`;
    // The source is a dataset's name: tables are divided by it.
    const fixed = { source: 'hospital', class: 'glioma', modality: 'FLAIR', laterality: 'left' };
    lines.push(
      JSON.stringify({ id, subject: id, session: `${id}-s`, ...fixed, image, report: `${REPORT} ${index}.`, split }),
    );
  }
  writeFileSync(manifest(), `${lines.join('\n')}\n`);
}

function writeBids(): void {
  for (const label of ['1', '2', '3']) {
    const folder = input('bids', `sub-${CANARY.name}${label}`, 'anat');
    mkdirSync(folder, { recursive: true });
    cpSync(input(`${CANARY.name}-small-${label}.nii`), join(folder, `sub-${CANARY.name}${label}_FLAIR.nii`));
  }
}

/** Runs a command and searches what it prints: of all canaries only the names that are given may be there. */
async function run(args: string[], allowed: Canary[] = ['name'], options: CliOptions = {}): Promise<CliResult> {
  const result = await brain3d(args, options);
  const found = [...canariesIn(result.stdout), ...canariesIn(result.stderr)].filter((kind) => !allowed.includes(kind));
  expect({ args: args.slice(0, 2), found, ...(found.length === 0 ? {} : result) }).toEqual({
    args: args.slice(0, 2),
    found: [],
  });
  return result;
}

async function succeeds(args: string[], allowed?: Canary[]): Promise<CliResult> {
  const result = await run(args, allowed);
  expect({ status: result.status, stderr: result.status === 0 ? '' : result.stderr }).toEqual({
    status: 0,
    stderr: '',
  });
  return result;
}

const SHORT = ['--greedy', '--max-new-tokens', '6'];
const tiny = () => ['--model', TINY_MODEL];
const small = () => ['--model', join(dir, 'model')];

describe('what commands print', () => {
  test('of volumes', async () => {
    await succeeds(['inspect', nii('scan')]);
    await succeeds(['inspect', nii('scan'), '--json']);
    await succeeds(['report', nii('scan'), ...tiny(), ...SHORT, '--json', '--out', output('reports')]);
    await succeeds(['report', nii('scan'), ...tiny(), ...SHORT, '--stream'], []);
    await succeeds(['encode', nii('scan'), ...tiny(), '--out', output('tokens.safetensors')], []);
    await succeeds(['score', nii('scan'), ...tiny(), '--report', input(`${CANARY.name}.txt`), '--json'], []);
    const volumes = ['--out', output('volume.nii.gz'), '--mask-out', output('mask.nii.gz')];
    await succeeds(['preprocess', nii('scan'), ...volumes], []);
  });

  test('of datasets', async () => {
    await succeeds(['dataset', 'build', '--healthy', input('bids'), '--out', output('manifest.jsonl')], []);
    await run(['dataset', 'check', manifest()]);
    await succeeds(['dataset', 'show', manifest(), '--out', output('overview')], []);
    await succeeds(['preprocess', '--manifest', manifest(), '--out', output('cache-of-preprocess')], []);
  });

  test('of training', async () => {
    const settings = ['--epochs', '1', '--batch-size', '2', '--data', manifest(), '--out', output('run'), '--json'];
    await succeeds(['train', '--phase', 'all', ...small(), ...settings], []);
  });

  test('of evaluation and metrics', async () => {
    const settings = ['--data', manifest(), '--out', output('evaluation'), '--resamples', '10', ...SHORT];
    await succeeds(['evaluate', ...small(), ...settings], []);
    const texts = SPLITS.map((_, index) =>
      JSON.stringify({ id: `${CANARY.name}-${index}`, text: `${REPORT} ${index}` }),
    );
    writeFileSync(input('texts.jsonl'), `${texts.join('\n')}\n`);
    const files = ['--references', input('texts.jsonl'), '--hypotheses', input('texts.jsonl'), '--resamples', '10'];
    await succeeds(['metrics', ...files], []);
    await succeeds(['metrics', ...files, '--json'], []);
  });

  test('of models and of the machine', async () => {
    const language = join(dir, 'gemma');
    cpSync(join(ROOT, 'test/golden/models/gemma_text'), language, { recursive: true });
    writeGoldenTokenizer(language);
    const backbones = ['--vision', join(ROOT, 'test/golden/models/vision'), '--language', language];
    const from = join(ROOT, 'test/golden/peer/phase2b');
    await succeeds(['import', '--from', from, ...backbones, '--out', output('imported')], []);
    await succeeds(['init', '--vision', VISION, '--language', LANGUAGE, '--out', output('initialised')], []);
    await succeeds(['simulate', '--out', output('cohort'), '--subjects', '1', '--grid', 'small', '--json'], []);
    await succeeds(['inspect', output('imported'), '--json'], []);
    await run(['doctor'], []);
  });
});

describe('what failing commands print', () => {
  const DEBUG = { env: { BRAIN3D_DEBUG: '1' } };

  /** Fails with the code, the base name or the id of what is at fault among what it says. */
  async function fails(args: string[], code: string, about: string | null, options: CliOptions = DEBUG): Promise<void> {
    const result = await run(args, ['name'], options);
    expect(result.stderr).toContain(`[${code}]`);
    if (about !== null) expect(result.stderr).toContain(about);
    expect(result.status).toBeGreaterThan(0);
  }

  test.each([
    ['absent', 'BRAIN3D_NOT_FOUND'],
    ['truncated', 'BRAIN3D_FORMAT'],
    ['magic', 'BRAIN3D_FORMAT'],
    ['silent', 'BRAIN3D_ORIENTATION'],
    ['flat', 'BRAIN3D_VOLUME'],
  ])('of a volume that is %s', async (name, code) => {
    const about = basename(nii(name));
    await fails(['report', nii(name), ...tiny()], code, about);
    await fails(['encode', nii(name), ...tiny(), '--out', output('x.safetensors')], code, about);
    await fails(['score', nii(name), ...tiny(), '--report', input(`${CANARY.name}.txt`)], code, about);
    await fails(['preprocess', nii(name), '--out', output('x.nii')], code, about);
  });

  test('of other inputs', async () => {
    await fails(['inspect', nii('absent')], 'BRAIN3D_NOT_FOUND', basename(nii('absent')));
    await fails(['inspect', nii('magic')], 'BRAIN3D_FORMAT', basename(nii('magic')));
    await fails(['report', nii('scan'), '--model', input('absent')], 'BRAIN3D_NOT_FOUND', 'brain3d.json');
    await fails(['score', nii('scan'), ...tiny(), '--report', input('absent.txt')], 'BRAIN3D_NOT_FOUND', 'absent.txt');
    await fails(['dataset', 'check', input('absent.jsonl')], 'BRAIN3D_NOT_FOUND', 'absent.jsonl');
    await fails(
      ['import', '--from', input(), '--vision', VISION, '--language', LANGUAGE, '--out', output('x')],
      'BRAIN3D_NOT_FOUND',
      null,
    );
    mkdirSync(input(`${CANARY.name}-slices`));
    writeFileSync(input(`${CANARY.name}-slices`, `${CANARY.header}.dcm`), `${CANARY.header} no slice`);
    await fails(['report', input(`${CANARY.name}-slices`), ...tiny()], 'BRAIN3D_FORMAT', `${CANARY.name}-slices`);
  });

  test('of outputs that the system refuses', async () => {
    const below = join(nii('scan'), 'x.nii'); // a file is no folder
    await fails(['preprocess', nii('scan'), '--out', below], 'BRAIN3D_IO', null);
    await fails(['report', nii('scan'), ...tiny(), '--out', below], 'BRAIN3D_IO', null);
    await fails(['simulate', '--out', below, '--subjects', '1'], 'BRAIN3D_IO', null);
    await fails(['preprocess', '--manifest', manifest(), '--out', below], 'BRAIN3D_IO', null);
    await fails(['train', '--phase', '1', ...small(), '--data', manifest(), '--out', below], 'BRAIN3D_IO', null);
    await fails(['evaluate', ...small(), '--data', manifest(), '--out', below, ...SHORT], 'BRAIN3D_IO', null);
    await fails(['dataset', 'show', manifest(), '--out', below], 'BRAIN3D_IO', null);
  });

  const spoil = (change: (entry: Record<string, unknown>) => void): string => {
    const entry = JSON.parse(readFileSync(manifest(), 'utf8').split('\n')[0] as string);
    change(entry);
    return JSON.stringify(entry);
  };
  const COLUMNS = [
    'id',
    'subject',
    'session',
    'source',
    'class',
    'laterality',
    'modality',
    'split',
    'orientation',
    'image',
    'report',
    'segmentation',
  ];

  test('of a manifest with a canary where it does not belong', async () => {
    const file = input('spoiled.jsonl');
    const lines = [
      // One has the wrong form, and one the wrong type.
      ...COLUMNS.map((column) => spoil((entry) => Object.assign(entry, { [column]: `/${CANARY.text}/` }))).filter(
        (line) => !/"(image|report|segmentation)":"\/QZ/.test(line),
      ),
      ...COLUMNS.map((column) => spoil((entry) => Object.assign(entry, { [column]: [CANARY.text] }))),
      `${CANARY.text} no JSON`,
      `{"id": ${CANARY.text}`,
      `"${CANARY.text}"`,
      `["${CANARY.text}"]`,
    ];
    for (const line of lines) {
      writeFileSync(file, `${line}\n`);
      await expect(
        brain3dError(() => import('brain3d').then(({ readManifest }) => readManifest(file))),
      ).resolves.toEqual([]);
    }
    await fails(['dataset', 'check', file], 'BRAIN3D_FORMAT', 'spoiled.jsonl:1');
  });

  /** Canaries in all that a caller could log of a failure. */
  async function brain3dError(work: () => Promise<unknown>): Promise<Canary[]> {
    const error = await work().then(
      () => {
        throw new Error('it did not fail');
      },
      (failure: unknown) => failure,
    );
    return canariesIn(inspect(error, { depth: 10 }) + JSON.stringify(error));
  }

  test('of a file of texts that is none', async () => {
    const file = input('spoiled.jsonl');
    for (const line of [
      `${CANARY.text} no JSON`,
      `"${CANARY.text}"`,
      `{"id":"a","text":["${CANARY.text}"]}`,
      `{"id":"a","text":"x","class":"${CANARY.text}"}`,
    ]) {
      writeFileSync(file, `${line}\n`);
      expect(await brain3dError(() => readTexts(file))).toEqual([]);
    }
    await fails(['metrics', '--references', file, '--hypotheses', file], 'BRAIN3D_CONFIG', 'spoiled.jsonl:1');
  });

  test('of a configuration that is another file', async () => {
    const settings = ['--data', manifest(), '--out', output('none'), '--config', input(`${CANARY.name}.txt`)];
    await fails(['train', '--phase', '1', ...small(), ...settings], 'BRAIN3D_CONFIG', `${CANARY.name}.txt`);
  });

  test('not even as the cause, unless BRAIN3D_LOG_PATHS=1', async () => {
    const args = ['dataset', 'check', input('absent.jsonl')];
    expect((await brain3d(args, DEBUG)).stderr).toMatch(/stat failed \(ENOENT\)/);
    const asked = await brain3d(args, { env: { BRAIN3D_DEBUG: '1', BRAIN3D_LOG_PATHS: '1' } });
    expect(asked.stderr).toContain(input('absent.jsonl'));
    expect(await brain3dError(() => loadVolume(`${input()}/\0.nii`))).toEqual([]);
    const nowhere = input('absent', 'manifest.jsonl');
    expect(await brain3dError(() => saveManifest(nowhere, { entries: [], skipped: [] }))).toEqual([]);
  });

  test('nothing that a name could do to a terminal', async () => {
    const name = `a\u001b[31m\u202egnp.nii`;
    const { stderr } = await brain3d(['inspect', input(name)]);
    expect(stderr).toContain('a\\u001b[31m\\u202egnp.nii');
    for (const character of name.match(/[^\w.[]/gu) ?? []) expect(stderr).not.toContain(character);
  });
});

describe('what commands wrote', () => {
  /** Declared to hold ids, names and reports; nothing else may. Relative to the output folder. */
  const DECLARED: [file: RegExp, canaries: Canary[]][] = [
    [/^manifest\.jsonl$/, ['name', 'folder']],
    [/(^|\/)cache[^/]*\/index\.json$/, ['name']],
    [/^evaluation\/(cases\.csv|report\.html|results\.json)$/, ['name', 'text']],
    [/^evaluation\/generations\/[^/]+\.jsonl$/, ['name']],
    [/^overview\/index\.html$/, ['name', 'text']],
  ];

  test('holds no canary but in the files that are declared to', () => {
    const files = filesBelow(output());
    const names = files.map((path) => relative(output(), path));
    for (const expected of [
      'run/lora-sft/log.jsonl',
      'run/grounding/run.json',
      'evaluation/cases.csv',
      'volume.nii.gz',
    ])
      expect(names).toContain(expected);
    const undeclared = files.flatMap((path) => {
      const name = relative(output(), path);
      const declared = DECLARED.find(([pattern]) => pattern.test(name))?.[1] ?? [];
      const found = canariesInFile(path).filter((kind) => !declared.includes(kind));
      return found.length === 0 ? [] : [{ name, found }];
    });
    expect(undeclared).toEqual([]);
    // The search finds what is there.
    expect(canariesInFile(output('evaluation/cases.csv'))).toEqual(expect.arrayContaining(['name', 'text']));
    expect(canariesInFile(output('overview/index.html'))).toEqual(expect.arrayContaining(['name', 'text']));
  });

  test('is named after a scan only where a report or a picture belongs to it', () => {
    const named = filesBelow(output()).filter((path) => canariesIn(relative(output(), path)).length > 0);
    const allowed = /^(reports|overview\/montages|evaluation\/montages)\//;
    expect(named.map((path) => relative(output(), path)).filter((name) => !allowed.test(name))).toEqual([]);
  });

  test('is readable by its owner only, and so are the folders', () => {
    const entries = readdirSync(output(), { withFileTypes: true, recursive: true }).filter(
      (entry) => !entry.isSymbolicLink(),
    );
    const open = entries.filter((entry) => {
      return modeOf(join(entry.parentPath, entry.name)) !== (entry.isDirectory() ? 0o700 : 0o600);
    });
    expect(open.map((entry) => relative(output(), join(entry.parentPath, entry.name)))).toEqual([]);
    expect(entries.length).toBeGreaterThan(80);
  });

  test('replaces a link, and whatever an older file allowed is gone', async () => {
    const [target, link] = [output('target.nii'), output('link.nii')];
    writeFileSync(target, 'mine', { mode: 0o644 });
    chmodSync(target, 0o644);
    symlinkSync(target, link);
    const volume = Volume.fromArray(new Float32Array(8).fill(1), [2, 2, 2], RAS);
    await volume.write(link);
    expect(readFileSync(target, 'utf8')).toBe('mine');
    await volume.write(target);
    expect([modeOf(link), modeOf(target)]).toEqual([0o600, 0o600]);
  });
});
