/**
 * The objective of grounding: each scan is matched to its report among those of its batch, and each report to its scan.
 */
import * as v from 'valibot';
import { Brain3DError } from '../../base/errors';
import { is } from '../../base/validate';
import { callNative } from '../../native/call';
import type { NativeContrastiveObjective, NativeStepResult, NativeUpdate } from '../../native/surface';
import { mixKinds, windowsOf } from '../batches';
import type { CommonSettings } from '../common-settings';
import {
  callForScans,
  itemsAt,
  type Objective,
  type ObjectiveContext,
  type ObjectiveKind,
  requireLength,
} from '../objective';
import type { Scan } from '../scans';

/** The smallest batch. A scan alone, or among scans with one report, would give a loss and a gradient of 0. */
const SMALLEST = 2;
/** The number of reports embedded in one native call. */
const TEXTS_AT_A_TIME = 8;

export interface ContrastiveSettings {
  temperature: number;
  /** How a scan becomes one vector: as in inference, or as the paper's authors do in this phase. */
  visualEmbedding: 'inference' | 'peer';
  /** The number of tokens of a report that are embedded, `<bos>` included; null for all. */
  maxTextTokens: number | null;
}

type Context = ObjectiveContext<ContrastiveSettings>;

export const contrastive = {
  entries: {
    /** Outside this range the logits of unit vectors overflow, or are all equal. */
    temperature: v.optional(is.number(1e-4, 1e4)),
    visualEmbedding: v.optional(is.oneOf(['inference', 'peer'])),
    maxTextTokens: v.optional(v.nullable(is.integer(1, Number.MAX_SAFE_INTEGER))),
  },
  defaults: { temperature: 0.07, visualEmbedding: 'inference', maxTextTokens: null },
  fault({ batchSize }: CommonSettings) {
    if (batchSize >= SMALLEST) return null;
    const message = 'expected a batch of at least 2 scans, got 1: alone, a scan has nothing to be told apart from';
    return { field: 'batchSize', message };
  },
  open: (context: Context): Promise<Objective> => ContrastiveObjective.open(context),
} satisfies ObjectiveKind<ContrastiveSettings>;

class ContrastiveObjective implements Objective {
  readonly #context: Context;
  readonly #textIds: ReadonlyMap<string, number>;
  readonly #embeddings: readonly Float32Array[];

  private constructor(context: Context, texts: Map<string, number>, embeddings: Float32Array[]) {
    this.#context = context;
    this.#textIds = texts;
    this.#embeddings = embeddings;
  }

  /** Embeds every report once, since the language model does not change. */
  static async open(context: Context): Promise<ContrastiveObjective> {
    for (const [split, scans] of Object.entries({ train: context.scans.train, val: context.scans.val })) {
      if (scans.length >= SMALLEST) continue;
      throw new Brain3DError(
        'BRAIN3D_CONFIG',
        `grounding: expected at least ${SMALLEST} scans of split '${split}', got ${scans.length}; alone, a scan has nothing to be told apart from`,
        { field: 'split' },
      );
    }
    const { addon, native, tokenizer, settings, signal, onProgress } = context;
    const texts = new Map<string, number>();
    const byTokens = new Map<string, number>();
    const ids: number[][] = [];
    for (const scan of [...context.scans.train, ...context.scans.val]) {
      if (texts.has(scan.report)) continue;
      const all = await tokenizer.encode(scan.report, true);
      const cut = settings.maxTextTokens === null ? all : all.slice(0, settings.maxTextTokens);
      requireLength(scan, cut.length, native.info().maxPositions);
      // Reports are the same if their embedded tokens are: different reports may begin alike and be cut.
      const key = cut.join(' ');
      const known = byTokens.get(key) ?? ids.length;
      texts.set(scan.report, known);
      if (byTokens.has(key)) continue;
      byTokens.set(key, known);
      ids.push(cut);
    }
    for (const [split, scans] of Object.entries({ train: context.scans.train, val: context.scans.val }))
      requireMixture(split, scans, texts, settings.batchSize);
    const embeddings: Float32Array[] = [];
    const width = native.info().languageWidth;
    for (const group of windowsOf([...ids.keys()], TEXTS_AT_A_TIME)) {
      onProgress({ stage: 'texts', done: embeddings.length, total: ids.length });
      const rows = await callNative(addon, signal, (token) => native.embedTexts(itemsAt(ids, group), token));
      for (const row of group.keys()) embeddings.push(rows.slice(row * width, (row + 1) * width));
    }
    return new ContrastiveObjective(context, texts, embeddings);
  }

  windows(order: readonly number[]): number[][] {
    return this.#mixed(order, (index) => this.#context.scans.train[index] as Scan);
  }

  step(indices: readonly number[], update: NativeUpdate): Promise<NativeStepResult> {
    const scans = itemsAt(this.#context.scans.train, indices);
    const batch = this.#batch(scans);
    return callForScans(this.#context, scans, (token) => this.#context.native.step(batch, update, token));
  }

  /** The mean over all rows. A batch is as large as in training, so that a row is told apart from as many others. */
  async validate(): Promise<number> {
    const { native, scans, onProgress } = this.#context;
    let sum = 0;
    let done = 0;
    for (const window of this.#mixed(scans.val, (scan) => scan)) {
      onProgress({ stage: 'validating', done, total: scans.val.length });
      const batch = this.#batch(window);
      const { loss } = await callForScans(this.#context, window, (token) => native.loss(batch, token));
      sum += loss * window.length;
      done += window.length;
    }
    return sum / done;
  }

  numTokens(_result: NativeStepResult, batch: number): number {
    return batch * this.#context.native.info().numPatchTokens;
  }

  /** Makes batches of scans with at least two reports. `open` has checked that this is possible. */
  #mixed<T>(items: readonly T[], scanOf: (item: T) => Scan): T[][] {
    const windows = windowsOf(items, this.#context.settings.batchSize, SMALLEST);
    const mixed = mixKinds(windows, (item) => this.#textIds.get(scanOf(item).report));
    if (mixed === null) throw new Brain3DError('BRAIN3D_INTERNAL', 'grounding: a batch of one report was made');
    return mixed;
  }

  #batch(scans: readonly Scan[]): NativeContrastiveObjective {
    const { microBatch, temperature, visualEmbedding, recompute } = this.#context.settings;
    const width = this.#context.native.info().languageWidth;
    const texts = new Float32Array(scans.length * width);
    const textIds = scans.map((scan) => this.#textIds.get(scan.report) as number);
    for (const [row, id] of textIds.entries()) texts.set(this.#embeddings[id] as Float32Array, row * width);
    const volumes = scans.map(({ volume }) => volume);
    return { name: 'contrastive', volumes, texts, textIds, microBatch, temperature, visualEmbedding, recompute };
  }
}

/** @throws {Brain3DError} BRAIN3D_CONFIG unless every batch of a split can hold two reports that differ where embedded */
function requireMixture(
  split: string,
  scans: readonly Scan[],
  texts: ReadonlyMap<string, number>,
  batchSize: number,
): void {
  const counts = new Map<number, number>();
  for (const { report } of scans) {
    const id = texts.get(report) as number;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  const others = scans.length - most;
  if (others === 0)
    throw new Brain3DError(
      'BRAIN3D_CONFIG',
      `grounding: expected at least ${SMALLEST} different reports in split '${split}', got one for all ${scans.length} scans (as far as max_text_tokens lets them be seen); with one, a scan has nothing to be told apart from`,
      { field: 'report' },
    );
  const batches = windowsOf(scans, batchSize, SMALLEST).length;
  if (others >= batches) return;
  throw new Brain3DError(
    'BRAIN3D_CONFIG',
    `grounding: expected batches of at least ${SMALLEST} different reports, but ${most} of the ${scans.length} scans of split '${split}' have the same one, and the other ${others} are too few for ${batches} batches; raise batch_size (${batchSize})`,
    { field: 'batch_size' },
  );
}
