/**
 * The command line: parses the arguments, runs one command and turns its outcome into an exit status. It loads no
 * native code itself.
 */
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

/** The commands in the order in which help lists them. */
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
/** The exit status is 128 plus the signal's number, as in shells. */
const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Runs the command line and sets `process.exitCode`; does not throw. */
export async function main(argv: string[]): Promise<void> {
  const controller = new AbortController();
  stopOnSignals(controller);
  guardStreams();
  try {
    await createProgram(controller.signal).parseAsync(argv);
  } catch (error) {
    // After a signal its status is already set, and the error is only that of the interrupted work.
    if (controller.signal.aborted) return;
    const status = explain(error);
    // A failure to write the help has set its status already.
    if (status !== 0) process.exitCode = status;
  }
}

function createProgram(signal: AbortSignal): Command {
  const program = new Command('brain3d')
    .description('3D brain MRI in, radiology report out.')
    .version(packageVersion())
    .addHelpText('after', `\nbrain3d COMMAND --help explains a command and shows examples.\n${DISCLAIMER}`)
    // The commands inherit this, which is why they are added afterwards.
    .configureOutput({
      writeOut,
      writeErr,
      outputError: (text, write) => write(text.replace(/^error: /, 'brain3d: ')),
    })
    .exitOverride();
  for (const add of COMMANDS) add(program, signal);
  return program;
}

/** Prints on stderr what went wrong; returns the exit status. */
function explain(failure: unknown): number {
  // Commander has printed it already; its help and version are no failures.
  if (failure instanceof CommanderError) return failure.exitCode === 0 ? 0 : USAGE;
  const error = fromSystem(failure);
  const isUsage = isUsageError(error);
  const code = (error as { code?: unknown }).code ?? (isUsage ? 'BRAIN3D_USAGE' : undefined);
  const message = error instanceof Error ? error.message : String(error);
  writeErr(`brain3d: ${printable(message)}${code === undefined ? '' : ` [${code}]`}\n`);
  if (process.env.BRAIN3D_DEBUG === '1') console.error(error);
  return isUsage ? USAGE : FAILURE;
}

/** Whether the error is about wrong options, found by this layer or by the API's validation. */
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
