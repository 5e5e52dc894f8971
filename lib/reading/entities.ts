/** Finds words that name a place or a finding. */
import type { CATEGORIES } from './findings';
import type { Word } from './words';

export type Place = (typeof CATEGORIES.anatomy)[number];
export type Finding = (typeof CATEGORIES.pathology)[number];

const PLACES: Record<Exclude<Place, 'periventricular'>, RegExp> = {
  frontal: /front(?:al(?!ly)|o(?=$|pariet|tempor|occip|insul|basal|polar))/,
  parietal: /pariet(?:al|o(?=$|occip|tempor))/,
  temporal: /(?:^|[^nx])tempor(?:al(?!ly)|o(?=$|pariet|occip|front|insul|basal|mesial|polar))/,
  occipital: /occipit(?:al|o(?=$|pariet|tempor))/,
  cerebellum: /cerebell(?:um|a|ar|i)$/,
  ventricle: /^(?:intra|bi|supra)?ventric(?:les?|ular)$|^horns?$/,
};
/** Words after which a lobe's name is not a lobe. */
const PART_OF_OTHERS =
  /^(?:horns?|bones?|sinus(?:es)?|scalp|craniotomy|craniectomy|burr|skull|calvari\w*|arter(?:y|ies))$/;
/** Words that may stand between a lobe's name and such a word: "Frontal and occipital horns". */
const BETWEEN = /^(?:frontal|temporal|occipital|parietal|posterior|anterior|inferior|superior|and|or|,)$/;
/** Words after which "temporal" means time: "Temporal evolution". */
const TIME = /^(?:evolution|course|change|changes|relation\w*|comparison|stability|development)$/;

/** Returns the places that each word names; most words name none. */
export function placesIn(words: readonly Word[]): Place[][] {
  const isNoLobe = new Uint8Array(words.length + 1);
  for (let i = words.length - 1; i > 0; i--) {
    const { text } = words[i] as Word;
    const isOther = PART_OF_OTHERS.test(text) || (BETWEEN.test(text) && isNoLobe[i] === 1);
    isNoLobe[i - 1] = isOther ? 1 : 0;
  }
  return words.map((_, i) => placesOf(words, i, isNoLobe[i] === 1));
}

function placesOf(words: readonly Word[], i: number, isPartOfOther: boolean): Place[] {
  const { text, isJoined } = words[i] as Word;
  if (/^peri-?ventricular/.test(text)) return ['periventricular'];
  const before = words[i - 1]?.text ?? '';
  if (/^ventricular/.test(text) && isJoined && (before === 'peri' || before === 'para'))
    return before === 'peri' ? ['periventricular'] : [];
  const named = Object.entries(PLACES).flatMap(([place, pattern]) => (pattern.test(text) ? [place as Place] : []));
  if (named.length === 0) return named;
  if (isPartOfOther && named.some((place) => place !== 'ventricle')) return [];
  return text === 'temporal' && TIME.test(words[i + 1]?.text ?? '') ? [] : named;
}

const FINDINGS: Record<Finding, RegExp> = {
  edema: /^o?edema(?:s|ta|tous)?$|^swelling$|^swollen$/,
  necrosis: /^necro(?:sis|ses|tic)$/,
  enhancement: /^enhanc(?:ement|ements|es|e|ing|ed)$/,
  compression: /^compress(?:ion|ions|ed|es|ing|ive)?$/,
  tumor:
    /^tumou?r(?:s|al|ous)?$|^neoplas(?:ms?|tic|ia)$|^(?:gli|glioblast|astrocyt|oligodendrogli|gangliogli|mening|ependym|medulloblast|lymph|schwann|craniopharyngi)oma(?:s|ta|tous)?$|^metasta(?:sis|ses|tic)$|^(?:gbm|lgg|hgg)s?$/,
  mass: /^mass(?:es)?$/,
  lesion: /^lesions?$/,
};
/** Words for images and studies. In "Contrast-enhanced images" they make "enhanced" a technique. */
const TECHNIQUE = /^(?:scans?|images?|imaging|mri?|sequences?|t1|series|study|studies|examination|ct)$/;

/** Returns the finding that a word names, with the end of its name; null if it names none. */
export function findingAt(words: readonly Word[], i: number): { finding: Finding; end: number } | null {
  const { text } = words[i] as Word;
  const next = words[i + 1]?.text ?? '';
  if (FINDINGS.mass.test(text) && /^effects?$/.test(next)) return { finding: 'compression', end: i + 2 };
  if (/^effac/.test(text) && isNearVentricle(words, i)) return { finding: 'compression', end: i + 1 };
  for (const [finding, pattern] of Object.entries(FINDINGS)) {
    if (!pattern.test(text)) continue;
    if (finding === 'enhancement' && isNoEnhancement(words, i)) return null;
    return { finding: finding as Finding, end: i + 1 };
  }
  return null;
}

const NEAR = 6;

/** Whether a ventricle is near. "Effacement of the ventricle" is its compression; that of sulci is not. */
function isNearVentricle(words: readonly Word[], i: number): boolean {
  return words.slice(Math.max(0, i - NEAR), i + NEAR).some(({ text }) => PLACES.ventricle.test(text));
}

/** Whether "enhancing" is denied by "non", or is said of an image. */
function isNoEnhancement(words: readonly Word[], i: number): boolean {
  const { text } = words[i] as Word;
  const before = words[i - 1]?.text ?? '';
  if (before === 'non' || before === 'un') return true;
  return text === 'enhanced' && (/^(?:contrast|gadolinium)$/.test(before) || TECHNIQUE.test(words[i + 1]?.text ?? ''));
}

/** Whether a hyphen joins the word to "free", as in "Edema-free". Then it is not there. */
export const isFreed = (words: readonly Word[], i: number): boolean =>
  words[i + 1]?.text === 'free' && words[i + 1]?.isJoined === true;
