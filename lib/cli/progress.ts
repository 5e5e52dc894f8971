/** Shows progress on stderr: a bar on a terminal, one line for each stage elsewhere. */
import { Presets, SingleBar } from 'cli-progress';
import { note } from './output';

const LABELS: Record<string, string> = {
  vision: 'loading the vision backbone',
  language: 'loading the language backbone',
  reports: 'writing reports',
  headers: 'reading headers and reports',
  images: 'comparing images',
  files: 'checking files',
  preprocessing: 'preprocessing scans',
  montages: 'drawing montages',
  verifying: 'verifying the cache',
  texts: 'embedding reports',
  features: 'encoding scans',
  validating: 'validating',
  lesions: 'measuring lesions',
  generations: 'generating reports',
  scoring: 'scoring',
};

export interface ProgressUpdate {
  stage: string;
  done: number;
  total: number;
  detail?: string;
}

export class Progress {
  readonly #bar: SingleBar | null;
  #stage = '';
  /** The stages that have had their line. */
  readonly #said = new Set<string>();

  constructor() {
    this.#bar = process.stderr.isTTY
      ? new SingleBar(
          {
            stream: process.stderr,
            format: '{label} [{bar}] {percentage}%',
            clearOnComplete: true,
            // Signals are handled in one place, and not here.
            gracefulExit: false,
          },
          Presets.shades_classic,
        )
      : null;
  }

  /** Shows that a stage begins or moves on; `detail` is what changes within it. */
  readonly update = ({ stage, done, total, detail }: ProgressUpdate): void => {
    const label = `${LABELS[stage] ?? stage}${detail === undefined || this.#bar === null ? '' : `, ${detail}`}`;
    const isNew = stage !== this.#stage;
    this.#stage = stage;
    if (this.#bar === null) {
      // The line is printed once, since training comes to some of its stages in every epoch.
      if (!this.#said.has(stage)) note(label);
      this.#said.add(stage);
      return;
    }
    if (isNew) {
      this.#bar.stop();
      this.#bar.start(total, done, { label });
    } else {
      this.#bar.update(done, { label });
    }
  };

  /** Removes the bar; must be called before anything else is written to the terminal. */
  stop(): void {
    this.#bar?.stop();
    this.#stage = '';
  }
}

/** Runs `work` with a progress bar that is removed when it ends, however it ends. */
export async function withProgress<T>(work: (progress: Progress) => Promise<T>): Promise<T> {
  const progress = new Progress();
  try {
    return await work(progress);
  } finally {
    progress.stop();
  }
}
