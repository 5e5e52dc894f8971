/** Phases 2A and 2B: the next token of a report, behind its scan's visual tokens and the prompt.   (paper eq. 6, 7) */
import type { NativeReportOptions, NativeReportSample, NativeStepResult, NativeUpdate } from '../native/surface';
import { microBatches, windowsOf } from './batches';
import { openFeatures } from './features';
import { callForScans, itemsAt, type Objective, type ObjectiveContext, requireLength } from './objective';
import type { Scan } from './scans';

export class ReportObjective implements Objective {
  readonly #context: ObjectiveContext;
  readonly #train: readonly NativeReportSample[];
  readonly #val: readonly NativeReportSample[];

  private constructor(context: ObjectiveContext, train: NativeReportSample[], val: NativeReportSample[]) {
    this.#context = context;
    this.#train = train;
    this.#val = val;
  }

  /** Computes or reads every scan's pooled tokens once: the encoder is frozen. */
  static async open(context: ObjectiveContext): Promise<ReportObjective> {
    const { addon, native, checkpoint, featuresDir: dir, scans, signal, onProgress } = context;
    const all = [...scans.train, ...scans.val];
    const source = { addon, native, checkpoint, dir };
    const pooled = await openFeatures(source, all, signal, (done, total) =>
      onProgress({ stage: 'features', done, total }),
    );
    const promptIds = await context.tokenizer.encode(checkpoint.prompt, true);
    const samples: NativeReportSample[] = [];
    for (const [place, scan] of all.entries())
      samples.push(await toSample(context, scan, pooled[place] as Float32Array, promptIds));
    return new ReportObjective(context, samples.slice(0, scans.train.length), samples.slice(scans.train.length));
  }

  windows(order: readonly number[]): number[][] {
    return windowsOf(order, this.#context.settings.batchSize);
  }

  step(indices: readonly number[], update: NativeUpdate): Promise<NativeStepResult> {
    const samples = itemsAt(this.#train, indices);
    const options = this.#options(samples, this.#context.settings.lossMean);
    return callForScans(this.#context, itemsAt(this.#context.scans.train, indices), (token) =>
      this.#context.native.reportStep(samples, options, update, token),
    );
  }

  /** Mean over all tokens of all reports, whatever the mean in training. */
  async validate(): Promise<number> {
    const { native, scans, settings, onProgress } = this.#context;
    let sum = 0;
    let labels = 0;
    for (const window of windowsOf([...this.#val.keys()], settings.batchSize)) {
      onProgress({ stage: 'validating', done: window[0] as number, total: this.#val.length });
      const samples = itemsAt(this.#val, window);
      const { loss, numLabels } = await callForScans(this.#context, itemsAt(scans.val, window), (token) =>
        native.reportLoss(samples, this.#options(samples, 'tokens'), token),
      );
      sum += loss * numLabels;
      labels += numLabels;
    }
    return sum / labels;
  }

  numTokens({ numTokens }: NativeStepResult): number {
    return numTokens;
  }

  #options(samples: NativeReportSample[], lossMean: NativeReportOptions['lossMean']): NativeReportOptions {
    const { microBatch, logitRows, recompute } = this.#context.settings;
    const lengths = samples.map(({ ids }) => ids.length);
    return { microBatches: microBatches(lengths, microBatch), lossMean, logitRows, recompute };
  }
}

/** Prompt with `<bos>`, report, end-of-text; a report that is cut has none, since it does not end there. */
async function toSample(
  { tokenizer, settings, checkpoint, native }: ObjectiveContext,
  scan: Scan,
  pooled: Float32Array,
  promptIds: readonly number[],
): Promise<NativeReportSample> {
  const reportIds = await tokenizer.encode(scan.report, false);
  const isCut = settings.maxReportTokens !== null && reportIds.length > settings.maxReportTokens;
  const ending = isCut
    ? reportIds.slice(0, settings.maxReportTokens as number)
    : [...reportIds, checkpoint.eosTokenIds[0] as number];
  const ids = Int32Array.from([...promptIds, ...ending]);
  const { numVisualTokens, maxPositions } = native.info();
  requireLength(scan, numVisualTokens + ids.length, maxPositions);
  return { pooled, ids, labelsBegin: promptIds.length };
}
