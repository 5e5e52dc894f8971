/** The two ways to get reports for many volumes: decoded in batches, or one after the other with streaming text. */

import { DISCLAIMER } from '../base/disclaimer';
import { DEFAULT_BATCH_SIZE, type GenerateOptions } from '../model/decoding';
import type { Brain3D } from '../model/model';
import type { Report } from '../model/report';
import type { ReportStream } from '../model/stream';
import { type LoadVolumeOptions, preprocess, type Volume } from '../volume/volume';
import { print, styled } from './output';
import type { Progress } from './progress';
import { about, nameOf, readVolume } from './sources';
import { writeOut } from './streams';

export interface Finished {
  name: string;
  /** The volume as read. */
  volume: Volume;
  report: Report;
}

export interface ReportRun {
  model: Brain3D;
  progress: Progress;
  paths: string[];
  reading: LoadVolumeOptions;
  options: GenerateOptions;
}

interface Read {
  name: string;
  volume: Volume;
  readMs: number;
}

/** Yields reports decoded in batches. Only one batch of volumes is in memory at a time. */
export async function* batchReports(run: ReportRun): AsyncGenerator<Finished> {
  const { model, progress, paths, options } = run;
  const batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE;
  for (let begin = 0; begin < paths.length; begin += batchSize) {
    progress.update({ stage: 'reports', done: begin, total: paths.length });
    const batch: Read[] = [];
    for (const path of paths.slice(begin, begin + batchSize)) batch.push(await read(path, run.reading));
    const volumes = batch.map(({ volume }) => volume);
    const reports = await blamed(run, batch, () => model.generate(volumes, options));
    progress.stop();
    for (const [index, report] of reports.entries()) yield finish(batch[index] as Read, report);
  }
}

/** Prints the text while it is decoded. */
export async function* streamReports(run: ReportRun): AsyncGenerator<Finished> {
  for (const path of run.paths) {
    const item = await read(path, run.reading);
    if (run.paths.length > 1) printHeading(item.name);
    const report = await blamed(run, [item], () => printStream(run.model.stream(item.volume, run.options)));
    yield finish(item, report);
  }
}

/** Prints a stream. A text that was cut off is marked, so that nobody takes it for a report. */
async function printStream(stream: ReportStream): Promise<Report> {
  let hasBegun = false;
  try {
    for await (const { text } of stream) {
      writeOut(text);
      hasBegun ||= text !== '';
    }
  } catch (error) {
    if (hasBegun)
      print(
        `\n\n[${stream.finishReason === 'abort' ? 'aborted' : 'failed'}: the text is not complete]\n\n${DISCLAIMER}`,
      );
    throw error;
  }
  print('');
  return stream.report;
}

/** Prints a report's text, under the volume's name where there are several. */
export function printText(text: string, heading: string | null): void {
  if (heading !== null) printHeading(heading);
  print(text);
}

function printHeading(name: string): void {
  print(`${styled('bold', `# ${name}`)}\n`);
}

async function read(path: string, options: LoadVolumeOptions): Promise<Read> {
  const start = performance.now();
  const volume = await readVolume(path, options);
  return { name: nameOf(path), volume, readMs: performance.now() - start };
}

/** Adds the time that reading took, which the model does not know, since it was given a volume. */
function finish({ name, volume, readMs }: Read, report: Report): Finished {
  const { timingsMs } = report;
  return {
    name,
    volume,
    report: { ...report, timingsMs: { ...timingsMs, read: readMs, total: timingsMs.total + readMs } },
  };
}

/** Finds the volume at fault when a batch has failed, by preprocessing each volume by itself. */
async function blamed<T>(run: ReportRun, batch: Read[], work: () => Promise<T>): Promise<T> {
  const [only, ...others] = batch;
  if (only !== undefined && others.length === 0) return about(only.name, work);
  try {
    return await work();
  } catch (error) {
    run.options.signal?.throwIfAborted();
    for (const { name, volume } of batch) await about(name, () => preprocessFor(run.model, volume, run.options));
    throw error;
  }
}

/** Preprocesses a volume as the model does. */
export function preprocessFor(model: Brain3D, volume: Volume, options: GenerateOptions): Promise<Volume> {
  const { volumeSize: size, lowerPercentile, upperPercentile } = model.checkpoint.recipe;
  const { skullStrip, skullStripCommand, signal } = options;
  return preprocess(volume, { size, lowerPercentile, upperPercentile, skullStrip, skullStripCommand, signal });
}
