/**
 * Porter's stemmer [PORTER] with the extensions that nltk makes by default, for METEOR and ROUGE. The order of the
 * rules and the arguments of the measures follow nltk, as far as they can be told apart.
 */
type Condition = (stem: string) => boolean;
/** A suffix, its replacement, and the condition. The first suffix that matches decides. */
type Rule = readonly [suffix: string, replacement: string, condition?: Condition];

const IRREGULAR: Record<string, string> = {
  sky: 'sky',
  skies: 'sky',
  dying: 'die',
  lying: 'lie',
  tying: 'tie',
  news: 'news',
  innings: 'inning',
  inning: 'inning',
  outings: 'outing',
  outing: 'outing',
  cannings: 'canning',
  canning: 'canning',
  howe: 'howe',
  proceed: 'proceed',
  exceed: 'exceed',
  succeed: 'succeed',
};

const cache = new Map<string, string>();
const CACHE_LIMIT = 100_000;

/** Returns the stem of a word, in lower case. */
export function stem(word: string): string {
  const known = cache.get(word);
  if (known !== undefined) return known;
  const result = computeStem(word.toLowerCase());
  if (cache.size >= CACHE_LIMIT) cache.clear();
  cache.set(word, result);
  return result;
}

function computeStem(word: string): string {
  if (Object.hasOwn(IRREGULAR, word)) return IRREGULAR[word] as string;
  // The length is in characters, as Python counts them.
  if ([...word].length <= 2) return word;
  return [step1a, step1b, step1c, step2, step3, step4, step5a, step5b].reduce((stem, step) => step(stem), word);
}

function isConsonant(word: string, i: number): boolean {
  const letter = word[i] as string;
  if ('aeiou'.includes(letter)) return false;
  return letter !== 'y' || i === 0 || !isConsonant(word, i - 1);
}

/** Counts how often a consonant follows a vowel: m of [C](VC)^m[V]. */
function measure(stem: string): number {
  let m = 0;
  let wasVowel = false;
  for (let i = 0; i < stem.length; i++) {
    const consonant: boolean = stem[i] === 'y' ? i === 0 || wasVowel : !'aeiou'.includes(stem[i] as string);
    if (wasVowel && consonant) m++;
    wasVowel = !consonant;
  }
  return m;
}

const isMeasured: Condition = (stem) => measure(stem) > 0;
const isLong: Condition = (stem) => measure(stem) > 1;

function hasVowel(stem: string): boolean {
  return Array.from({ length: stem.length }, (_, i) => i).some((i) => !isConsonant(stem, i));
}

function endsInDouble(word: string): boolean {
  return word.length >= 2 && word.at(-1) === word.at(-2) && isConsonant(word, word.length - 1);
}

/** Porter's condition *o: consonant, vowel, consonant other than w, x, y; or, for two letters, vowel and consonant. */
function endsInCvc(word: string): boolean {
  const n = word.length;
  if (n === 2) return !isConsonant(word, 0) && isConsonant(word, 1);
  return (
    n >= 3 &&
    isConsonant(word, n - 3) &&
    !isConsonant(word, n - 2) &&
    isConsonant(word, n - 1) &&
    !'wxy'.includes(word[n - 1] as string)
  );
}

function apply(word: string, rules: readonly Rule[]): string {
  for (const [suffix, replacement, condition] of rules) {
    if (!word.endsWith(suffix)) continue;
    const stem = word.slice(0, word.length - suffix.length);
    return condition === undefined || condition(stem) ? stem + replacement : word;
  }
  return word;
}

function step1a(word: string): string {
  if (word.endsWith('ies') && word.length === 4) return `${word.slice(0, -3)}ie`;
  return apply(word, [
    ['sses', 'ss'],
    ['ies', 'i'],
    ['ss', 'ss'],
    ['s', ''],
  ]);
}

function step1b(word: string): string {
  if (word.endsWith('ied')) return word.slice(0, -3) + (word.length === 4 ? 'ie' : 'i');
  if (word.endsWith('eed')) return isMeasured(word.slice(0, -3)) ? word.slice(0, -1) : word;
  const suffix = ['ed', 'ing'].find((ending) => word.endsWith(ending) && hasVowel(word.slice(0, -ending.length)));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  if (/(?:at|bl|iz)$/.test(stem)) return `${stem}e`;
  if (endsInDouble(stem)) return 'lsz'.includes(stem.at(-1) as string) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsInCvc(stem) ? `${stem}e` : stem;
}

function step1c(word: string): string {
  return apply(word, [['y', 'i', (stem) => stem.length > 1 && isConsonant(stem, stem.length - 1)]]);
}

const STEP2: readonly Rule[] = [
  ['ational', 'ate', isMeasured],
  ['tional', 'tion', isMeasured],
  ['enci', 'ence', isMeasured],
  ['anci', 'ance', isMeasured],
  ['izer', 'ize', isMeasured],
  ['bli', 'ble', isMeasured],
  ['alli', 'al', isMeasured],
  ['entli', 'ent', isMeasured],
  ['eli', 'e', isMeasured],
  ['ousli', 'ous', isMeasured],
  ['ization', 'ize', isMeasured],
  ['ation', 'ate', isMeasured],
  ['ator', 'ate', isMeasured],
  ['alism', 'al', isMeasured],
  ['iveness', 'ive', isMeasured],
  ['fulness', 'ful', isMeasured],
  ['ousness', 'ous', isMeasured],
  ['aliti', 'al', isMeasured],
  ['iviti', 'ive', isMeasured],
  ['biliti', 'ble', isMeasured],
  ['fulli', 'ful', isMeasured],
  // The measure is that of the stem with its "l", without the last three letters.
  ['logi', 'log', (stem) => isMeasured(`${stem}l`)],
];

function step2(word: string): string {
  // The step is repeated, because "-ally" may hide another suffix.
  if (word.endsWith('alli') && isMeasured(word.slice(0, -4))) return step2(word.slice(0, -2));
  return apply(word, STEP2);
}

const STEP3: readonly Rule[] = [
  ['icate', 'ic', isMeasured],
  ['ative', '', isMeasured],
  ['alize', 'al', isMeasured],
  ['iciti', 'ic', isMeasured],
  ['ical', 'ic', isMeasured],
  ['ful', '', isMeasured],
  ['ness', '', isMeasured],
];

function step3(word: string): string {
  return apply(word, STEP3);
}

const STEP4: readonly Rule[] = [
  ...['al', 'ance', 'ence', 'er', 'ic', 'able', 'ible', 'ant', 'ement', 'ment', 'ent'].map(
    (suffix): Rule => [suffix, '', isLong],
  ),
  ['ion', '', (stem) => isLong(stem) && /[st]$/.test(stem)],
  ...['ou', 'ism', 'ate', 'iti', 'ous', 'ive', 'ize'].map((suffix): Rule => [suffix, '', isLong]),
];

function step4(word: string): string {
  return apply(word, STEP4);
}

function step5a(word: string): string {
  if (!word.endsWith('e')) return word;
  const stem = word.slice(0, -1);
  const m = measure(stem);
  return m > 1 || (m === 1 && !endsInCvc(stem)) ? stem : word;
}

function step5b(word: string): string {
  return word.endsWith('ll') && isLong(word.slice(0, -1)) ? word.slice(0, -1) : word;
}
