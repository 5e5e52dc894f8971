/**
 * The findings that a radiologist would note of the masks. Everything here is measured from the masks, and nothing
 * comes from the plan.
 */

import type { NativeTruth } from '../native/surface';
import type { Laterality } from '../reading/laterality';

export const LOBES = [
  'frontal',
  'parietal',
  'temporal',
  'occipital',
  'insula',
  'basal_ganglia',
  'thalamus',
  'cerebellum',
  'brainstem',
  'corpus_callosum',
] as const;
export type Lobe = (typeof LOBES)[number];
export type Degree = 'mild' | 'moderate' | 'marked';
type Half = 'left' | 'right';

export interface Findings {
  laterality: Laterality;
  /**
   * Regions that hold much of the lesion, largest share first. `lobesBySide` has them by half of the brain for a
   * bilateral lesion.
   */
  lobes: Lobe[];
  lobesBySide: Record<Half, Lobe[]>;
  /** Further regions that only the edema reaches. */
  edemaLobes: Lobe[];
  edema: Degree;
  /** Null if there is none to be seen. */
  necrosis: Degree | null;
  multifocal: boolean;
  crossesCallosum: boolean;
  /** The compression of the lateral ventricles; null if not compressed. */
  compression: Record<Half, Degree | null>;
  /** The side towards which the midline shifts; null if no shift can be seen. */
  midlineShift: Half | null;
  volumesMm3: { necrosis: number; edema: number; enhancing: number; left: number; right: number };
}

/** The share of the lesion below which the other half of the brain is not mentioned. */
const BILATERAL_SHARE = 0.12;
/** The reach of a lesion about the midline. A lesion that reaches no farther to either side has no side. */
const MIDLINE_REACH_MM = 24;
const LOBE_SHARE = 0.15;
const EDEMA_LOBE_SHARE = 0.12;
const EDEMA_ML = { moderate: 25, marked: 60 };
const NECROSIS_SHARE = { mild: 0.03, moderate: 0.15, marked: 0.35 };
/** The least relative loss of a ventricle's volume for each degree. */
const COMPRESSION = { mild: 0.1, moderate: 0.22, marked: 0.38 };
const SHIFT_MM = 2;
/** The least volume of a separate core that counts as a second lesion. */
const FOCUS_MM3 = 500;

/** Null for a healthy subject. */
export function findingsOf(truth: NativeTruth): Findings | null {
  const sum = (of: (entry: NativeTruth['volumes'][number]) => number) =>
    truth.volumes.reduce((total, entry) => total + of(entry), 0);
  const whole = (entry: NativeTruth['volumes'][number]) => entry.necrosisMm3 + entry.edemaMm3 + entry.enhancingMm3;
  const on = (side: Half) => sum((entry) => (entry.side === side ? whole(entry) : 0));
  const volumesMm3 = {
    necrosis: sum((entry) => entry.necrosisMm3),
    edema: sum((entry) => entry.edemaMm3),
    enhancing: sum((entry) => entry.enhancingMm3),
    left: on('left'),
    right: on('right'),
  };
  if (volumesMm3.left + volumesMm3.right === 0) return null;
  const laterality = lateralityOf(truth, volumesMm3);
  const lobes = lobesWith(truth, whole, LOBE_SHARE);
  const core = volumesMm3.necrosis + volumesMm3.enhancing;
  const compression = { left: compressionOf(truth, 0), right: compressionOf(truth, 1) };
  return {
    laterality,
    lobes,
    lobesBySide: {
      left: lobesWith(truth, (entry) => (entry.side === 'left' ? whole(entry) : 0), LOBE_SHARE),
      right: lobesWith(truth, (entry) => (entry.side === 'right' ? whole(entry) : 0), LOBE_SHARE),
    },
    edemaLobes: lobesWith(truth, (entry) => entry.edemaMm3, EDEMA_LOBE_SHARE).filter((lobe) => !lobes.includes(lobe)),
    edema: degree(volumesMm3.edema / 1000, { mild: 0, ...EDEMA_ML }) ?? 'mild',
    necrosis: degree(volumesMm3.necrosis / core, NECROSIS_SHARE),
    multifocal: truth.coresMm3.filter((core) => core >= FOCUS_MM3).length > 1,
    crossesCallosum: laterality === 'bilateral' && lobesAcross(truth),
    compression,
    midlineShift: Math.abs(truth.midlineShiftMm) < SHIFT_MM ? null : truth.midlineShiftMm > 0 ? 'right' : 'left',
    volumesMm3,
  };
}

function lateralityOf(truth: NativeTruth, { left, right }: { left: number; right: number }): Laterality {
  const minor = Math.min(left, right) / (left + right);
  if (minor < BILATERAL_SHARE) return left > right ? 'left' : 'right';
  return Math.max(...truth.reachMm) <= MIDLINE_REACH_MM ? 'unknown' : 'bilateral';
}

/** Whether the corpus callosum holds solid tumour on both sides of the midline. */
function lobesAcross(truth: NativeTruth): boolean {
  const core = (side: Half) =>
    truth.volumes
      .filter((entry) => entry.region === 'corpus_callosum' && entry.side === side)
      .reduce((total, entry) => total + entry.necrosisMm3 + entry.enhancingMm3, 0);
  return core('left') > 100 && core('right') > 100;
}

function lobesWith(truth: NativeTruth, of: (entry: NativeTruth['volumes'][number]) => number, share: number): Lobe[] {
  const byLobe = new Map<Lobe, number>();
  let total = 0;
  for (const entry of truth.volumes) {
    const volume = of(entry);
    total += volume;
    const lobe = LOBES.find((name) => name === entry.region);
    if (lobe !== undefined) byLobe.set(lobe, (byLobe.get(lobe) ?? 0) + volume);
  }
  return [...byLobe.entries()]
    .filter(([, volume]) => total > 0 && volume >= share * total)
    .sort((a, b) => b[1] - a[1] || LOBES.indexOf(a[0]) - LOBES.indexOf(b[0]))
    .map(([lobe]) => lobe);
}

function compressionOf(truth: NativeTruth, half: 0 | 1): Degree | null {
  const before = truth.ventricleBeforeMm3[half];
  return before === 0 ? null : degree(1 - truth.ventricleMm3[half] / before, COMPRESSION);
}

function degree(value: number, from: { mild: number; moderate: number; marked: number }): Degree | null {
  if (value >= from.marked) return 'marked';
  if (value >= from.moderate) return 'moderate';
  return value >= from.mild ? 'mild' : null;
}
