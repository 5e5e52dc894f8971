/** brain3d uses no network: nothing it publishes could, and nothing it does tries. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { filesBelow } from '../support/canaries';
import { ROOT, SAMPLE, TINY_MODEL } from '../support/cli';
import { writeDicomSeries } from '../support/dicom';
import { type TrainingFixture, writeTrainingFixture } from '../support/training';

const MODULES = [
  'http',
  'https',
  'http2',
  'net',
  'dns',
  'dns/promises',
  'tls',
  'dgram',
  'inspector',
  'inspector/promises',
  'quic',
];
const GLOBALS = ['fetch', 'WebSocket', 'XMLHttpRequest', 'EventSource', 'sendBeacon', 'RTCPeerConnection'];
const IMPORT = new RegExp(
  `(?:require|import)\\s*\\(?\\s*['"](?:node:)?(?:${MODULES.join('|')})['"]|from\\s*['"](?:node:)?(?:${MODULES.join('|')})['"]`,
);
const GLOBAL_USE = new RegExp(
  `(?<![\\w.'"-])(?:globalThis\\.|self\\.|navigator\\.)?(?:${GLOBALS.join('|')})\\s*\\(|new\\s+(?:${GLOBALS.join('|')})\\b`,
);

const published = (folder: string): string[] =>
  filesBelow(join(ROOT, folder)).filter((path) => /\.[cm]?js$/.test(path));
const usesOf = (pattern: RegExp, path: string): string[] => {
  const found = pattern.exec(withoutComments(readFileSync(path, 'utf8')));
  return found === null ? [] : [`${relative(ROOT, path)}: ${found[0]}`];
};

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

describe('what is published', () => {
  it('imports no network module and calls no network global', () => {
    const files = published('dist');
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap((path) => [...usesOf(IMPORT, path), ...usesOf(GLOBAL_USE, path)])).toEqual([]);
  });

  it('needs no package that imports one', () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const found = Object.keys(dependencies).flatMap((name) =>
      published(`node_modules/${name}`).flatMap((path) => usesOf(IMPORT, path)),
    );
    expect(found).toEqual([]);
  });

  it.each(['require("node:http")', "import net from 'net'", "await import('dns')", 'export * from "https";'])(
    'would be caught: %s',
    (source) => {
      expect(source).toMatch(IMPORT);
    },
  );

  it.each(['fetch(url)', 'await globalThis.fetch(url)', 'new WebSocket(url)'])('would be caught: %s', (source) => {
    expect(source).toMatch(GLOBAL_USE);
  });

  it.each(['build/Release/brain3d.node', 'build/loader/brain3d_loader.node'])(
    '%s calls nothing of the network',
    (file) => {
      const symbols = execFileSync('nm', ['-D', '--undefined-only', join(ROOT, file)], { encoding: 'utf8' });
      const names = symbols.split('\n').map((line) => line.trim().split(/\s+/).at(-1)?.split('@')[0] ?? '');
      const network =
        /^(socket|socketpair|connect|bind|listen|accept4?|send|sendto|sendmsg|recv|recvfrom|recvmsg|getaddrinfo|gethostbyname.*|getnameinfo|res_.*|curl_.*|SSL_.*|uv_(tcp|udp|getaddrinfo).*)$/;
      expect(names).toContain('napi_create_function');
      expect(names.filter((name) => network.test(name))).toEqual([]);
    },
  );
});

const can = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;
const CAN_UNSHARE = can('unshare', '-rn', 'true');
const CAN_TRACE = can('strace', '-f', '-o', '/dev/null', 'true');

describe('what is done', () => {
  let dir: string;
  let fixture: TrainingFixture;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
    fixture = await writeTrainingFixture(join(dir, 'fixture'), { train: 4, val: 2 });
    writeDicomSeries(join(dir, 'slices'), {
      slices: Array.from({ length: 8 }, () => new Uint16Array(32 * 32).map((_, at) => at % 97)),
      ...{ rows: 32, columns: 32, orientation: [1, 0, 0, 0, 1, 0], pixelSpacing: [2, 2], sliceThickness: 2 },
      positions: Array.from({ length: 8 }, (_, index) => [0, 0, 2 * index]),
    });
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const data = () => ['--model', fixture.model, '--data', fixture.data, '--cache', fixture.cache];
  const report = () => ['report', SAMPLE, '--model', TINY_MODEL, '--max-new-tokens', '4'];
  const train = (out: string) => [
    'train',
    '--phase',
    'all',
    ...data(),
    '--out',
    join(dir, out),
    '--epochs',
    '1',
    '--batch-size',
    '2',
  ];
  const evaluate = (out: string) => {
    const settings = ['--split', 'val', '--greedy', '--max-new-tokens', '4', '--resamples', '10'];
    return ['evaluate', ...data(), '--out', join(dir, out), ...settings];
  };
  const cli = (args: string[]): string[] => [process.execPath, join(ROOT, 'dist/cli.js'), ...args];

  function run([program, ...args]: string[], env: NodeJS.ProcessEnv = {}): void {
    const { status, stderr } = spawnSync(program as string, args, {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
  }

  it.each<[string, (out: string) => string[]]>([
    ['report', report],
    ['train', train],
    ['evaluate', evaluate],
    ['doctor', () => ['doctor']],
    ['inspect (DICOM)', () => ['inspect', join(dir, 'slices')]],
  ])('%s tries nothing, in any thread, whatever proxies are set', (name, args) => {
    const record = join(dir, `${name}.record`);
    const proxies = Object.fromEntries(
      ['http_proxy', 'HTTPS_PROXY', 'ALL_PROXY'].map((key) => [key, 'http://127.0.0.1:9']),
    );
    const guard = { NODE_OPTIONS: `--require=${join(ROOT, 'test/support/no-network.cjs')}`, NETWORK_RECORD: record };
    run(cli(args(`${name}-guarded`)), { ...proxies, ...guard });
    expect(existsSync(record) ? readFileSync(record, 'utf8') : '').toBe('');
  });

  it('the guard guards', () => {
    const record = join(dir, 'guard.record');
    const script = join(dir, 'script.mjs');
    writeFileSync(
      script,
      `import { Worker } from 'node:worker_threads'; new Worker("fetch('http://x')", { eval: true }).on('error', () => {});`,
    );
    const guard = { NODE_OPTIONS: `--require=${join(ROOT, 'test/support/no-network.cjs')}`, NETWORK_RECORD: record };
    run([process.execPath, script], guard);
    expect(readFileSync(record, 'utf8')).toBe('global.fetch\n');
  });

  (CAN_UNSHARE ? it : it.skip)(
    `without a network at all: report, train, evaluate${CAN_UNSHARE ? '' : ' (skipped: no unshare -rn here)'}`,
    () => {
      for (const args of [report(), train('offline-run'), evaluate('offline-evaluation')])
        run(['unshare', '-rn', ...cli(args)]);
    },
  );

  (CAN_TRACE ? it : it.skip)(
    `no socket but local ones is opened by any of its threads${CAN_TRACE ? '' : ' (skipped: no strace here)'}`,
    () => {
      for (const [name, args] of Object.entries({
        report: report(),
        train: train('traced-run'),
        evaluate: evaluate('traced-evaluation'),
      })) {
        const trace = join(dir, `${name}.trace`);
        run(['strace', '-f', '-e', 'trace=network', '-o', trace, ...cli(args)]);
        const calls = readFileSync(trace, 'utf8');
        expect(calls).toMatch(/exited with 0/);
        expect(calls.split('\n').filter((line) => /AF_INET6?|AF_NETLINK|AF_PACKET/.test(line))).toEqual([]);
      }
    },
  );
});
