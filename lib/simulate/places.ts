/** Names places in the brain in the words of reports. */
import type { Findings, Lobe } from './findings';

type Half = 'left' | 'right';

const CEREBRAL_LOBES: readonly Lobe[] = ['frontal', 'parietal', 'temporal', 'occipital'];
const STRUCTURES: Partial<Record<Lobe, string>> = {
  insula: 'insula',
  basal_ganglia: 'basal ganglia',
  thalamus: 'thalamus',
  cerebellum: 'cerebellum',
  brainstem: 'brainstem',
  corpus_callosum: 'corpus callosum',
};

/** Joins items to "a", "a and b" or "a, b and c". */
export function listOf(items: readonly string[]): string {
  if (items.length < 2) return items[0] ?? '';
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** Names regions: "frontal and temporal lobes", "parietal lobe and insula". */
export function regionsOf(lobes: readonly Lobe[]): string {
  const cerebral = lobes.filter((lobe) => CEREBRAL_LOBES.includes(lobe));
  const parts = cerebral.length === 0 ? [] : [`${listOf(cerebral)} ${cerebral.length > 1 ? 'lobes' : 'lobe'}`];
  return listOf([...parts, ...lobes.flatMap((lobe) => STRUCTURES[lobe] ?? [])]);
}

/** Returns every way to say where a lesion is. Each names its side, if it has one. */
export function placesOf(findings: Findings): string[] {
  const { laterality, lobes } = findings;
  const lateral = lobes.filter((lobe) => lobe !== 'brainstem' && lobe !== 'corpus_callosum');
  if (laterality === 'bilateral') return bilateralPlaces(findings);
  if (laterality === 'unknown')
    return [`the ${regionsOf(lobes)} at the midline`, `the midline of the ${regionsOf(lobes)}`];
  const side = laterality as Half;
  // The brainstem has a left half, but there is no left brainstem.
  if (lateral.length === 0) return [`the ${side} side of the ${regionsOf(lobes)}`];
  const isCerebral = lateral.every((lobe) => lobe !== 'cerebellum');
  const places = [`the ${side} ${regionsOf(lateral)}`];
  if (isCerebral) places.push(`the ${regionsOf(lateral)} of the ${side} hemisphere`);
  if (isCerebral && lateral.length > 1) places.push(`the ${side} hemisphere, involving the ${regionsOf(lateral)}`);
  return places;
}

function bilateralPlaces({ lobesBySide, crossesCallosum }: Findings): string[] {
  const own = (half: Half) => lobesBySide[half].filter((lobe) => lobe !== 'corpus_callosum' && lobe !== 'brainstem');
  const [left, right] = [own('left'), own('right')];
  const across = crossesCallosum ? ', extending across the corpus callosum' : '';
  const same = left.length === right.length && left.every((lobe) => right.includes(lobe));
  if (left.length === 0 || right.length === 0) {
    const all = listOf([...new Set([...left, ...right])].map((lobe) => regionsOf([lobe])));
    return [`both hemispheres${all === '' ? '' : ` (${all})`}${across}`];
  }
  if (same) {
    const cerebral = left.filter((lobe) => CEREBRAL_LOBES.includes(lobe));
    const places = [`the ${regionsOf(left)} of both hemispheres${across}`];
    if (cerebral.length === left.length) places.push(`both ${listOf(cerebral)} lobes${across}`);
    return places;
  }
  return [
    `both hemispheres, in the left ${regionsOf(left)} and in the right ${regionsOf(right)}${across}`,
    `the left ${regionsOf(left)} and the right ${regionsOf(right)}${across}`,
  ];
}
