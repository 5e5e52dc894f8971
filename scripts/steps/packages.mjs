// The step that installs the npm packages of package-lock.json.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runExplained, StepError, which } from './command.mjs';

const ARGUMENTS = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];

export const packages = {
  name: 'npm packages',
  doing: 'installing with npm ci',

  /**
   * Compares the lock file with the one npm keeps of the installed packages, so no stamp is needed. Packages for other
   * platforms are optional and absent.
   */
  isUpToDate({ root }) {
    const installedFile = join(root, 'node_modules', '.package-lock.json');
    if (!existsSync(installedFile)) return false;
    const wanted = readPackages(join(root, 'package-lock.json'));
    const installed = readPackages(installedFile);
    return Object.entries(wanted).every(
      ([path, { version, optional }]) =>
        path === '' || (path in installed ? installed[path].version === version : optional === true),
    );
  },

  async run({ root, verbose }) {
    // Inside `npm run` this is the npm that was started, which need not be the one on PATH.
    const npmScript = process.env.npm_execpath;
    const inNpm = npmScript?.endsWith('.js') && existsSync(npmScript);
    if (!inNpm && which('npm') === null) {
      throw new StepError('npm was not found on PATH', { remedies: ['install Node.js 20.17 or newer with npm'] });
    }
    const [program, args] = inNpm ? [process.execPath, [npmScript, ...ARGUMENTS]] : ['npm', ARGUMENTS];
    await runExplained(program, args, {
      cwd: root,
      verbose,
      symptoms: [
        [
          /can only install packages when your package\.json/,
          'package.json and package-lock.json disagree',
          'run npm install, and commit package-lock.json',
        ],
      ],
    });
  },
};

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}
