/**
 * Plans a cohort: its composition, and for each subject all numbers of its anatomy, lesion and acquisition. Anatomy and
 * acquisition are drawn before the class and independently of it, so that nothing but the lesion can tell a patient
 * from a control. Volumes follow what is published of the BraTS patients (median lesion near 80 ml).
 */

import { fnv1a64, SplitMix64, shuffled } from '../base/rng';
import type { NativeSubjectSpec, NativeTriple } from '../native/surface';
import { Draws } from './draws';

export const SIDES = ['left', 'right', 'bilateral', 'midline'] as const;
/** The side on which a lesion is to lie. `midline` lesions have no side: the paper's "undefined". */
export type LesionSide = (typeof SIDES)[number];

export interface SubjectPlan {
  id: string;
  /** The index in the cohort, from 0. */
  index: number;
  /** Null for a healthy control. */
  side: LesionSide | null;
}

export const GRIDS = {
  /** The grid of BraTS: 240 x 240 x 155 at 1 mm. */
  native: { size: [155, 240, 240], spacingMm: 1 },
  /** The same field of view at half the resolution. */
  small: { size: [78, 120, 120], spacingMm: 2 },
} as const satisfies Record<string, { size: NativeTriple; spacingMm: number }>;
export type GridName = keyof typeof GRIDS;

/**
 * The proportions of the paper: 369 patients of 468; of them 42.5 % left, 40.7 % right, 14.6 % bilateral, 2.2 %
 * undefined.
 */
const PATIENTS = 369 / 468;
const SIDE_COUNTS: Record<LesionSide, number> = { left: 157, right: 150, bilateral: 54, midline: 8 };

/** Plans classes and sides in the paper's proportions (largest remainders), in an order that says nothing. */
export function planCohort(subjects: number, seed: number): SubjectPlan[] {
  const patients = Math.round(subjects * PATIENTS);
  const sides: (LesionSide | null)[] = [
    ...apportion(patients, SIDE_COUNTS),
    ...Array<null>(subjects - patients).fill(null),
  ];
  let patient = 0;
  let control = 0;
  const number = (value: number) => String(value).padStart(3, '0');
  return shuffled(sides, streamOf(seed, 'composition')).map((side, index) => ({
    id: side === null ? `sub-simulated${number(++control)}` : `Simulated_Training_${number(++patient)}`,
    index,
    side,
  }));
}

function apportion(total: number, counts: Record<LesionSide, number>): LesionSide[] {
  const sum = SIDES.reduce((all, side) => all + counts[side], 0);
  const shares = SIDES.map((side) => ({ side, exact: (total * counts[side]) / sum }));
  const whole = shares.map(({ side, exact }) => ({ side, count: Math.floor(exact), rest: exact % 1 }));
  let missing = total - whole.reduce((all, { count }) => all + count, 0);
  for (const share of [...whole].sort((a, b) => b.rest - a.rest)) {
    if (missing-- <= 0) break;
    share.count += 1;
  }
  return whole.flatMap(({ side, count }) => Array<LesionSide>(count).fill(side));
}

/** The settings that all subjects of a cohort share. */
export interface DrawSettings {
  seed: number;
  grid: GridName;
  keepSkull: boolean;
  massEffect: boolean;
}

/** @param attempt counts the lesions that were drawn before and turned out to lie elsewhere than asked for */
export function planSubject(plan: SubjectPlan, settings: DrawSettings, attempt: number): NativeSubjectSpec {
  const { seed, grid } = settings;
  const acquired = new Draws(streamOf(seed, `acquisition ${plan.index}`));
  const { size, spacingMm } = GRIDS[grid];
  const spec: NativeSubjectSpec = {
    size: [...size],
    spacingMm,
    orientation: drawOrientation(acquired),
    shape: drawShape(acquired),
    tumour: { foci: [], edemaMl: 0, necrosisShare: 0, infiltrationMm: 0, pushMm: 0, squeezeMm: 0, seed: 0 },
    contrast: drawContrast(acquired),
    acquisition: drawAcquisition(acquired),
    strip: !settings.keepSkull,
    stripRoughness: acquired.uniform(0.05, 0.2),
    stripSeed: acquired.seed(),
  };
  if (plan.side !== null)
    spec.tumour = drawTumour(new Draws(streamOf(seed, `lesion ${plan.index} ${attempt}`)), plan.side);
  if (!settings.massEffect) Object.assign(spec.tumour, { pushMm: 0, squeezeMm: 0 });
  return spec;
}

/** Returns a generator for one purpose. Its numbers do not depend on what else is drawn. */
export function streamOf(seed: number, purpose: string): SplitMix64 {
  return new SplitMix64(Number(fnv1a64(`${seed} ${purpose}`) >> 11n));
}

/** Returns any of the 48 ways to store a volume. */
function drawOrientation(draws: Draws): string {
  const axes = shuffledPairs(draws);
  return axes.map((pair) => draws.pick([...pair])).join('');
}

function shuffledPairs(draws: Draws): string[] {
  const pairs = ['LR', 'PA', 'IS'];
  const out: string[] = [];
  while (pairs.length > 0) out.push(...pairs.splice(Math.floor(draws.uniform(0, pairs.length)), 1));
  return out;
}

function drawShape(draws: Draws): NativeSubjectSpec['shape'] {
  const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
  const whole = 0.95 + 0.035 * draws.normal();
  const triple = (draw: () => number): NativeTriple => [draw(), draw(), draw()];
  return {
    scale: triple(() => clamp(whole + 0.02 * draws.normal(), 0.85, 1.07)),
    rotationDegrees: triple(() => clamp(3 * draws.normal(), -8, 8)),
    translationMm: triple(() => draws.uniform(-5, 5)),
    warpMm: draws.uniform(1.5, 3),
    warpSeed: draws.seed(),
    ventricleMm: draws.uniform(-2.2, 0.6),
  };
}

function drawContrast(draws: Draws): NativeSubjectSpec['contrast'] {
  return {
    csf: draws.uniform(0.06, 0.14),
    grey: draws.uniform(0.6, 0.72),
    white: 0.5,
    fat: draws.uniform(0.85, 1.1),
    edema: draws.uniform(0.88, 1.02),
    core: draws.uniform(0.66, 0.84),
    necrosis: draws.uniform(0.18, 0.42),
  };
}

function drawAcquisition(draws: Draws): NativeSubjectSpec['acquisition'] {
  return {
    bias: draws.uniform(0.04, 0.18),
    biasSeed: draws.seed(),
    // Some FLAIR is acquired in 3D, most in thick axial slices.
    sliceMm: draws.chance(0.35) ? 1 : draws.uniform(2, 5.5),
    blurMm: draws.uniform(0.2, 0.8),
    noise: draws.uniform(0.008, 0.03),
    noiseSeed: draws.seed(),
    gain: draws.logNormal(600, 0.5, 200, 2500),
  };
}

type Focus = NativeSubjectSpec['tumour']['foci'][number];

const LOBES = { frontal: 38, temporal: 29, parietal: 20, occipital: 6, insula: 5, basal_ganglia: 1, thalamus: 1 };
const CORTICAL = { frontal: 40, temporal: 30, parietal: 20, occipital: 10 };

function drawTumour(draws: Draws, side: LesionSide): NativeSubjectSpec['tumour'] {
  const isSmall = side === 'midline';
  const coreMl = isSmall ? draws.logNormal(3, 0.35, 1, 6) : draws.logNormal(20, 0.7, 3, 70);
  const edemaMl = isSmall ? draws.logNormal(3, 0.4, 1, 7) : draws.logNormal(45, 0.6, 6, 130);
  const foci = drawFoci(draws, side, coreMl);
  // Pressure grows with the lesion, but some large ones infiltrate without displacing much.
  const radiusMm = 6.2 * Math.cbrt(coreMl);
  const pressure = draws.uniform();
  return {
    foci,
    edemaMl,
    necrosisShare: draws.chance(0.72) ? draws.uniform(0.1, 0.6) : 0,
    infiltrationMm: draws.uniform(1.5, 5),
    pushMm: Math.min(11, 0.48 * pressure * radiusMm),
    squeezeMm: 11 * pressure,
    seed: draws.seed(),
  };
}

function drawFoci(draws: Draws, side: LesionSide, coreMl: number): Focus[] {
  const focus = (region: string, at: Focus['side'], share = 1): Focus => ({
    region,
    side: at,
    seed: draws.seed(),
    coreMl: coreMl * share,
  });
  if (side === 'midline') return [focus(draws.weighted({ cerebellum: 4, brainstem: 4 }), 'middle')];
  if (side === 'bilateral') {
    // The lesion is a butterfly across the corpus callosum, or a focus on each side.
    if (draws.chance(0.6)) return [focus('corpus_callosum', 'middle')];
    const share = draws.uniform(0.4, 0.6);
    return [focus(draws.weighted(CORTICAL), 'left', share), focus(draws.weighted(CORTICAL), 'right', 1 - share)];
  }
  if (!draws.chance(0.12)) return [focus(draws.weighted(LOBES), side)];
  const share = draws.uniform(0.6, 0.8);
  return [focus(draws.weighted(CORTICAL), side, share), focus(draws.weighted(CORTICAL), side, 1 - share)];
}
