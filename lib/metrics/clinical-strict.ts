/**
 * Extracts what a text asserts: findings that are not denied, places that are not spared or normal, and the side of the
 * lesion. It builds on the scopes of lib/reading; docs/metrics.md has the rules and a table of cases.
 */

import { isPlaceSaid, isSaid, type ReadClause, readContext } from '../reading/context';
import { findingAt, isFreed, placesIn } from '../reading/entities';
import { CATEGORIES, type Extraction } from '../reading/findings';
import { extractLaterality } from '../reading/laterality';

export function extractStrict(text: string): Extraction {
  const mentions = findMentions(text);
  const { side } = extractLaterality(text);
  const asserted = (category: Mention['category']) => {
    const named = new Set(mentions.filter((item) => item.isAsserted && item.category === category).map(entityOf));
    return new Set(CATEGORIES[category].filter((entity) => named.has(entity)));
  };
  return {
    laterality: new Set(side === 'unknown' ? [] : side === 'bilateral' ? ['left', 'right'] : [side]),
    anatomy: asserted('anatomy'),
    pathology: asserted('pathology'),
    side,
  };
}

const entityOf = ({ entity }: Mention): string => entity;

/** Words that name a place or a finding. */
export interface Mention {
  /** The first character of the mention in the text. `end` is one past its last. */
  start: number;
  end: number;
  category: 'anatomy' | 'pathology';
  entity: string;
  /** False if denied, spared, normal, past, asked for or only compared with. */
  isAsserted: boolean;
}

/** Returns every mention of a place or a finding, in order. */
export function findMentions(text: string): Mention[] {
  return readContext(text).flatMap(mentionsOf);
}

function mentionsOf(clause: ReadClause): Mention[] {
  const { words } = clause;
  const places = placesIn(words);
  return words.flatMap(({ start, end }, i): Mention[] => {
    const named = (places[i] ?? []).map(
      (entity): Mention => ({ start, end, category: 'anatomy', entity, isAsserted: isPlaceSaid(clause, i) }),
    );
    const found = findingAt(words, i);
    if (found === null) return named;
    const isAsserted = isSaid(clause, i) && !isFreed(words, i);
    const last = words[found.end - 1]?.end ?? end;
    return [...named, { start, end: last, category: 'pathology', entity: found.finding, isAsserted }];
  });
}
