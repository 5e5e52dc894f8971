/** What rows are called: by folder, with as much of the path as tells them apart. */
import { resolve, sep } from 'node:path';

/** `train` puts the model of a phase into a folder of this name: alone it says nothing. */
const NAMELESS = 'best';

/**
 * Base names; `phase/best` of a trained phase; longer where two would be the same.
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
    const names = paths.map((parts, i) => parts.slice(-(lengths[i] as number)).join('/'));
    const repeated = names.map((name) => names.filter((other) => other === name).length > 1);
    if (!repeated.includes(true)) return names;
    for (const [i, isRepeated] of repeated.entries()) if (isRepeated) lengths[i] = (lengths[i] as number) + 1;
  }
}

/** Names of files for rows: nothing that a file system could misread, and no two alike. */
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
