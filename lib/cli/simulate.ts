/** The command `brain3d simulate`, which draws a cohort of known truth in the layouts of the real datasets. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { simulateCohort } from '../simulate/cohort';
import { FOLDERS } from '../simulate/layout';
import type { CohortStatistics, Spread } from '../simulate/statistics';
import { addSeed, integer } from './options';
import { note, printJson, printTable } from './output';
import { Progress } from './progress';

const DESCRIPTION =
  'Writes simulated subjects on real anatomy: patients with gliomas as BraTS 2020 has them, their reports as TextBraTS, ' +
  'healthy controls as BIDS, and the truth about each. Interrupted, the same command goes on where it stopped.';

interface SimulateFlags {
  out: string;
  subjects?: number;
  seed?: number;
  grid?: 'native' | 'small';
  keepSkull?: true;
  /** Commander's name for `--no-mass-effect`. */
  massEffect: boolean;
  workers?: number;
  json?: true;
}

export function addSimulate(program: Command, signal: AbortSignal): void {
  const command = program
    .command('simulate')
    .summary('write a simulated cohort')
    .description(DESCRIPTION)
    .requiredOption('--out <dir>', 'directory to write: new, or begun with the same options')
    .option('--subjects <n>', "patients and controls together, in the paper's proportions (default: 468)", integer);
  addSeed(command, 'of everything that is drawn')
    .addOption(
      new Option('--grid <name>', '240 x 240 x 155 at 1 mm, or half of it (default: native)').choices([
        'native',
        'small',
      ]),
    )
    .option('--keep-skull', 'whole heads, with the true brain masks beside')
    .option('--no-mass-effect', 'lesions that displace nothing')
    .option('--workers <n>', 'threads (default: one for each core)', integer)
    .option('--json', 'prints the statistics as JSON')
    .addHelpText('after', '\nExample:\n  brain3d simulate --out cohort --subjects 4 --grid small')
    .action((flags: SimulateFlags) => run(flags, signal));
}

async function run({ json, ...flags }: SimulateFlags, signal: AbortSignal): Promise<void> {
  const progress = new Progress();
  try {
    const statistics = await simulateCohort({ ...flags, signal, onProgress: progress.update });
    progress.stop();
    if (json === true) printJson(statistics);
    else printTable(rows(statistics));
  } finally {
    progress.stop();
  }
  const [brats, reports, healthy] = Object.values(FOLDERS).map((folder) => join(flags.out, folder));
  note(`wrote ${flags.out}; simulated, no patient data`);
  note(`next: brain3d dataset build --brats ${brats} --reports ${reports} --healthy ${healthy} --out MANIFEST.jsonl`);
}

function rows(statistics: CohortStatistics): [string, string][] {
  const { patients, controls, laterality, lobes, findings, edema } = statistics;
  const counts = (values: Record<string, number>) =>
    Object.entries(values)
      .map(([name, value]) => `${name.replace('_', ' ')} ${value}`)
      .join(', ');
  const spread = ({ min, median, max }: Spread) => `median ${median} ml (${min} to ${max})`;
  return [
    ['patients, controls', `${patients}, ${controls}`],
    ['side of the lesion', counts(laterality)],
    ['regions', counts(lobes)],
    ['findings', counts({ ...findings })],
    ['edema', counts(edema)],
    ['lesion', spread(statistics.lesionMl)],
    ['its core', spread(statistics.coreMl)],
    ['its edema', spread(statistics.edemaMl)],
    ['brain', spread(statistics.brainMl)],
  ];
}
