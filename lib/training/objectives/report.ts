/**
 * The objective of Phases 2A and 2B: the next token of a report after its scan's visual tokens and the prompt.   (paper
 * eq. 6, 7)
 */
import * as v from 'valibot';
import { is } from '../../base/validate';
import type { NativeReportObjective, NativeReportSample, NativeStepResult, NativeUpdate } from '../../native/surface';
import { microBatches, windowsOf } from '../batches';
import { openFeatures } from '../features';
import {
  callForScans,
  itemsAt,
  type Objective,
  type ObjectiveContext,
  type ObjectiveKind,
  requireLength,
} from '../objective';
import type { Scan } from '../scans';

export interface ReportSettings {
  /** The number of tokens of a report that are learned; null for all. A report that is cut has no end-of-text. */
  maxReportTokens: number | null;
  lossMean: 'tokens' | 'samples';
  /** The number of rows of logits held at a time. */
  logitRows: number;
}

type Context = ObjectiveContext<ReportSettings>;

export const report = {
  entries: {
    maxReportTokens: v.optional(v.nullable(is.integer(1, Number.MAX_SAFE_INTEGER))),
    lossMean: v.optional(is.oneOf(['tokens', 'samples'])),
    logitRows: v.optional(is.integer(1, Number.MAX_SAFE_INTEGER)),
  },
  defaults: { maxReportTokens: null, lossMean: 'tokens', logitRows: 256 },
  fault: () => null,
  open: (context: Context): Promise<Objective> => ReportObjective.open(context),
} satisfies ObjectiveKind<ReportSettings>;

class ReportObjective implements Objective {
  readonly #context: Context;
  readonly #train: readonly NativeReportSample[];
  readonly #val: readonly NativeReportSample[];

  private constructor(context: Context, train: NativeReportSample[], val: NativeReportSample[]) {
    this.#context = context;
    this.#train = train;
    this.#val = val;
  }

  /** Computes or reads every scan's pooled tokens once, since the encoder is frozen. */
  static async open(context: Context): Promise<ReportObjective> {
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
    const objective = this.#objective(samples, this.#context.settings.lossMean);
    return callForScans(this.#context, itemsAt(this.#context.scans.train, indices), (token) =>
      this.#context.native.step(objective, update, token),
    );
  }

  /** The mean over all tokens of all reports, whatever mean training uses. */
  async validate(): Promise<number> {
    const { native, scans, settings, onProgress } = this.#context;
    let sum = 0;
    let labels = 0;
    for (const window of windowsOf([...this.#val.keys()], settings.batchSize)) {
      onProgress({ stage: 'validating', done: window[0] as number, total: this.#val.length });
      const samples = itemsAt(this.#val, window);
      const { loss, numLabels } = await callForScans(this.#context, itemsAt(scans.val, window), (token) =>
        native.loss(this.#objective(samples, 'tokens'), token),
      );
      sum += loss * numLabels;
      labels += numLabels;
    }
    return sum / labels;
  }

  numTokens({ numTokens }: NativeStepResult): number {
    return numTokens;
  }

  #objective(samples: NativeReportSample[], lossMean: ReportSettings['lossMean']): NativeReportObjective {
    const { microBatch, logitRows, recompute } = this.#context.settings;
    const lengths = samples.map(({ ids }) => ids.length);
    return { name: 'report', samples, microBatches: microBatches(lengths, microBatch), lossMean, logitRows, recompute };
  }
}

/**
 * Makes the tokens of a sample: prompt with `<bos>`, report, end-of-text. A report that is cut has no end-of-text,
 * since it does not end there.
 */
async function toSample(
  { tokenizer, settings, checkpoint, native }: Context,
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
