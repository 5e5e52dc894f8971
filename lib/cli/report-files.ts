/** Writes reports as JSON, and the files of `--out`. */
import { join } from 'node:path';
import { snakeCase } from '../base/key-case';
import { writeFileAtomic } from '../files/atomic-file';
import { makeFolders } from '../files/folders';
import type { GenerateOptions } from '../model/decoding';
import type { Brain3D } from '../model/model';
import { type Report, reportText } from '../model/report';
import { montage } from '../volume/montage';
import { requireNew } from './output-paths';
import { type Finished, preprocessFor } from './report-runs';

const MAX_NAME = 100;
const ENDINGS = ['.report.txt', '.report.json', '.montage.png'];

/** Returns the JSON document of a report. */
export function reportDocument(report: Report): unknown {
  const { text, tokenIds, finishReason, flags, counts, timingsMs, device, dtype, settings, ...rest } = report;
  const { seed } = settings;
  const how = { timingsMs, device, dtype, seed, settings };
  return snakeCase({ report: text, tokenIds, finishReason, flags, counts, ...how, ...rest });
}

/** A directory of results, for the user only. Names are unique within one run. */
export class ReportFolder {
  /** The paths, without endings, of the volumes that are still to come. */
  readonly #stems: string[];

  private constructor(stems: string[]) {
    this.#stems = stems;
  }

  /**
   * @param names of the volumes, in the order in which they are written
   * @throws {Brain3DError} BRAIN3D_USAGE if a result of an earlier run is there, unless it may be replaced
   */
  static async make(directory: string, names: readonly string[], force: true | undefined): Promise<ReportFolder> {
    const stems = uniqueNames(names).map((name) => join(directory, name));
    requireNew(
      'report',
      stems.flatMap((stem) => ENDINGS.map((ending) => `${stem}${ending}`)),
      force,
    );
    await makeFolders(directory);
    return new ReportFolder(stems);
  }

  /** Writes the text, the JSON and the montage of the next volume; returns their paths. */
  async write(model: Brain3D, { volume, report }: Finished, options: GenerateOptions): Promise<string[]> {
    const picture = await montage(await preprocessFor(model, volume, options));
    const stem = this.#stems.shift();
    const data = [`${reportText(report)}\n`, `${JSON.stringify(reportDocument(report), null, 2)}\n`, picture];
    const paths = ENDINGS.map((ending) => `${stem}${ending}`);
    for (const [index, path] of paths.entries()) await writeFileAtomic(path, data[index] as string | Uint8Array);
    return paths;
  }
}

/** Returns plain names that differ by more than case, because some file systems ignore case. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const plain = plainName(name);
    let unique = plain;
    for (let count = 2; taken.has(unique.toLowerCase()); count++) unique = `${plain}-${count}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}

/** Returns a volume's name without its format, and without anything that a file system or a shell could misread. */
export function plainName(name: string): string {
  const stem = name.replace(/\.nii(\.gz)?$/i, '').replace(/[^\w.-]/g, '_');
  return stem.replace(/^[.-]+/, '').slice(0, MAX_NAME) || 'volume';
}
