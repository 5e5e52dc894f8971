/**
 * Counts the errors that averages hide: sides taken for others, findings invented and findings missed, by one
 * definition.
 */

import { CATEGORIES, CATEGORY_NAMES, type Category, type Extraction } from '../reading/findings';
import { type BootstrapSettings, bootstrap, type Metric } from './bootstrap';

export type CaseClass = 'pathological' | 'healthy';

/** A case as one definition reads it. */
export interface ReadCase {
  class: CaseClass;
  reference: Extraction;
  hypothesis: Extraction;
}

const SIDES = ['left', 'right', 'bilateral', 'unknown'] as const;
type Side = (typeof SIDES)[number];

export interface EntityErrors {
  /** The share of the hypotheses naming the entity whose reference names it too; null if no hypothesis names it. */
  precision: number | null;
  /** The share of the references naming the entity whose hypothesis names it too; null if no reference names it. */
  recall: number | null;
  /** The numbers of references and hypotheses that name the entity. */
  references: number;
  hypotheses: number;
}

export interface CaseErrors {
  /** The number of cases by the reference's side, then by the hypothesis'. */
  lateralityConfusion: Record<Side, Record<Side, number>>;
  /** The share of hypotheses with the opposite side, among references with side left or right. */
  inversionRate: Metric;
  /** The share of healthy cases whose hypothesis names neither pathology nor laterality. */
  specificity: Metric;
  /** The share of healthy cases whose hypothesis names a pathology. */
  hallucinationRate: Metric;
  /** The share of pathological cases whose hypothesis names no pathology. */
  missedLesionRate: Metric;
  entities: Record<Category, Record<string, EntityErrors>>;
}

/**
 * Counts the errors of one or more runs over the same cases. Rates are means over runs, with intervals over cases;
 * counts are over all runs together.
 */
export function caseErrors(runs: readonly (readonly ReadCase[])[], settings: BootstrapSettings): CaseErrors {
  const cases = runs.flat();
  const isClear = ({ hypothesis }: ReadCase) => hypothesis.pathology.size + hypothesis.laterality.size === 0;
  const namesPathology = ({ hypothesis }: ReadCase) => hypothesis.pathology.size > 0;
  const isInverted = ({ reference, hypothesis }: ReadCase) => hypothesis.side === OPPOSITE[reference.side];
  const rateAmong = (rows: readonly number[], isCounted: (item: ReadCase) => boolean, reason: string): Metric => {
    if (rows.length === 0) return { unavailable: reason };
    const share = (row: number) => runs.filter((run) => isCounted(run[row] as ReadCase)).length / runs.length;
    return bootstrap([Float64Array.from(rows, share)], settings)[0] as Metric;
  };
  // The class and the reference are the same in every run.
  const rowsWhere = (isWanted: (item: ReadCase) => boolean) =>
    [...(runs[0]?.keys() ?? [])].filter((row) => isWanted(runs[0]?.[row] as ReadCase));
  const healthy = rowsWhere((item) => item.class === 'healthy');
  const pathological = rowsWhere((item) => item.class === 'pathological');
  const sided = rowsWhere(({ reference }) => OPPOSITE[reference.side] !== undefined);
  return {
    lateralityConfusion: confusion(cases),
    inversionRate: rateAmong(sided, isInverted, 'no reference has the side left or right'),
    specificity: rateAmong(healthy, isClear, NO_HEALTHY),
    hallucinationRate: rateAmong(healthy, namesPathology, NO_HEALTHY),
    missedLesionRate: rateAmong(pathological, (item) => !namesPathology(item), NO_PATHOLOGICAL),
    entities: Object.fromEntries(
      CATEGORY_NAMES.map((category) => [category, entityErrors(cases, category)]),
    ) as CaseErrors['entities'],
  };
}

export const NO_HEALTHY = 'no case is healthy';
export const NO_PATHOLOGICAL = 'no case is pathological';
const OPPOSITE: Partial<Record<Side, Side>> = { left: 'right', right: 'left' };

function confusion(cases: readonly ReadCase[]): CaseErrors['lateralityConfusion'] {
  const row = () => Object.fromEntries(SIDES.map((side) => [side, 0])) as Record<Side, number>;
  const matrix = Object.fromEntries(SIDES.map((side) => [side, row()])) as CaseErrors['lateralityConfusion'];
  for (const { reference, hypothesis } of cases) matrix[reference.side][hypothesis.side]++;
  return matrix;
}

function entityErrors(cases: readonly ReadCase[], category: Category): Record<string, EntityErrors> {
  const count = (isCounted: (item: ReadCase) => boolean) => cases.filter(isCounted).length;
  return Object.fromEntries(
    CATEGORIES[category].map((entity) => {
      const references = count(({ reference }) => reference[category].has(entity));
      const hypotheses = count(({ hypothesis }) => hypothesis[category].has(entity));
      const both = count(
        ({ reference, hypothesis }) => reference[category].has(entity) && hypothesis[category].has(entity),
      );
      const share = (total: number) => (total === 0 ? null : both / total);
      return [entity, { precision: share(hypotheses), recall: share(references), references, hypotheses }];
    }),
  );
}
