/** A report as JSON, and the files that `--out` writes. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../checkpoint';
import type { GenerateOptions } from '../generation';
import type { Brain3D } from '../model';
import { montage } from '../montage';
import type { Report } from '../report';
import { snakeCase } from '../spelling';
import { type Finished, preprocessFor } from './report-runs';

const MAX_NAME = 100;

/** The JSON document of a report. */
export function reportDocument(report: Report): unknown {
  const { text, tokenIds, finishReason, counts, timingsMs, device, dtype, settings, ...rest } = report;
  const { seed } = settings;
  return snakeCase({ report: text, tokenIds, finishReason, counts, timingsMs, device, dtype, seed, settings, ...rest });
}

/** A directory of results, for the user only. Names are unique within one run; files of an earlier run are replaced. */
export class ReportFolder {
  readonly #directory: string;
  readonly #taken = new Set<string>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async make(directory: string): Promise<ReportFolder> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return new ReportFolder(directory);
  }

  /** Writes text, JSON and montage; returns their paths. */
  async write(model: Brain3D, { name, volume, report }: Finished, options: GenerateOptions): Promise<string[]> {
    const picture = await montage(await preprocessFor(model, volume, options));
    const stem = join(this.#directory, this.#claim(name));
    const files: [path: string, data: string | Uint8Array][] = [
      [`${stem}.report.txt`, `${report.text}\n\n${report.disclaimer}\n`],
      [`${stem}.report.json`, `${JSON.stringify(reportDocument(report), null, 2)}\n`],
      [`${stem}.montage.png`, picture],
    ];
    for (const [path, data] of files) await writeFileAtomic(path, data);
    return files.map(([path]) => path);
  }

  /** Without regard to case, because some file systems have none. */
  #claim(name: string): string {
    const plain = plainName(name);
    let unique = plain;
    for (let count = 2; this.#taken.has(unique.toLowerCase()); count++) unique = `${plain}-${count}`;
    this.#taken.add(unique.toLowerCase());
    return unique;
  }
}

/** A volume's name without its format, and without anything that a file system or a shell could misread. */
export function plainName(name: string): string {
  const stem = name.replace(/\.nii(\.gz)?$/i, '').replace(/[^\w.-]/g, '_');
  return stem.replace(/^[.-]+/, '').slice(0, MAX_NAME) || 'volume';
}
