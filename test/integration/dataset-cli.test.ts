/** The dataset commands and the overview page, as their users run them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readManifest, showDataset, writeManifest } from 'brain3d';
import { composition } from '../../lib/dataset/composition';
import { datasetPage } from '../../lib/dataset/show-page';
import { brain3d } from '../support/cli';
import { bratsId, writeDatasetFolders } from '../support/dataset';
import { decodePng } from '../support/png';

let dir: string;
const at = (path: string) => join(dir, path);
const folders = () => ['--brats', at('brats'), '--reports', at('reports'), '--healthy', at('healthy')];
const build = (...args: string[]) => brain3d(['dataset', 'build', ...folders(), '--out', at('m.jsonl'), ...args]);
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-dataset-cli-'));
  await writeDatasetFolders(dir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const TABLE = `\
class    laterality   train     val   test       total    share
glioma   left             1       0      0           1   12.5 %
glioma   right            2       0      0           2   25.0 %
glioma   bilateral        1       0      0           1   12.5 %
healthy  none             2       2      0           4   50.0 %
all                       6       2      0           8  100.0 %
                     75.0 %  25.0 %  0.0 %  7 subjects
`;

describe('dataset build', () => {
  it('writes a manifest and prints what is in it', async () => {
    const { status, stdout, stderr } = await build();
    expect(stderr).toContain(`wrote ${at('m.jsonl')} (seed 42)`);
    expect(stdout).toBe(TABLE);
    expect(status).toBe(0);
  });

  it('lists every subject that cannot be used, and stops', async () => {
    rmSync(at(`reports/${bratsId(0)}`), { recursive: true });
    rmSync(at('healthy/sub-01/anat'), { recursive: true });
    const { status, stdout, stderr } = await build();
    expect(stderr).toContain(`brain3d: ${bratsId(0)}: expected the report`);
    expect(stderr).toContain('brain3d: sub-01: expected a FLAIR image in anat/, got none\n');
    expect(stderr).toMatch(
      /brain3d: BraTS20_Training_001 cannot be used: .*--on-error skip.* \[BRAIN3D_NOT_FOUND\]\n$/,
    );
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(readdirSync(dir)).not.toContain('m.jsonl');
  });

  it('leaves them out with --on-error skip, and says so in the manifest', async () => {
    rmSync(at('healthy/sub-01/anat'), { recursive: true });
    const { status, stdout, stderr } = await build('--on-error', 'skip', '--json', '--seed', '7');
    expect(stderr).toContain('(seed 7, 1 skipped)');
    expect(JSON.parse(stdout)).toMatchObject({
      composition: { scans: 7, totals: { train: 7, val: 0, test: 0 } },
      skipped: [{ id: 'sub-01', skipped: { reason: 'expected a FLAIR image in anat/, got none' } }],
      seed: 7,
    });
    expect(status).toBe(0);
    expect((await readManifest(at('m.jsonl'))).skipped).toHaveLength(1);
  });

  it.each<[args: string[], message: RegExp]>([
    [['--brats', 'x', '--out', 'm.jsonl'], /expected brats and reports together.*\[BRAIN3D_USAGE\]/],
    [['--out', 'm.jsonl'], /expected brats with reports, or healthy/],
    [['--healthy', 'x', '--out', 'm.json'], /Expected a name that ends in .jsonl/],
    [['--healthy', 'x', '--out', 'm.jsonl', '--laterality', 'guess'], /Allowed choices are strict, peer/],
  ])('%j is wrong usage', async (args, message) => {
    const { status, stderr } = await brain3d(['dataset', 'build', ...args]);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});

describe('dataset check', () => {
  it('prints the table and ends with 0 where all is well', async () => {
    await build();
    const { status, stdout } = await brain3d(['dataset', 'check', at('m.jsonl')]);
    expect(stdout).toContain(`\n${TABLE}\n0 errors, 1 warnings, 0 skipped\n`);
    expect(stdout).toContain(`warning  ${bratsId(1)}: the same report as ${bratsId(3)}\n`);
    expect(status).toBe(0);
  });

  it('ends with 1 where something is wrong', async () => {
    await build();
    rmSync(at('healthy/sub-01/anat/sub-01_FLAIR.nii.gz'));
    const plain = await brain3d(['dataset', 'check', at('m.jsonl')]);
    expect(plain.stdout).toMatch(/^error {4}sub-01_FLAIR: .*sub-01_FLAIR.nii.gz/m);
    expect(plain.status).toBe(1);
    const { status, stdout } = await brain3d(['dataset', 'check', at('m.jsonl'), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      findings: [{ level: 'error', id: 'sub-01_FLAIR' }, { level: 'warning' }],
      composition: { scans: 8, subjects: 7 },
    });
    expect(status).toBe(1);
  });

  it('names the line of a manifest that cannot be read', async () => {
    writeFileSync(at('bad.jsonl'), '{}\n');
    const { status, stderr } = await brain3d(['dataset', 'check', at('bad.jsonl')]);
    expect(stderr).toMatch(/bad.jsonl:1: expected a value for 'id', got nothing \[BRAIN3D_CONFIG\]/);
    expect(status).toBe(1);
  });
});

describe('preprocess --manifest', () => {
  it('fills a cache, and the second time has nothing to do', async () => {
    await build();
    const args = ['preprocess', '--manifest', at('m.jsonl'), '--out', at('cache')];
    expect((await brain3d(args)).stderr).toContain(`wrote ${at('cache')} (8 made, 0 kept)`);
    expect((await brain3d([...args, '--workers', '1', '--prune'])).stderr).toContain('(0 made, 8 kept)');
  });

  it('names what it skips, or what stopped it', async () => {
    await build();
    const path = at(`brats/${bratsId(1)}/${bratsId(1)}_flair.nii`);
    writeFileSync(path, readFileSync(path).subarray(0, 1000));
    const args = ['preprocess', '--manifest', at('m.jsonl'), '--out', at('cache')];
    const stopped = await brain3d(args);
    expect(stopped.stderr).toMatch(/brain3d: BraTS20_Training_002 cannot be preprocessed: .*\[BRAIN3D_FORMAT\]/);
    expect(stopped.status).toBe(1);
    const skipped = await brain3d([...args, '--on-error', 'skip']);
    expect(skipped.stderr).toMatch(/skipped BraTS20_Training_002: [\s\S]*, 1 skipped\)/);
    expect(skipped.status).toBe(0);
  });

  it.each<[args: string[], message: RegExp]>([
    [[], /expected a volume or --manifest, and not both/],
    [['x.nii', '--manifest', 'm.jsonl'], /expected a volume or --manifest, and not both/],
    [['--manifest', 'm.jsonl', '--orientation', 'LPS'], /--orientation is for one volume; the manifest says/],
    [['x.nii', '--workers', '2'], /--workers needs --manifest/],
    [['x.nii', '--on-error', 'skip'], /--on-error needs --manifest/],
  ])('%j is wrong usage', async (args, message) => {
    const { status, stderr } = await brain3d(['preprocess', ...args, '--out', 'out.nii']);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});

describe('dataset show', () => {
  it('writes a page with every scan and its picture, and nothing from elsewhere', async () => {
    await build();
    const { status, stderr } = await brain3d(['dataset', 'show', at('m.jsonl'), '--out', at('overview')]);
    expect(stderr).toContain(`wrote ${at('overview/index.html')}`);
    expect(status).toBe(0);
    const page = readFileSync(at('overview/index.html'), 'utf8');
    const { entries } = await readManifest(at('m.jsonl'));
    for (const { id, report, subject } of entries) {
      expect(page).toContain(`<h2>${id}</h2>`);
      expect(page).toContain(`src="montages/${id}.png"`);
      expect(page).toContain(`<p>${report}</p>`);
      expect(page).toContain(subject);
    }
    expect(page.match(/<article /g)).toHaveLength(entries.length);
    expect(page).toContain('Research use only. Not a medical device.');
    expect(page).toContain("'left' is about a ventricle and does not count".replaceAll("'", '&#39;'));
    expect(page).not.toMatch(/(?:src|href|url\(|@import)[^>]{0,3}(?:https?:|\/\/)/);
    expect(readdirSync(at('overview/montages'))).toHaveLength(entries.length);
    expect(decodePng(readFileSync(at(`overview/montages/${bratsId(0)}.png`)))).toMatchObject({ width: 1024 });
  });

  it('has a script that searches and filters', async () => {
    await build();
    const { entries } = await readManifest(at('m.jsonl'));
    const scans = entries.map((entry) => ({ entry, picture: null, notes: [] }));
    const html = datasetPage(scans, [], composition(entries));
    // The stand-in has as much of a document as the script asks for.
    const controls = [...html.matchAll(/<(?:input|select) name="(\w+)"/g)].map(([, name]) => ({
      name: name as string,
      value: '',
      addEventListener: (_event: string, listener: () => void) => listeners.push(listener),
    }));
    const listeners: (() => void)[] = [];
    const attributes = /<article data-split="(\w+)" data-class="(\w+)" data-laterality="(\w+)">([\s\S]*?)<\/article>/g;
    const articles = [...html.matchAll(attributes)].map(([, split, kind, laterality, inner]) => ({
      dataset: { split, class: kind, laterality },
      textContent: (inner as string).replace(/<[^>]*>/g, ''),
      hidden: false,
    }));
    const output = { value: '' };
    const document = {
      querySelectorAll: (selector: string) => (selector === 'article' ? articles : controls),
      querySelector: () => output,
    };
    new Function('document', /<script>([\s\S]*)<\/script>/.exec(html)?.[1] as string)(document);
    expect(output.value).toBe('8 of 8');
    const choose = (name: string, value: string) => {
      const control = controls.find((candidate) => candidate.name === name);
      if (control === undefined) throw new Error(`the page has no control '${name}'`);
      control.value = value;
      listeners[0]?.();
      return output.value;
    };
    expect(choose('class', 'glioma')).toBe('4 of 8');
    expect(choose('laterality', 'right')).toBe('2 of 8');
    expect(choose('words', 'TRAINING_004')).toBe('1 of 8');
    expect(articles.find(({ hidden }) => !hidden)?.textContent).toContain(bratsId(3));
    expect(choose('split', 'val')).toBe('0 of 8');
  });

  it('shows texts as texts, also those that look like markup', async () => {
    await build();
    const manifest = await readManifest(at('m.jsonl'));
    const [first] = manifest.entries as [(typeof manifest.entries)[0]];
    const report = 'The lesion is <script>alert("left")</script> & more in the lobe.';
    const skipped = [
      { id: '<b>', subject: 'b', source: 'brats', class: 'glioma' as const, skipped: { reason: '<i>' } },
    ];
    await writeManifest(at('m2.jsonl'), { entries: [{ ...first, report }], skipped });
    const { page } = await showDataset(at('m2.jsonl'), { out: at('overview'), workers: 1 });
    const html = readFileSync(page, 'utf8');
    expect(html).toContain('&lt;script&gt;alert(&quot;left&quot;)&lt;/script&gt; &amp; more');
    expect(html).toContain('<li>&lt;b&gt;: &lt;i&gt;</li>');
    expect(html.match(/<script>/g)).toHaveLength(1);
  });

  it('names the scan that cannot be drawn, or shows the reason in its place', async () => {
    await build();
    rmSync(at('healthy/sub-01/anat/sub-01_FLAIR.nii.gz'));
    await expect(showDataset(at('m.jsonl'), { out: at('overview') })).rejects.toThrow(
      /^sub-01_FLAIR cannot be drawn: /,
    );
    const { withoutPicture, page } = await showDataset(at('m.jsonl'), { out: at('overview'), onError: 'skip' });
    expect([...withoutPicture.keys()]).toEqual(['sub-01_FLAIR']);
    expect(readFileSync(page, 'utf8')).toContain('no picture');
  });
});
