/**
 * Divides the cases into groups for the results: by size, side and number of lesions, and by the source of the scans.
 */

import { byText } from '../base/sort';
import type { ManifestEntry } from '../dataset/manifest';
import { percentile } from '../metrics/bootstrap';
import { namesSeveralLesions } from './focality';
import type { LesionResult } from './lesions';

export interface Group {
  name: string;
  /** The indices of cases. */
  rows: number[];
}

/** One way to divide the cases, or the reason why there is none. */
export interface Subgroup {
  name: 'lesion size' | 'side' | 'focality' | 'source';
  /** The basis of the division. */
  basis: string;
  groups: Group[];
  unavailable: string | null;
}

/** The groups of a case, as `cases.csv` has them. */
export interface CaseTraits {
  lesionMl: number | null;
  lesionCount: number | null;
  focality: 'single' | 'multiple' | null;
  focalityBasis: 'segmentation' | 'report' | null;
}

export function traitsOf(entry: ManifestEntry, lesions: LesionResult | undefined): CaseTraits {
  const measured = lesions !== undefined && 'count' in lesions && lesions.count > 0 ? lesions : null;
  const [lesionMl, lesionCount] = [measured?.volumeMl ?? null, measured?.count ?? null];
  if (entry.class === 'healthy') return { lesionMl, lesionCount, focality: null, focalityBasis: null };
  if (measured !== null) {
    const focality = measured.count > 1 ? 'multiple' : 'single';
    return { lesionMl, lesionCount, focality, focalityBasis: 'segmentation' };
  }
  const focality = namesSeveralLesions(entry.report) ? 'multiple' : 'single';
  return { lesionMl, lesionCount, focality, focalityBasis: 'report' };
}

export function makeSubgroups(entries: readonly ManifestEntry[], traits: readonly CaseTraits[]): Subgroup[] {
  const patients = [...entries.keys()].filter((row) => entries[row]?.class !== 'healthy');
  const traitsAt = (row: number) => traits[row] as CaseTraits;
  const byFocality = (focality: string) => patients.filter((row) => traitsAt(row).focality === focality);
  const countBy = (basis: string) => patients.filter((row) => traitsAt(row).focalityBasis === basis).length;
  return [
    sizeSubgroup(patients, traitsAt),
    subgroup('side', "the manifest's laterality, of pathological cases", [
      ...(['left', 'right', 'bilateral', 'unknown'] as const).map((side) => ({
        name: side,
        rows: patients.filter((row) => entries[row]?.laterality === side),
      })),
    ]),
    subgroup(
      'focality',
      `parts of the segmentation's core (${countBy('segmentation')} cases), else words of the reference report (${countBy('report')} cases)`,
      ['single', 'multiple'].map((name) => ({ name, rows: byFocality(name) })),
    ),
    subgroup(
      'source',
      "the manifest's source, of all cases",
      [...new Set(entries.map(({ source }) => source))].sort(byText).map((source) => ({
        name: source,
        rows: [...entries.keys()].filter((row) => entries[row]?.source === source),
      })),
    ),
  ];
}

function subgroup(name: Subgroup['name'], basis: string, groups: Group[]): Subgroup {
  const filled = groups.filter(({ rows }) => rows.length > 0);
  return { name, basis, groups: filled, unavailable: filled.length === 0 ? 'no case is pathological' : null };
}

const TERCILES = [100 / 3, 200 / 3] as const;

function sizeSubgroup(patients: readonly number[], traitsAt: (row: number) => CaseTraits): Subgroup {
  const size = (row: number) => traitsAt(row).lesionMl as number;
  const measured = patients.filter((row) => traitsAt(row).lesionMl !== null);
  const name = 'lesion size';
  const basis = `volume of the segmentation, of ${measured.length} of ${patients.length} pathological cases`;
  if (measured.length < 3) {
    const unavailable = `terciles need three pathological cases with a segmentation that can be read, there are ${measured.length}`;
    return { name, basis, groups: [], unavailable };
  }
  const sorted = Float64Array.from(measured, size).sort();
  const [low, high] = TERCILES.map((percent) => percentile(sorted, percent)) as [number, number];
  const [lowText, highText] = [low.toFixed(1), high.toFixed(1)];
  const groups = [
    { name: `small, at most ${lowText} ml`, rows: measured.filter((row) => size(row) <= low) },
    { name: `medium, to ${highText} ml`, rows: measured.filter((row) => size(row) > low && size(row) <= high) },
    { name: `large, above ${highText} ml`, rows: measured.filter((row) => size(row) > high) },
  ];
  return { name, basis, groups: groups.filter(({ rows }) => rows.length > 0), unavailable: null };
}
