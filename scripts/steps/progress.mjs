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

  /**
   * Reads a line that a build tool prints, and shows the progress and about how long the rest takes. It does so on a
   * terminal only, because a log needs one line.
   */
  watch(line) {
    // Ninja's [12/87] and make's [ 14%].
    const [, percent, ninjaDone, ninjaTotal] = /^\[(?: *(\d+)%|(\d+)\/(\d+))\]/.exec(line) ?? [];
    if (!this.#rewrites || this.#verbose || (percent ?? ninjaDone) === undefined) return;
    const [done, total] = percent === undefined ? [ninjaDone, ninjaTotal].map(Number) : [Number(percent), 100];
    const left = (this.#milliseconds() / 1000 / Math.max(done, 1)) * (total - done);
    const text = percent === undefined ? `${done}/${total}` : `${done} %`;
    process.stderr.write(`\r\x1b[K${this.#label}: ${text}, about ${Math.ceil(left)} s left `);
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

  #milliseconds() {
    return performance.now() - this.#started;
  }

  #seconds() {
    return (this.#milliseconds() / 1000).toFixed(1);
  }
}
