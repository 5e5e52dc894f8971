/** Makes one simulated subject: it is drawn, rendered and measured, and its report is written from the measurements. */
import * as v from 'valibot';
import { Brain3DError, withCallerStack } from '../base/errors';
import { is, parseOptions } from '../base/validate';
import { loadAddon } from '../native/binding';
import { callNative } from '../native/call';
import type { NativeAddon, NativeAnatomy, NativeSubject, NativeSubjectSpec, NativeTruth } from '../native/surface';
import { Volume } from '../volume/volume';
import { loadAnatomy } from './anatomy';
import { Draws } from './draws';
import { type Findings, findingsOf } from './findings';
import { type DrawSettings, type LesionSide, planSubject, SIDES, type SubjectPlan, streamOf } from './plan';
import { writeReport } from './write-report';

export interface SimulatedSubject {
  /** The FLAIR volume, skull-stripped unless the skull is kept; stored in a random axis order. */
  flair: Volume;
  /** BraTS labels: 1 necrotic core, 2 edema, 4 enhancing tumour; all 0 for a healthy subject. */
  segmentation: Volume;
  /** The true brain mask. */
  brain: Volume;
  /** Null for a healthy subject. */
  report: string | null;
  findings: Findings | null;
  truth: NativeTruth;
}

const SubjectSchema = v.object({
  /** The side of the lesion; `midline` has no side, null is a healthy subject. */
  side: v.nullable(is.oneOf(SIDES)),
  /** The seed, 0 .. 2^53 - 1. @default 0 */
  seed: v.optional(is.integer(0, Number.MAX_SAFE_INTEGER)),
  /** The voxel grid. `native`: 240 x 240 x 155 at 1 mm; `small`: half of it. @default 'native' */
  grid: v.optional(is.oneOf(['native', 'small'])),
  /** Leaves the skull on. @default false */
  keepSkull: v.optional(is.flag()),
  /** Lets the lesion displace tissue and compress ventricles. @default true */
  massEffect: v.optional(is.flag()),
  signal: v.optional(is.signal()),
});
export type SimulateSubjectOptions = v.InferInput<typeof SubjectSchema>;

/**
 * Makes a head with a glioma, or a healthy one, on Colin27's anatomy. The same options give the same voxels.
 * @throws {Brain3DError} BRAIN3D_NOT_FOUND, BRAIN3D_CANCELLED
 */
export async function simulateSubject(options: SimulateSubjectOptions): Promise<SimulatedSubject> {
  const {
    side,
    seed = 0,
    grid = 'native',
    keepSkull = false,
    massEffect = true,
    signal,
  } = parseOptions('simulateSubject', SubjectSchema, options);
  const addon = loadAddon();
  return withCallerStack(simulateSubject, async () => {
    const anatomy = await loadAnatomy(addon, signal);
    const drawn = await drawSubject(
      addon,
      anatomy,
      { id: 'subject', index: 0, side },
      { seed, grid, keepSkull, massEffect },
      signal,
    );
    const volume = (native: NativeSubject['flair']) => new Volume(addon, native, null);
    const { flair, segmentation, brain, truth } = drawn.native;
    return {
      flair: volume(flair),
      segmentation: volume(segmentation),
      brain: volume(brain),
      report: drawn.report,
      findings: drawn.findings,
      truth,
    };
  });
}

export interface DrawnSubject {
  native: NativeSubject;
  spec: NativeSubjectSpec;
  findings: Findings | null;
  report: string | null;
}

/**
 * The largest number of attempts. A lesion that turned out to lie elsewhere than asked for is drawn again, so that the
 * composition is kept.
 */
const ATTEMPTS = 25;

/** @internal */
export async function drawSubject(
  addon: NativeAddon,
  anatomy: NativeAnatomy,
  plan: SubjectPlan,
  settings: DrawSettings,
  signal?: AbortSignal,
): Promise<DrawnSubject> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const spec = planSubject(plan, settings, attempt);
    const native = await callNative(addon, signal, (token) => addon.simulateSubject(anatomy, spec, token));
    const findings = findingsOf(native.truth);
    if (!isAskedFor(findings, plan.side)) continue;
    const draws = new Draws(streamOf(settings.seed, `report ${plan.index}`));
    return { native, spec, findings, report: findings === null ? null : writeReport(findings, draws) };
  }
  throw new Brain3DError(
    'BRAIN3D_INTERNAL',
    `${plan.id}: expected a ${plan.side} lesion within ${ATTEMPTS} draws, got none; use another seed`,
  );
}

function isAskedFor(findings: Findings | null, side: LesionSide | null): boolean {
  if (findings === null || side === null) return findings === null && side === null;
  return findings.laterality === (side === 'midline' ? 'unknown' : side);
}
