/** Marks the entities of a text as HTML: sides, places and findings, and those that do not fit the other text. */

import { escapeHtml } from '../base/html';
import { extractStrict, findMentions } from '../metrics/clinical-strict';
import { extractLaterality } from '../reading/laterality';

interface Span {
  start: number;
  end: number;
  /** The style classes of the span. */
  names: string[];
  title: string;
}

/**
 * @param text what is shown
 * @param other what it is compared with
 * @param fault what an entity is that `other` lacks: `missed` in a reference, `invented` in a generation
 */
export function highlighted(text: string, other: string, fault: 'missed' | 'invented'): string {
  const spans = [...sideSpans(text, other), ...entitySpans(text, other, fault)];
  const cuts = [...new Set([0, text.length, ...spans.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
  return cuts
    .slice(0, -1)
    .map((start, i) => {
      const end = cuts[i + 1] as number;
      const covering = spans.filter((span) => span.start <= start && span.end >= end);
      const words = escapeHtml(text.slice(start, end));
      if (covering.length === 0) return words;
      const names = [...new Set(covering.flatMap((span) => span.names))].join(' ');
      return `<mark class="${names}" title="${escapeHtml(covering.map(({ title }) => title).join('; '))}">${words}</mark>`;
    })
    .join('');
}

/** Finds the sides of the lesion. A side that the other text contradicts is wrong in both. */
function sideSpans(text: string, other: string): Span[] {
  const otherSide = extractLaterality(other).side;
  return extractLaterality(text).evidence.map(({ start, text: words, side, about }) => {
    const counts = about === 'lesion' || about === 'edema';
    const isWrong = counts && otherSide !== 'unknown' && otherSide !== side && isOneSided(otherSide, side);
    const title = counts
      ? `side: ${side}${isWrong ? `, the other text says ${otherSide}` : ''}`
      : `no side of the lesion (${about})`;
    return {
      start,
      end: start + words.length,
      names: ['side', counts ? side : 'uncounted', ...(isWrong ? ['wrong'] : [])],
      title,
    };
  });
}

/** Whether one is left and the other right; bilateral includes both. */
function isOneSided(a: string, b: string): boolean {
  return a !== 'bilateral' && b !== 'bilateral';
}

function entitySpans(text: string, other: string, fault: 'missed' | 'invented'): Span[] {
  const inOther = extractStrict(other);
  return findMentions(text).map(({ start, end, category, entity, isAsserted }) => {
    const isAlone = isAsserted && !inOther[category].has(entity);
    const names = [category, ...(isAsserted ? [] : ['denied']), ...(isAlone ? [fault] : [])];
    return { start, end, names, title: `${entity}${isAsserted ? '' : ', denied'}${isAlone ? `, ${fault}` : ''}` };
  });
}

/** The page's statement about the side of a generation; null where nothing is wrong. */
export function sideFault(reference: string, generated: string): { text: string; isInverted: boolean } | null {
  const [expected, got] = [extractLaterality(reference).side, extractLaterality(generated).side];
  if (expected === got) return null;
  const isInverted = (expected === 'left' && got === 'right') || (expected === 'right' && got === 'left');
  return {
    text: `${isInverted ? 'SIDE INVERTED' : 'side differs'}: reference ${expected}, generation ${got}`,
    isInverted,
  };
}
