/** Names rows by their folder, with as much of the path as tells them apart. */
import { resolve, sep } from 'node:path';
import { CONTROL_NAMES } from './controls';

/** The folder into which `train` puts the model of a phase. Alone this name says nothing. */
const NAMELESS = 'best';

/**
 * Names models so that no two rows of an evaluation have one name. A name is the base name, or `phase/best` for a
 * trained phase. It is longer where two would be the same or one would be a control's, and has a number where the path
 * has no more parts.
 * @throws {RangeError} if a directory is named twice
 */
export function modelNames(directories: readonly string[]): string[] {
  const paths = directories.map((directory) =>
    resolve(directory)
      .split(sep)
      .filter((part) => part !== ''),
  );
  const joined = paths.map((parts) => parts.join('/'));
  const twice = joined.findIndex((path, i) => joined.indexOf(path) !== i);
  if (twice !== -1) throw new RangeError(`evaluate: expected each model once, got '${paths[twice]?.at(-1)}' twice`);
  const lengths = paths.map((parts): number => (parts.at(-1) === NAMELESS ? 2 : 1));
  for (;;) {
    const names = paths.map((parts, i) => shown(parts.slice(-(lengths[i] as number)).join('/')));
    const longer = [...names.keys()].filter(
      (i) => isTaken(names, i) && (lengths[i] as number) < (paths[i] as string[]).length,
    );
    if (longer.length === 0) return numbered(names);
    for (const i of longer) lengths[i] = (lengths[i] as number) + 1;
  }
}

/** Removes characters that would break a line of a table or turn its direction. */
function shown(name: string): string {
  return name.replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd').trim() || '/';
}

function isTaken(names: readonly string[], i: number): boolean {
  const name = names[i] as string;
  return isControl(name) || names.some((other, k) => k !== i && other === name);
}

/** Whether a name looks like a control's. A reader tells names apart neither by case nor by how words are divided. */
function isControl(name: string): boolean {
  const plain = (text: string) => text.toLowerCase().replace(/[\s_-]+/g, ' ');
  return CONTROL_NAMES.some((control) => plain(control) === plain(name));
}

/** Appends numbers, as in "name (2)", where a path cannot tell two names apart. */
function numbered(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 2; taken.has(unique) || isControl(unique); count++) unique = `${name} (${count})`;
    taken.add(unique);
    return unique;
  });
}

/** Returns file names for rows: no two are alike, and no file system can misread one. */
export function fileStems(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const plain = name.replace(/[^\w.-]/g, '-').replace(/^[.-]+/, '') || 'model';
    let stem = plain;
    for (let count = 2; taken.has(stem.toLowerCase()); count++) stem = `${plain}-${count}`;
    taken.add(stem.toLowerCase());
    return stem;
  });
}
