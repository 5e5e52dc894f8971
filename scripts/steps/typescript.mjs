// The step that compiles lib/ (TypeScript) to dist/ (JavaScript and typings).
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runExplained } from './command.mjs';
import { filesUnder, fingerprint, readStamp, writeStamp } from './stamp.mjs';

const INPUTS = ['lib', 'tsconfig.json', 'package-lock.json'];

export const typescript = {
  name: 'TypeScript',
  doing: 'compiling lib/ to dist/',

  isUpToDate({ root }) {
    return (
      readStamp(root, 'typescript') === key(root) && sources(root).every((source) => existsSync(emitted(root, source)))
    );
  },

  async run({ root, verbose }) {
    const before = key(root);
    const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
    await runExplained(process.execPath, [tsc, '-p', 'tsconfig.json'], {
      cwd: root,
      verbose,
      symptoms: [[/error TS\d+/, 'lib/ has type errors', 'correct what the output above names']],
    });
    removeOrphans(root);
    const cli = join(root, 'dist', 'cli.js');
    if (existsSync(cli)) chmodSync(cli, 0o755);
    // The key is that from before compiling, so that a file saved meanwhile is compiled next time.
    writeStamp(root, 'typescript', before);
  },
};

function key(root) {
  return fingerprint(root, INPUTS, {});
}

function sources(root) {
  return filesUnder(join(root, 'lib')).filter((file) => /\.m?ts$/.test(file) && !file.endsWith('.d.ts'));
}

/** Returns the compiled file: dist/a/b.js for lib/a/b.ts, dist/a.mjs for lib/a.mts. */
function emitted(root, source) {
  return join(root, 'dist', relative(join(root, 'lib'), source).replace(/\.(m?)ts$/, '.$1js'));
}

/** Removes the output of sources that were removed or renamed. It would be published and could still be imported. */
function removeOrphans(root) {
  const kept = new Set(sources(root).map((source) => emitted(root, source).replace(/\.m?js$/, '')));
  for (const file of filesUnder(join(root, 'dist'))) {
    if (!kept.has(file.replace(/(\.d)?\.m?[jt]s(\.map)?$/, ''))) rmSync(file);
  }
}
