/**
 * What a text asserts: findings that are not denied, places that are not spared or normal, and the side of the lesion. It
 * stands on the clauses, the negation and the sides of lib/dataset; docs/metrics.md has the rules and a table of cases.
 */
import { type Clause, splitClauses } from '../dataset/clauses';
import { extractLaterality } from '../dataset/laterality';
import { COMPARED, isFindingNegated, isPlaceNegated, nounAfter } from '../dataset/negation';
import type { CATEGORIES, Extraction } from './findings';

/** A lobe's name in parts of the ventricles and of the skull is no lobe. */
const NO_LOBE =
  '(?!(?:,? +(?:(?:and|or) +)?(?:frontal|temporal|occipital|posterior|anterior))* +(?:horns?|bones?|sinus(?:es)?)\\b)';

const PLACES: Record<(typeof CATEGORIES.anatomy)[number], RegExp> = {
  frontal: new RegExp(`front(?:al|o(?=-?(?:pariet|tempor|occip|insul|basal)))${NO_LOBE}`, 'gi'),
  parietal: /pariet(?:al|o(?=-?(?:occip|tempor)))/gi,
  temporal: new RegExp(`tempor(?:al(?!ly)|o(?=-?(?:pariet|occip|front|insul|basal|mesial)))${NO_LOBE}`, 'gi'),
  occipital: new RegExp(`occipit(?:al|o(?=-?(?:pariet|tempor)))${NO_LOBE}`, 'gi'),
  cerebellum: /cerebell(?:um|a|ar)\b/gi,
  ventricle: /(?<![a-z]|peri-|para-)(?:intra-?)?ventric(?:les?|ular)\b|\bhorns?\b/gi,
  periventricular: /\bperi-?ventricular/gi,
};

const FINDINGS: Record<(typeof CATEGORIES.pathology)[number], RegExp> = {
  edema: /o?edema(?:s|ta|tous)?\b|\bswelling\b|\bswollen\b/gi,
  necrosis: /\bnecro(?:sis|ses|tic)\b/gi,
  // Not "non-enhancing", nor the technique: "contrast-enhanced", "enhanced images".
  enhancement:
    /(?<!\b(?:non|un|contrast|gadolinium)[- ]?|\bunen)(?<!\bnot +)\benhanc(?:ement|ements|es|e|ing|ed(?! +(?:scans?|images?|imaging|mri?|sequences?|t1)))\b/gi,
  compression: /\bcompress(?:ion|ions|ed|es|ing|ive)?\b|\bmass effects?\b/gi,
  tumor: /\btumou?r(?:s|al|ous)?\b|\b(?:glio|glioblasto)ma(?:s|ta|tous)?\b|\bneoplas(?:ms?|tic|ia)\b/gi,
  mass: /\bmass(?:es)?\b(?! effect)/gi,
  lesion: /\blesions?\b/gi,
};

/** Words of a noun phrase before a place: "the left frontal and" of "the left frontal and temporal mass". */
const MODIFIERS =
  /(?:(?:\b(?:left|right|bilateral|both|and|or|lateral|medial|anterior|posterior|superior|inferior|deep|mesial|third|fourth|frontal|parietal|temporal|occipital)\b|[,-]) *)+$/i;

export function extractStrict(text: string): Extraction {
  const mentions = findMentions(text);
  const { side } = extractLaterality(text);
  const asserted = (category: Mention['category'], patterns: Record<string, RegExp>) => {
    const isNamed = (name: string) =>
      mentions.some((mention) => mention.isAsserted && mention.category === category && mention.entity === name);
    return new Set(Object.keys(patterns).filter(isNamed));
  };
  return {
    laterality: new Set(side === 'unknown' ? [] : side === 'bilateral' ? ['left', 'right'] : [side]),
    anatomy: asserted('anatomy', PLACES),
    pathology: asserted('pathology', FINDINGS),
    side,
  };
}

/** Words that name a place or a finding. */
export interface Mention {
  /** In the text, from `start` up to `end`. */
  start: number;
  end: number;
  category: 'anatomy' | 'pathology';
  entity: string;
  /** Not denied, spared, normal or only compared with. */
  isAsserted: boolean;
}

/** Every mention of a place or a finding, clause by clause. */
export function findMentions(text: string): Mention[] {
  return splitClauses(text).flatMap((clause) => [
    ...mentionsOf('anatomy', PLACES, clause, isPlaceAsserted),
    ...mentionsOf('pathology', FINDINGS, clause, (before, after) => !isFindingNegated(before, after)),
  ]);
}

function mentionsOf(
  category: Mention['category'],
  patterns: Record<string, RegExp>,
  { text, start }: Clause,
  isAsserted: (before: string, after: string) => boolean,
): Mention[] {
  return Object.entries(patterns).flatMap(([entity, pattern]) =>
    [...text.matchAll(pattern)].map(({ index, 0: words }) => ({
      start: start + index,
      end: start + index + words.length,
      category,
      entity,
      isAsserted: isAsserted(text.slice(0, index), text.slice(index + words.length)),
    })),
  );
}

function isPlaceAsserted(before: string, after: string): boolean {
  const beforePhrase = before.replace(MODIFIERS, '');
  if (COMPARED.test(beforePhrase)) return false;
  return !isPlaceNegated(beforePhrase, after, nounAfter(after));
}
