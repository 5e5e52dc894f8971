/** Describes a cohort by measurements. */
import type { Laterality } from '../reading/laterality';
import { type Findings, LOBES, type Lobe } from './findings';

/** The measurements of a subject that are counted. */
export interface MeasuredSubject {
  /** Null for a healthy subject. */
  findings: Findings | null;
  brainMl: number;
}

export interface Spread {
  min: number;
  median: number;
  max: number;
}

export interface CohortStatistics {
  subjects: number;
  patients: number;
  controls: number;
  laterality: Record<Exclude<Laterality, 'none'>, number>;
  /** The number of patients with much of the lesion in each region; a patient may count for several. */
  lobes: Record<Lobe, number>;
  /** The numbers of patients with necrosis, several lesions, a compressed ventricle and a midline shift. */
  findings: { necrosis: number; multifocal: number; compression: number; midlineShift: number };
  edema: Record<Findings['edema'], number>;
  /** The volumes of lesions in ml. */
  lesionMl: Spread;
  edemaMl: Spread;
  coreMl: Spread;
  brainMl: Spread;
}

export function statisticsOf(results: readonly MeasuredSubject[]): CohortStatistics {
  const lesions = results.flatMap(({ findings }) => findings ?? []);
  const count = (holds: (findings: Findings) => boolean) => lesions.filter(holds).length;
  const tally = <T extends string>(names: readonly T[], holds: (findings: Findings, name: T) => boolean) =>
    Object.fromEntries(names.map((name) => [name, count((findings) => holds(findings, name))])) as Record<T, number>;
  const ml = (of: (volumes: Findings['volumesMm3']) => number) =>
    spread(lesions.map(({ volumesMm3 }) => of(volumesMm3) / 1000));
  return {
    subjects: results.length,
    patients: lesions.length,
    controls: results.length - lesions.length,
    laterality: tally(['left', 'right', 'bilateral', 'unknown'], ({ laterality }, side) => laterality === side),
    lobes: tally(LOBES, ({ lobes }, lobe) => lobes.includes(lobe)),
    findings: {
      necrosis: count(({ necrosis }) => necrosis !== null),
      multifocal: count(({ multifocal }) => multifocal),
      compression: count(({ compression }) => compression.left !== null || compression.right !== null),
      midlineShift: count(({ midlineShift }) => midlineShift !== null),
    },
    edema: tally(['mild', 'moderate', 'marked'], ({ edema }, extent) => edema === extent),
    lesionMl: ml(({ left, right }) => left + right),
    edemaMl: ml(({ edema }) => edema),
    coreMl: ml(({ necrosis, enhancing }) => necrosis + enhancing),
    brainMl: spread(results.map(({ brainMl }) => brainMl)),
  };
}

/** Rounds to a tenth; returns zeros for no values. */
function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => Math.round(10 * (sorted[Math.floor(share * (sorted.length - 1))] ?? 0)) / 10;
  return { min: at(0), median: at(0.5), max: at(1) };
}
