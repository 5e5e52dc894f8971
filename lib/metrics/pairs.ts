/** Pairs references with their hypotheses: exactly one row for every case. */
import { Brain3DError } from '../base/errors';
import type { TextEntry } from './texts';

export interface Pair {
  id: string;
  reference: string;
  hypothesis: string;
  /** The class that the references give; null where they give none. */
  class: TextEntry['class'] | null;
}

const NAMED = 5;

/**
 * Pairs texts by id, in the references' order.
 * @throws {Brain3DError} BRAIN3D_USAGE naming ids that only one side has, or references without a class beside some
 *   with one
 */
export function pairTexts(
  references: readonly TextEntry[],
  hypotheses: readonly TextEntry[],
  missing: 'stop' | 'empty',
): Pair[] {
  if (references.length === 0) throw usage('expected at least one reference, got none');
  const texts = new Map(hypotheses.map(({ id, text }) => [id, text]));
  const ids = new Set(references.map(({ id }) => id));
  const extra = hypotheses.filter(({ id }) => !ids.has(id));
  if (extra.length > 0) throw usage(`expected a reference for every hypothesis, got none for ${named(extra)}`);
  const absent = references.filter(({ id }) => !texts.has(id));
  if (absent.length > 0 && missing === 'stop')
    throw usage(
      `expected a hypothesis for every reference, got none for ${named(absent)}; ` +
        "a failed generation is an empty text: write one, or set missing to 'empty'",
    );
  const withClass = hypotheses.find((entry) => entry.class !== undefined);
  if (withClass !== undefined)
    throw usage(`expected the class in references only, got one for the hypothesis '${withClass.id}'`);
  const unclassed = references.filter((entry) => entry.class === undefined);
  if (unclassed.length > 0 && unclassed.length < references.length)
    throw usage(`expected a class for every reference or for none, got none for ${named(unclassed)}`);
  return references.map((entry) => ({
    id: entry.id,
    reference: entry.text,
    hypothesis: texts.get(entry.id) ?? '',
    class: entry.class ?? null,
  }));
}

function named(entries: readonly TextEntry[]): string {
  const names = entries.slice(0, NAMED).map(({ id }) => `'${id}'`);
  const more = entries.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function usage(message: string): Brain3DError {
  return new Brain3DError('BRAIN3D_USAGE', `scoreTexts: ${message}`);
}
