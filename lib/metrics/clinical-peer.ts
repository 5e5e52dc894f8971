/**
 * The extraction of the paper's authors, exactly: it compares words between spaces. Its weaknesses (no negation, no
 * plurals, a hyphen hides a word) are kept for comparison; docs/metrics.md shows them case by case.
 */

import { CATEGORIES, type Category, type Extraction } from '../reading/findings';
import { peerLaterality } from '../reading/laterality';

export function extractPeer(text: string): Extraction {
  const padded = ` ${text.toLowerCase().replace(/[.,;!?()]/g, ' ')} `;
  const found = (category: Category) =>
    new Set<string>(CATEGORIES[category].filter((keyword) => padded.includes(` ${keyword} `)));
  return {
    laterality: found('laterality'),
    anatomy: found('anatomy'),
    pathology: found('pathology'),
    side: peerLaterality(text),
  };
}
