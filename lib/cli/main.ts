/** The command line: parses, runs one command, turns its outcome into an exit status. Loads no native code itself. */
import { Command, CommanderError } from 'commander';
import { DISCLAIMER } from '../base/disclaimer';
import { Brain3DError, fromSystem } from '../base/errors';
import { packageVersion } from '../base/version';
import { addDataset } from './dataset';
import { addDoctor } from './doctor';
import { addEncode } from './encode';
import { addEvaluate } from './evaluate';
import { addImport } from './import';
import { addInit } from './init';
import { addInspect } from './inspect';
import { addMetrics } from './metrics';
import { printable } from './output';
import { addPreprocess } from './preprocess';
import { addReport } from './report';
import { addScore } from './score';
import { addSimulate } from './simulate';
import { guardStreams, writeErr, writeOut } from './streams';
import { addTrain } from './train';

/** In the order in which help lists them. */
const COMMANDS = [
  addReport,
  addEncode,
  addScore,
  addPreprocess,
  addDataset,
  addSimulate,
  addTrain,
  addEvaluate,
  addMetrics,
  addInit,
  addImport,
  addInspect,
  addDoctor,
];

const FAILURE = 1;
const USAGE = 2;
/** 128 + the signal's number, as shells have it. */
const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Sets `process.exitCode`; does not throw. */
export async function main(argv: string[]): Promise<void> {
  const controller = new AbortController();
  stopOnSignals(controller);
  guardStreams();
  try {
    await createProgram(controller.signal).parseAsync(argv);
  } catch (error) {
    // After a signal its status is already set, and what failed is only what was interrupted.
    if (controller.signal.aborted) return;
    const status = explain(error);
    // Help that could not be written has set its status already.
    if (status !== 0) process.exitCode = status;
  }
}

function createProgram(signal: AbortSignal): Command {
  const program = new Command('brain3d')
    .description('3D brain MRI in, radiology report out.')
    .version(packageVersion())
    .addHelpText('after', `\nbrain3d COMMAND --help explains a command and shows examples.\n${DISCLAIMER}`)
    // Inherited by the commands, which is why they are added afterwards.
    .configureOutput({
      writeOut,
      writeErr,
      outputError: (text, write) => write(text.replace(/^error: /, 'brain3d: ')),
    })
    .exitOverride();
  for (const add of COMMANDS) add(program, signal);
  return program;
}

/** Says on stderr what went wrong; returns the exit status. */
function explain(failure: unknown): number {
  // Commander has said it already; its help and version are no failures.
  if (failure instanceof CommanderError) return failure.exitCode === 0 ? 0 : USAGE;
  const error = fromSystem(failure);
  const isUsage = isUsageError(error);
  const code = (error as { code?: unknown }).code ?? (isUsage ? 'BRAIN3D_USAGE' : undefined);
  const message = error instanceof Error ? error.message : String(error);
  writeErr(`brain3d: ${printable(message)}${code === undefined ? '' : ` [${code}]`}\n`);
  if (process.env.BRAIN3D_DEBUG === '1') console.error(error);
  return isUsage ? USAGE : FAILURE;
}

/** Wrong options end as these, whether this layer or the API's validation finds them. */
function isUsageError(error: unknown): boolean {
  if (Brain3DError.isInstance(error)) return error.code === 'BRAIN3D_USAGE';
  return error instanceof TypeError || error instanceof RangeError;
}

/** The first signal stops the work in order, a second one ends the process at once. */
function stopOnSignals(controller: AbortController): void {
  for (const [name, status] of Object.entries(SIGNAL_STATUS)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(status);
      process.exitCode = status;
      writeErr('\nbrain3d: stopping; once more to exit at once\n');
      controller.abort(new Brain3DError('BRAIN3D_CANCELLED', `stopped by ${name}`));
    });
  }
}
