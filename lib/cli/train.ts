/** The command `brain3d train`, which runs one phase of training, or all of them. */
import { type Command, Option } from 'commander';
import { DISCLAIMER } from '../base/disclaimer';
import type { LoadOptions } from '../model/model';
import { DTYPES } from '../native/device';
import type { TrainingResult } from '../training/events';
import { PHASE_DEFINITIONS, TRAINING_PHASES, type TrainingPhase } from '../training/phases';
import { ON_SAVE_ERROR, type OnSaveError } from '../training/run-saver';
import { Trainer, type TrainerOptions } from '../training/trainer';
import { addSeed, device, integer } from './options';
import { note, print, printJson } from './output';
import { type Progress, withProgress } from './progress';

const EXAMPLES = `
Examples:
  brain3d train --phase all --model checkpoint --data manifest.jsonl --out run --config configs/paper.json
  brain3d train --phase all --model checkpoint --data manifest.jsonl --out run --config configs/paper.json --resume
  brain3d report scan.nii.gz --model run/lora-sft/best`;

/** The paper's names of the phases. */
const BY_PAPER_NAME = new Map<string, TrainingPhase>(
  TRAINING_PHASES.map((phase) => [PHASE_DEFINITIONS[phase].paperName, phase]),
);

interface TrainFlags {
  phase: string;
  model: string;
  data: string;
  out: string;
  config?: string;
  resume?: true;
  cache?: string;
  epochs?: number;
  batchSize?: number;
  microBatch?: number;
  recompute?: boolean;
  patience?: number;
  saveSteps?: number;
  onSaveError?: OnSaveError;
  seed?: number;
  device?: string;
  dtype?: LoadOptions['dtype'];
  json?: true;
}

export function addTrain(program: Command, signal: AbortSignal): void {
  const command = program
    .command('train')
    .summary('train a model')
    .description(
      'Trains a model by one phase or by all of them, each from the best model of the one before. OUT gets a folder for ' +
        'each phase, with saved states to go on from, a log, curves, and the best model.',
    )
    .addOption(
      new Option('--phase <name>', "the paper's phase").choices([...BY_PAPER_NAME.keys(), 'all']).makeOptionMandatory(),
    )
    .requiredOption('--model <dir>', 'checkpoint directory to start from')
    .requiredOption('--data <manifest>', 'manifest of the dataset')
    .requiredOption('--out <dir>', 'folder of the run')
    .option('--config <file>', 'settings as JSON; the options here are laid over it')
    .option('--resume', 'go on with the run in OUT, or begin it if there is none')
    .option('--cache <dir>', 'of preprocessed volumes and features (default: OUT/cache)')
    .option('--epochs <n>', 'at most (default: 100)', integer)
    .option('--batch-size <n>', 'scans of a step (default: 128)', integer)
    .option('--micro-batch <n>', 'scans computed at a time: memory only (default: by phase)', integer)
    .option('--recompute', 'compute activations twice instead of keeping them (default: in phase 1)')
    .option('--no-recompute', 'keep activations')
    .option('--patience <n>', 'epochs without improvement before it stops (default: 15; 0: never)', integer)
    .option('--save-steps <n>', 'steps between saved states within an epoch (default: 0, at its end only)', integer)
    .addOption(
      new Option(
        '--on-save-error <what>',
        'continue: go on without the state that cannot be written, and try the next one (default: stop)',
      ).choices(ON_SAVE_ERROR),
    );
  addSeed(command, 'of the order, the dropout and a fresh adapter')
    .option('--device <name>', 'auto, cpu, cuda or cuda:N (default: auto)', device)
    .addOption(new Option('--dtype <name>', 'of the computation (default: auto)').choices(DTYPES))
    .option('--json', 'print what came of each phase as JSON')
    .addHelpText('after', EXAMPLES)
    .action((flags: TrainFlags) => run(flags, signal));
}

async function run({ phase, json, ...flags }: TrainFlags, signal: AbortSignal): Promise<void> {
  const options: TrainerOptions = { ...flags, phase: BY_PAPER_NAME.get(phase) ?? 'all', signal };
  const { phases, model } = await withProgress(async (progress) => {
    await using trainer = new Trainer(options);
    show(trainer, progress);
    return await trainer.run();
  });
  if (json) printJson({ phases, model, researchUseOnly: true, disclaimer: DISCLAIMER });
  else print(`${summary(phases)}\n\n${DISCLAIMER}`);
}

function summary(phases: TrainingResult['phases']): string {
  const lines = phases.map(({ phase, best, epochs, reason, model }) => {
    const end = reason === 'early-stop' ? 'stopped early' : 'all epochs';
    return `${phase}: validation loss ${best.loss.toFixed(4)} in epoch ${best.epoch} of ${epochs} (${end}); ${model}`;
  });
  return lines.join('\n');
}

/** Shows a bar that moves with each step, and prints a line for each lasting result. */
function show(trainer: Trainer, progress: Progress): void {
  const say = (line: string): void => {
    progress.stop();
    note(line);
  };
  let total = 0;
  trainer.on('warning', say);
  trainer.on('saveError', ({ error }) => say(`warning: ${error.message} [${error.code}]`));
  trainer.on('progress', (update) => progress.update(update));
  trainer.on('phase', (start) => {
    total = start.epochs * start.stepsPerEpoch;
    const from = start.resumedAt === 0 ? '' : `, from step ${start.resumedAt}`;
    say(
      `${start.phase}: ${start.numParameters} parameters, ${start.trainScans} scans (${start.valScans} to validate), ` +
        `${start.epochs} epochs of ${start.stepsPerEpoch} steps on ${start.device} in ${start.dtype}${from}`,
    );
  });
  trainer.on('step', ({ phase, step, loss }) =>
    progress.update({ stage: phase, done: step, total, detail: `loss ${loss.toFixed(4)}` }),
  );
  trainer.on('validation', ({ phase, epoch, loss, best_loss, epochs_without_improvement: waited }) => {
    const judgement = waited === 0 ? 'best so far' : `best ${best_loss.toFixed(4)}, ${waited} epochs ago`;
    say(`${phase}: epoch ${epoch}, validation loss ${loss.toFixed(4)} (${judgement})`);
  });
  trainer.on('earlyStop', ({ phase, epoch }) => say(`${phase}: stopped after epoch ${epoch}`));
}
