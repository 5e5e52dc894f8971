// Runs what the documents say, or compares it with the code. docs/testing.md lists the files that a command in them finds.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildDataset } from 'brain3d';
import { toSnake } from '../../dist/base/key-case';
import { PHASE_DEFINITIONS } from '../../dist/training/phases';
import { type Ending, parsed, ROOT, runNode, runScript, SAMPLE } from '../support/child';
import { brain3d } from '../support/cli';
import { writeDatasetFolders } from '../support/dataset';
import { writeGoldenTokenizer } from '../support/tokenizer';
import { DOCUMENTS, namesIn, read } from './documents';

interface Block {
  language: string;
  code: string;
  /** `README.md:41` */
  place: string;
}

function blocksOf(path: string): Block[] {
  const text = read(path);
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] as string,
    code: match[2] as string,
    place: `${path}:${text.slice(0, match.index).split('\n').length}`,
  }));
}

const BLOCKS = DOCUMENTS.flatMap(blocksOf);

function linesOf({ code, place }: Block): [place: string, line: string][] {
  const lines = code.replace(/\\\n\s*/g, ' ').split('\n');
  return lines.filter((line) => /\bbrain3d\b/.test(line)).map((line) => [place, line]);
}

function expectSuccess({ code, stderr }: Ending): void {
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
}

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'brain3d-docs-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('commands in the documents', () => {
  const commands = BLOCKS.filter(({ language }) => language === 'sh').flatMap(linesOf);
  const golden = (path: string) => join(ROOT, 'test/golden', path);
  const tiny = (path: string) => join(ROOT, 'models/tiny', path);
  const data = () => join(home, 'data');
  let count = 0;
  beforeAll(async () => {
    await writeDatasetFolders(data());
    const [brats, reports, healthy] = ['brats', 'reports', 'healthy'].map((name) => join(data(), name));
    await buildDataset({ brats, reports, healthy, out: join(data(), 'manifest.jsonl') });
  });

  /** A directory with everything that commands name, and the files that they are to make left out. */
  function stage(line: string): string {
    const directory = join(home, String(count++));
    const put = (source: string, name: string) => cpSync(source, join(directory, name), { recursive: true });
    put(SAMPLE, 'scan.nii.gz');
    for (const name of ['vision', 'language']) put(tiny(name), name);
    if (!/--out checkpoint\b/.test(line)) put(tiny('checkpoint'), 'checkpoint');
    writeFileSync(join(directory, 'report.txt'), 'There is no lesion.\n');
    for (const name of ['references', 'hypotheses'])
      writeFileSync(
        join(directory, `${name}.jsonl`),
        '{"id":"a","text":"A lesion in the left lobe."}\n{"id":"b","text":"A normal brain."}\n',
      );
    put(golden('models/vision'), 'medsiglip');
    for (const name of ['gemma-3-4b', 'medgemma-4b']) {
      put(golden('models/gemma_text'), name);
      writeGoldenTokenizer(join(directory, name));
    }
    put(golden('peer/phase2b'), 'phase2b');
    for (const name of readdirSync(data())) {
      if (!line.includes(`--out ${name}`)) put(join(data(), name), name);
    }
    return directory;
  }

  /** `brain3d` is the built program, `npx` runs what follows it. */
  function programs(): string {
    const directory = join(home, 'bin');
    mkdirSync(directory, { recursive: true });
    const program = `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'dist/cli.js')}' "$@"\n`;
    writeFileSync(join(directory, 'brain3d'), program, { mode: 0o755 });
    writeFileSync(join(directory, 'npx'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    return directory;
  }

  function runShell(line: string, cwd: string): Promise<Ending> {
    return new Promise((resolve, reject) => {
      const env = { ...process.env, PATH: `${programs()}:${process.env.PATH}` };
      const child = spawn('sh', ['-c', line], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
      const out = { stdout: '', stderr: '' };
      child.stdout.on('data', (chunk) => {
        out.stdout += chunk;
      });
      child.stderr.on('data', (chunk) => {
        out.stderr += chunk;
      });
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, ...out }));
    });
  }

  /** As the shell would, which only what it alone understands is left to: a process takes three times as long. */
  async function run(line: string, cwd: string): Promise<Ending> {
    const plain = /^(?:npx )?brain3d ([\w ./,=+:-]+)$/.exec(line.trim())?.[1];
    if (plain === undefined) return runShell(line, cwd);
    const { status, ...out } = await brain3d(plain.trim().split(/ +/), { cwd });
    return { code: status, signal: null, ...out };
  }

  // A line that stands in several places is run once.
  const lines = [...new Set(commands.map(([, line]) => line.trim()))].map(
    (line) => [commands.filter(([, other]) => other.trim() === line).map(([place]) => place), line] as const,
  );

  it.each(lines)('%s: %s', async (_places, line) => {
    const directory = stage(line);
    expectSuccess(await run(line, directory));
    for (const [, made] of line.matchAll(/--out (\S+)/g)) expect(readdirSync(directory)).toContain(made);
  });

  it('use every command of the program', async () => {
    const used = commands.map(([, line]) => /brain3d (\w+)/.exec(line)?.[1]);
    expect([...new Set(used)].sort()).toEqual(await commandNames());
  });

  it('are all in blocks that say whether they are run', () => {
    const silent = BLOCKS.filter(({ language, code }) => language === '' && /^(npx )?brain3d /m.test(code));
    expect(silent.map(({ place }) => place)).toEqual([]);
  });
});

describe('programs in the documents', () => {
  const snippets = BLOCKS.filter(({ language }) => language === 'js').map(({ place, code }) => [place, code] as const);

  it('are there', () => expect(snippets.length).toBeGreaterThanOrEqual(2));

  it.each(snippets)('%s runs', async (_place, code) => {
    expectSuccess(await runNode(['--input-type=module', '--eval', code]));
  });

  it.each(namesIn('examples'))('examples/%s runs', async (name) => {
    const results = name === 'preprocess.mjs' ? [SAMPLE, join(home, 'preprocessed')] : [];
    const ending = await runNode([join('examples', name), ...results]);
    expectSuccess(ending);
    expect(ending.stdout).not.toBe('');
  });
});

describe('docs/api.md', () => {
  const text = read('docs/api.md');
  let runtime: {
    esm: string[];
    cjs: string[];
    errorCodes: string[];
    options: Record<string, string[]>;
    settings: Record<string, unknown>;
  };
  beforeAll(async () => {
    const ending = await runScript(`
      import { createRequire } from 'node:module';
      // An unknown option far from every known one is refused with the list of those.
      const known = async (call) => {
        const error = await (async () => call({ ['z'.repeat(30)]: 1 }))().catch((failure) => failure);
        return /; known are (.*)$/.exec(error.message)[1].split(', ');
      };
      const model = await Brain3D.load({ model: MODEL });
      const volume = await loadVolume(SAMPLE);
      const report = await model.generate(volume);
      const options = {
        'Brain3D.load': await known(Brain3D.load),
        'model.generate': await known((wrong) => model.generate(volume, wrong)),
        'model.stream': await known((wrong) => model.stream(volume, wrong)),
        'model.encode': await known((wrong) => model.encode(volume, wrong)),
        'model.score': await known((wrong) => model.score(volume, 'x', wrong)),
        loadVolume: await known((wrong) => loadVolume(SAMPLE, wrong)),
        inspectVolume: await known((wrong) => brain3d.inspectVolume(SAMPLE, wrong)),
        preprocess: await known((wrong) => preprocess(volume, wrong)),
        'volume.write': await known((wrong) => volume.write('unused.nii', wrong)),
        initCheckpoint: await known(brain3d.initCheckpoint),
        importCheckpoint: await known(brain3d.importCheckpoint),
        buildDataset: await known(brain3d.buildDataset),
        checkDataset: await known((wrong) => brain3d.checkDataset('unused.jsonl', wrong)),
        showDataset: await known((wrong) => brain3d.showDataset('unused.jsonl', wrong)),
        preprocessDataset: await known(brain3d.preprocessDataset),
        openCachedVolume: await known((wrong) => brain3d.openCachedVolume('unused.safetensors', wrong)),
        scoreTexts: await known((wrong) => brain3d.scoreTexts([], [], wrong)),
        simulateCohort: await known(brain3d.simulateCohort),
        simulateSubject: await known(brain3d.simulateSubject),
        bertScore: await known((wrong) => brain3d.bertScore([], wrong)),
        Trainer: await known((wrong) => new brain3d.Trainer(wrong)),
        evaluate: await known(brain3d.evaluate),
      };
      await model.dispose();
      const cjs = Object.keys(createRequire(SAMPLE)('brain3d'));
      const { settings } = report;
      console.log(JSON.stringify({ esm: Object.keys(brain3d), cjs, errorCodes: brain3d.ERROR_CODES, options, settings }));
    `);
    runtime = parsed(ending);
  });

  /** Rows of the option table under the heading of `name`: option to default. */
  function optionTable(name: string): Map<string, string> {
    const start = text.indexOf(`### \`${name}(`);
    expect(start).toBeGreaterThan(0);
    const section = text.slice(start).split(/\n##+ /)[0] as string;
    const table = /^\| option \| default \| \|\n\|[-|]+\|\n((?:\|.*\n)+)/m.exec(section)?.[1] ?? '';
    return new Map(
      [...table.matchAll(/^\| `(\w+)` \| (.*?) ?\|/gm)].map((row) => [row[1] as string, row[2] as string]),
    );
  }

  it('names exactly the runtime exports, the same for import and require', () => {
    const table = /<!-- exports -->([\s\S]*)<!-- \/exports -->/.exec(text)?.[1] ?? '';
    const named = [...table.matchAll(/^\| `(\w+)` \|/gm)].map((row) => row[1]);
    const isOurs = (name: string) => !['default', 'module.exports', '__esModule'].includes(name);
    expect(named.sort()).toEqual(runtime.cjs.filter(isOurs).sort());
    expect(runtime.esm.filter(isOurs).sort()).toEqual(runtime.cjs.filter(isOurs).sort());
  });

  it.each([
    ['Brain3D.load', 'Brain3D.load'],
    ['model.generate', 'model.generate'],
    ['model.stream', 'model.generate'],
    ['model.encode', 'model.encode'],
    ['model.score', 'model.score'],
    ['loadVolume', 'loadVolume'],
    ['inspectVolume', 'loadVolume'],
    ['preprocess', 'preprocess'],
    ['volume.write', 'volume.write'],
    ['initCheckpoint', 'initCheckpoint'],
    ['importCheckpoint', 'importCheckpoint'],
    ['buildDataset', 'buildDataset'],
    ['checkDataset', 'checkDataset'],
    ['showDataset', 'showDataset'],
    ['preprocessDataset', 'preprocessDataset'],
    ['openCachedVolume', 'openCachedVolume'],
    ['scoreTexts', 'scoreTexts'],
    ['simulateCohort', 'simulateCohort'],
    ['simulateSubject', 'simulateSubject'],
    ['bertScore', 'bertScore'],
    ['Trainer', 'Trainer'],
    ['evaluate', 'evaluate'],
  ])('names exactly the options of %s (table of %s)', (name, table) => {
    expect([...optionTable(table).keys()].sort()).toEqual(runtime.options[name]?.sort());
  });

  it('gives the defaults that decoding uses', () => {
    const stated = [...optionTable('model.generate')].flatMap(([name, value]) => {
      const literal = /^`(.*)`$/.exec(value)?.[1];
      return literal === undefined || !(name in runtime.settings) ? [] : [[name, JSON.parse(literal)]];
    });
    const { topK: _fromTheModel, ...settings } = runtime.settings;
    expect(Object.fromEntries(stated)).toEqual(settings);
  });

  it('names exactly the exported types', () => {
    const named = /^Types only: ([\s\S]*?)\n\n/m.exec(text)?.[1] ?? '';
    const types = [...read('lib/index.ts').matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, isType, names]) =>
      [...(names as string).matchAll(/(type )?(\w+)(?=,|\s*$)/g)]
        .filter((name) => isType || name[1])
        .map((name) => name[2]),
    );
    expect([...named.matchAll(/`(\w+)`/g)].map((match) => match[1])).toEqual(types.sort());
  });

  it('docs/errors.md has a section for exactly the codes', () => {
    const sections = [...read('docs/errors.md').matchAll(/^## (\S+)$/gm)].map((match) => match[1]);
    expect(sections).toEqual(runtime.errorCodes);
  });
});

test('docs/training.md names exactly the settings, with the defaults that training uses', () => {
  const table = /<!-- settings -->([\s\S]*)<!-- \/settings -->/.exec(read('docs/training.md'))?.[1] ?? '';
  const rows = new Map(
    [...table.matchAll(/^\| `(\w+)` \| (.*?) ?\|/gm)].map((row) => [row[1] as string, row[2] as string]),
  );
  const { defaults } = PHASE_DEFINITIONS['lora-sft'];
  expect([...rows.keys()].sort()).toEqual(Object.keys(defaults).map(toSnake).sort());
  for (const [name, value] of Object.entries(defaults)) {
    const stated = /^`(.*)`$/.exec(rows.get(toSnake(name)) as string)?.[1];
    if (stated !== undefined) expect([name, stated]).toEqual([name, name === 'adamEpsilon' ? '1e-8' : String(value)]);
  }
});

describe('docs/cli.md', () => {
  const text = read('docs/cli.md');
  const [overview, shared, ...rest] = text.split(/^## /m) as [string, string, ...string[]];
  const optionsIn = (part: string) => [...new Set(part.match(/(?<![\w-])--[a-z][a-z-]*/g) ?? [])];

  it('lists the commands of the program', async () => {
    const listed = [...overview.matchAll(/^brain3d (\w+)/gm)].map((match) => match[1]);
    expect(listed.sort()).toEqual(await commandNames());
  });

  it('names the same options as --help, command by command', async () => {
    const helps = await Promise.all(
      (await commandNames()).map(async (name) => [name, await helpOptions(name)] as const),
    );
    const documented = rest.map((section) => ({
      names: (section.split('\n')[0] as string).split(', '),
      options: optionsIn(section),
    }));
    const missing: string[] = [];
    for (const [name, help] of helps) {
      const own = documented.find(({ names }) => names.includes(name))?.options ?? [];
      missing.push(
        ...help.filter((option) => ![...own, ...optionsIn(shared)].includes(option)).map((o) => `${name} ${o}`),
      );
    }
    const unknown = documented.flatMap(({ names, options }) => {
      const known = helps.filter(([name]) => names.includes(name)).flatMap(([, help]) => help);
      return options.filter((option) => !known.includes(option)).map((option) => `${names}: ${option}`);
    });
    const anywhere = helps.flatMap(([, help]) => help);
    unknown.push(...optionsIn(shared).filter((option) => !anywhere.includes(option)));
    expect({ missing, unknown }).toEqual({ missing: [], unknown: [] });
  });
});

async function help(...args: string[]): Promise<string> {
  const { code, stdout } = await runNode(['dist/cli.js', ...args, '--help']);
  expect(code).toBe(0);
  return stdout;
}

/** The commands of the program, or those below one of its commands. */
async function commandNames(...parents: string[]): Promise<string[]> {
  const list = /^Commands:\n([\s\S]*?)(?:\n\n|$(?![\s\S]))/m.exec(await help(...parents))?.[1] ?? '';
  const names = [...list.matchAll(/^ {2}(\w+)/gm)].map((match) => match[1] as string);
  return names.filter((name) => name !== 'help').sort();
}

/** Those of a command and of the commands below it. */
async function helpOptions(...command: string[]): Promise<string[]> {
  const list = /^Options:\n([\s\S]*?)\n\n/m.exec(await help(...command))?.[1] ?? '';
  const names = [...list.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map((match) => match[1] as string);
  const below = await Promise.all((await commandNames(...command)).map((name) => helpOptions(...command, name)));
  return [...new Set([...names.filter((name) => name !== '--help'), ...below.flat()])];
}
