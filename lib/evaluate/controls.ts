/** Control rows, which have seen no image. A score has meaning only beside them. */

import { fnv1a64, SplitMix64 } from '../base/rng';
import type { ManifestEntry } from '../dataset/manifest';

/** A sentence with what every report of TextBraTS names, and without a place or side. */
export const CONSTANT_REPORT =
  'There is a lesion with surrounding edema, necrosis and compression of adjacent structures.';

/** The names of the control rows; no model gets such a name. */
export const CONTROL_NAMES = ['constant sentence', 'random report'] as const;

export interface Control {
  name: (typeof CONTROL_NAMES)[number];
  description: string;
  /** A text for each case, or the reason why there is none. */
  texts: string[] | { unavailable: string };
}

export function makeControls(
  cases: readonly ManifestEntry[],
  training: readonly ManifestEntry[],
  seed: number,
): Control[] {
  return [
    {
      name: CONTROL_NAMES[0],
      description: `the same for every case: ${CONSTANT_REPORT}`,
      texts: cases.map(() => CONSTANT_REPORT),
    },
    {
      name: CONTROL_NAMES[1],
      description: `for each case the report of a scan of the training split, of another subject, drawn with seed ${seed}`,
      texts: randomReports(cases, training, seed),
    },
  ];
}

/** Each case draws for itself, so that neither the order nor other cases change its text. */
function randomReports(
  cases: readonly ManifestEntry[],
  training: readonly ManifestEntry[],
  seed: number,
): Control['texts'] {
  const texts: string[] = [];
  for (const { id, subject } of cases) {
    const others = training.filter((scan) => scan.subject !== subject);
    if (others.length === 0) return { unavailable: 'the training split has no report of another subject' };
    const random = new SplitMix64(BigInt(seed) ^ fnv1a64(id));
    texts.push((others[Math.floor(random.uniform() * others.length)] as ManifestEntry).report);
  }
  return texts;
}
