/** The results of an evaluation, `results.json`, in camel case in memory. The fields are in docs/evaluation.md. */

import { DISCLAIMER } from '../base/disclaimer';
import { packageVersion } from '../base/version';
import type { Unavailable } from '../metrics/bootstrap';
import type { ByMetric } from '../metrics/case-scores';
import type { TextScores } from '../metrics/evaluate-texts';
import { isDegenerate } from '../metrics/statistics';
import type { SeenCases } from './contamination';
import type { CaseText } from './generate-cases';
import type { Comparison, GroupScores, ScoredRow, Spread } from './score-rows';
import type { Subgroup } from './subgroups';
import type { TextModel } from './text-model';

export const RESULTS_FORMAT_VERSION = 1;

/** The faults of a case's text. */
export interface Flags {
  empty: boolean;
  /** The text was cut at the limit of new tokens. */
  truncated: boolean;
  /** The text repeats itself. */
  degenerate: boolean;
  failed: boolean;
}

/** Finds the faults of a text. Repetition is read from its words here; `Report.flags` counts tokens. */
export function textFlags(made: CaseText): Flags {
  const empty = made.text.trim() === '';
  const truncated = made.error === null && made.finishReason === 'length';
  return { empty, truncated, degenerate: isDegenerate(made.text), failed: made.error !== null };
}

/** A row of the table: the metrics of `brain3d metrics`, and facts about the texts. */
export interface EvaluationRow extends TextScores {
  name: string;
  kind: 'model' | 'control';
  /** The description of a control. */
  description: string | null;
  model: (Omit<TextModel, 'load' | 'recipe' | 'trainedOn'> & { seeds: (number | null)[]; seen: SeenCases }) | null;
  /** Counts over all cases and seeds. */
  generations: { total: number; failed: number; empty: number; truncated: number; degenerate: number };
  failures: { id: string; seed: number | null; code: string; message: string }[];
  spread: ByMetric<Spread | Unavailable> | null;
  subgroups: GroupScores[];
}

export interface EvaluationResults {
  format: 'brain3d-evaluation';
  formatVersion: typeof RESULTS_FORMAT_VERSION;
  brain3d: string;
  manifest: { name: string; sha256: string };
  split: string;
  cases: number;
  /** Whether a model has been trained on one of the cases. */
  contaminated: boolean;
  seed: number;
  resamples: number;
  /** The models in the order given, then the controls. */
  rows: EvaluationRow[];
  /** The controls that could not be made. */
  missingControls: { name: string; reason: string }[];
  subgroups: (Omit<Subgroup, 'groups'> & { groups: { name: string; cases: number }[] })[];
  comparisons: Comparison[];
  researchUseOnly: true;
  disclaimer: typeof DISCLAIMER;
}

/** A row before it is scored. */
export interface Row {
  name: string;
  kind: EvaluationRow['kind'];
  description: string | null;
  model: EvaluationRow['model'];
  /** The runs of each seed. A control, or greedy decoding, has one run without a seed. */
  runs: { seed: number | null; texts: CaseText[] }[];
}

export function evaluationRow(row: Row, scored: ScoredRow, ids: readonly string[]): EvaluationRow {
  const { runs, ...about } = row;
  const made = runs.flatMap(({ seed, texts }) => texts.map((text, i) => ({ id: ids[i] as string, seed, text })));
  const flags = made.map(({ text }) => textFlags(text));
  const count = (name: keyof Flags) => flags.filter((flag) => flag[name]).length;
  return {
    ...about,
    generations: {
      total: made.length,
      failed: count('failed'),
      empty: count('empty'),
      truncated: count('truncated'),
      degenerate: count('degenerate'),
    },
    failures: made.flatMap(({ id, seed, text }) => (text.error === null ? [] : [{ id, seed, ...text.error }])),
    ...scored.scores,
    spread: scored.spread,
    subgroups: scored.groups,
  };
}

export function assembleResults(
  parts: Omit<
    EvaluationResults,
    'format' | 'formatVersion' | 'brain3d' | 'subgroups' | 'researchUseOnly' | 'disclaimer'
  > & { subgroups: readonly Subgroup[] },
): EvaluationResults {
  return {
    format: 'brain3d-evaluation',
    formatVersion: RESULTS_FORMAT_VERSION,
    brain3d: packageVersion(),
    ...parts,
    subgroups: parts.subgroups.map(({ groups, ...rest }) => ({
      ...rest,
      groups: groups.map(({ name, rows }) => ({ name, cases: rows.length })),
    })),
    researchUseOnly: true,
    disclaimer: DISCLAIMER,
  };
}
