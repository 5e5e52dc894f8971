// Prints one line per step on stderr (stdout is for results): `[2/4] TypeScript: done in 1.2 s`.
import { StepError } from './command.mjs';

export class Progress {
  #label;
  #verbose;
  #started = performance.now();
  #rewrites = process.stderr.isTTY === true;
  #open = false;

  constructor(label, verbose) {
    this.#label = label;
    this.#verbose = verbose;
  }

  /** Begins the step. Its line stays open until `finish` or `fail`. */
  start(doing) {
    process.stderr.write(`${this.#label}: ${doing} ... `);
    this.#open = true;
    if (this.#verbose) this.#endLine();
  }

  /** Prints something a person should know while waiting, on a line of its own. */
  note(text) {
    process.stderr.write(text);
    this.#endLine();
  }

  /** Shows the progress (`12/87`) on a terminal only, since a log needs one line. */
  update(text) {
    if (this.#rewrites && !this.#verbose) process.stderr.write(`\r\x1b[K${this.#label}: ${text} `);
  }

  finish(state, detail = '') {
    const clear = this.#rewrites && this.#open ? '\r\x1b[K' : '';
    const label = this.#open && clear === '' ? '' : `${this.#label}: `;
    const time = state === 'up to date' ? '' : ` in ${this.#seconds()} s`;
    process.stderr.write(`${clear}${label}${state}${time}${detail ? ` (${detail})` : ''}\n`);
  }

  /** Prints the whole output, then the step, the command, the reason and the remedy. */
  fail(error) {
    process.stderr.write(`failed after ${this.#seconds()} s\n`);
    if (!(error instanceof StepError)) return;
    const lines = [
      ...(error.output ? [error.output.trimEnd()] : []),
      '',
      `${this.#label}: failed`,
      ...(error.command ? [`  command: ${error.command}`] : []),
      `  why:     ${error.message.replaceAll('\n', '\n           ')}`,
      ...error.remedies.map((remedy) => `  do:      ${remedy}`),
      '',
    ];
    process.stderr.write(lines.join('\n'));
  }

  #endLine() {
    process.stderr.write('\n');
    this.#open = false;
  }

  #seconds() {
    return ((performance.now() - this.#started) / 1000).toFixed(1);
  }
}
