/** The exit status is that of the work, whatever happens to stdout and stderr; with real pipes, files and a full disk. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, SAMPLE } from '../support/cli';
import { writeSmallModel, writeSmallScan } from '../support/training';

let dir: string;
const path = (name: string): string => join(dir, name);
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'test-streams-'));
  const pairs = ['a', 'b', 'c'].map((id) => JSON.stringify({ id, text: `A lesion in the left lobe, ${id}.` }));
  writeFileSync(path('texts.jsonl'), `${pairs.join('\n')}\n`);
  writeFileSync(path('report.txt'), 'The lesion is in the left temporal lobe.\n');
  await writeSmallModel(path('model'));
  await writeSmallScan(path('small.nii'), 0);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Outcome {
  status: number;
  stderr: string;
}

/** Runs `brain3d ARGS REST` in bash, `REST` being redirections and pipes; the status is brain3d's own. */
function shell(args: readonly string[], rest: string, before = ''): Promise<Outcome> {
  const quoted = [process.execPath, join(ROOT, 'dist', 'cli.js'), ...args].map((arg) => `'${arg}'`).join(' ');
  const status = path(`status-${Math.random()}`);
  const script = `${before}\n{ ${quoted}; echo $? >'${status}'; } ${rest}`;
  return new Promise((done, reject) => {
    const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', () => done({ status: Number(readFileSync(status, 'utf8')), stderr }));
  });
}

const SHORT = ['--max-new-tokens', '8', '--skull-strip', 'none'];
const small = (): string[] => [path('small.nii'), '--allow-geometry', '--model', path('model')];
const TRAIN = ['train', '--phase', '2b', '--epochs', '1', '--batch-size', '2'];
/** A command of every kind, its arguments, and its status where all is well with the streams. */
const COMMANDS: [name: string, args: () => string[], status: number][] = [
  ['help', () => ['--help'], 0],
  ['the help of a command', () => ['report', '--help'], 0],
  ['the version', () => ['--version'], 0],
  ['wrong usage', () => ['report'], 2],
  ['inspect', () => ['inspect', SAMPLE], 0],
  ['inspect of nothing', () => ['inspect', path('absent.nii')], 1],
  ['dataset check of nothing', () => ['dataset', 'check', path('absent.jsonl')], 1],
  ['dataset build of nothing', () => ['dataset', 'build', '--healthy', path('absent'), '--out', path('m.jsonl')], 1],
  ['dataset show of nothing', () => ['dataset', 'show', path('absent.jsonl'), '--out', path('show')], 1],
  ['train of nothing', () => [...TRAIN, '--model', path('absent'), '--data', path('absent'), '--out', path('run')], 1],
  ['evaluate of nothing', () => ['evaluate', '--model', path('m'), '--data', path('absent'), '--out', path('e')], 1],
  ['init of nothing', () => ['init', '--vision', path('v'), '--language', path('l'), '--out', path('i')], 1],
  [
    'import of nothing',
    () => ['import', '--from', path('p'), '--vision', path('v'), '--language', path('l'), '--out', path('o')],
    1,
  ],
  ['doctor', () => ['doctor'], 0],
  ['metrics', () => ['metrics', '--references', path('texts.jsonl'), '--hypotheses', path('texts.jsonl')], 0],
  ['score', () => ['score', ...small(), '--report', path('report.txt'), '--skull-strip', 'none'], 0],
  ['report', () => ['report', ...small(), ...SHORT], 0],
  ['report --json', () => ['report', ...small(), ...SHORT, '--json'], 0],
  ['report --stream', () => ['report', ...small(), ...SHORT, '--stream'], 0],
  ['preprocess', () => ['preprocess', SAMPLE, '--out', path(`${Math.random()}.nii.gz`), '--skull-strip', 'none'], 0],
  ['encode', () => ['encode', ...small(), '--skull-strip', 'none', '--out', path(`${Math.random()}.safetensors`)], 0],
  ['simulate', () => ['simulate', '--out', path(`${Math.random()}`), '--subjects', '1', '--grid', 'small'], 0],
];

describe.each(COMMANDS)('%s', (_, args, status) => {
  it('has its own status when nobody reads stdout, and stderr is full', async () => {
    expect((await shell(args(), '2>/dev/full | true')).status).toBe(status);
  });

  // A command that fails has no result to lose: its one message is the same for every command.
  if (status === 0)
    it('has its own status when nobody reads stderr', async () => {
      expect((await shell(args(), '2> >(true) >/dev/null')).status).toBe(status);
    });

  it('has its own status when both streams are closed', async () => {
    expect((await shell(args(), '>&- 2>&-')).status).toBe(status);
  });
});

describe('a result that cannot be written is a failure', () => {
  const PRINTING = COMMANDS.filter(([name, , status]) => status === 0 && !/preprocess|encode/.test(name));
  it.each(PRINTING)('%s', async (_, args) => {
    const { status, stderr } = await shell(args(), '>/dev/full');
    expect(stderr).toMatch(/stdout cannot be written.*ENOSPC \[BRAIN3D_IO\]/);
    expect(status).toBe(1);
  });

  it('but not of a command that has none', async () => {
    const args = ['preprocess', SAMPLE, '--out', path('full.nii.gz'), '--skull-strip', 'none'];
    expect(await shell(args, '>/dev/full')).toMatchObject({ status: 0 });
    expect(existsSync(path('full.nii.gz'))).toBe(true);
  });

  it('where a disk takes only its beginning', async () => {
    // The limit counts blocks of 1024 bytes; the first write is cut there without an error.
    const { status, stderr } = await shell(['report', '--help'], `>'${path('cut.txt')}'`, 'ulimit -f 1');
    expect(readFileSync(path('cut.txt')).length).toBe(1024);
    expect(stderr).toMatch(/stdout cannot be written.*EFBIG/);
    expect(status).toBe(1);
  });

  it('and no other failure is hidden by it', async () => {
    expect((await shell(['report', '--nonsense'], '>/dev/full')).status).toBe(2);
  });
});

describe('the work is done', () => {
  it('where the reader leaves in the middle of a text', async () => {
    const args = ['report', ...small(), '--max-new-tokens', '40', '--stream', '--out', path('left')];
    expect((await shell(args, '| head -c 5')).status).toBe(0);
    for (const ending of ['report.txt', 'report.json', 'montage.png'])
      expect(existsSync(path(`left/small.${ending}`))).toBe(true);
  });

  it('where stdout is full', async () => {
    const args = ['report', ...small(), ...SHORT, '--stream', '--out', path('full')];
    expect((await shell(args, '>/dev/full')).status).toBe(1);
    expect(existsSync(path('full/small.report.txt'))).toBe(true);
  });
});

test('what is printed arrives whole, through a slow pipe and in a file', async () => {
  const args = ['report', '--help'];
  await shell(args, `| { sleep 1; cat >'${path('slow.txt')}'; }`);
  await shell(args, `>'${path('file.txt')}'`);
  const text = readFileSync(path('file.txt'), 'utf8');
  expect(text).toMatch(/^Usage: brain3d report[\s\S]*\n$/);
  expect(readFileSync(path('slow.txt'), 'utf8')).toBe(text);
});
