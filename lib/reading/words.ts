/**
 * Divides a report into words and sentences. Words are lower-cased, with their positions; hyphens are removed and
 * contractions divided.
 */

export interface Word {
  /** The lower-cased letters and digits, or one punctuation mark. */
  text: string;
  /** The index of the first character in the report. `end` is one past the last. */
  start: number;
  end: number;
  /** Whether a hyphen joins it to the word before. */
  isJoined: boolean;
  isMark: boolean;
}

/** Abbreviations with a slash, numbers, words (with an apostrophe's part), and every other mark by itself. */
const WORD =
  /\b(?:w\/o|w\/|s\/p|h\/o|r\/o|c\/w|b\/l)(?![\p{L}\d])|\d+(?:[.,]\d+)*|\p{L}[\p{L}\d]*(?:['’]\p{L}+)?|[^\s\p{L}]/giu;
const NOT = /^(\p{L}+?)(n['’]t|(?<=^can)not)$/iu;
const HYPHEN = /^[-\u2010\u2011]$/;

/** @returns the words of each sentence; no sentence is empty */
export function sentencesOf(report: string): Word[][] {
  const sentences: Word[][] = [];
  let sentence: Word[] = [];
  const close = () => {
    if (sentence.some(({ isMark }) => !isMark)) sentences.push(sentence);
    sentence = [];
  };
  for (const word of wordsOf(report)) {
    if (startsLine(report, sentence.at(-1), word)) close();
    sentence.push(word);
    if (endsSentence(report, sentence)) close();
  }
  close();
  return sentences;
}

function wordsOf(report: string): Word[] {
  const words: Word[] = [];
  let hyphen = -1;
  for (const { 0: raw, index: start } of report.matchAll(WORD)) {
    const end = start + raw.length;
    if (HYPHEN.test(raw) && isLetter(report, start - 1) && isLetter(report, end)) {
      hyphen = end;
      continue;
    }
    const isMark = !/^[\p{L}\d]/u.test(raw);
    const common = { isJoined: hyphen === start, isMark };
    const negated = NOT.exec(raw);
    if (negated === null) words.push({ text: raw.toLowerCase().replace('’', "'"), start, end, ...common });
    else {
      // "Isn't" and "cannot" are divided into two words, so that "not" is found.
      const verb = (negated[1] as string).toLowerCase();
      const middle = start + verb.length;
      words.push({ text: verb === 'ca' ? 'can' : verb, start, end: middle, ...common });
      words.push({ text: 'not', start: middle, end, isJoined: false, isMark: false });
    }
  }
  return words;
}

function isLetter(report: string, at: number): boolean {
  return /[\p{L}\d]/u.test(report.charAt(at));
}

/** Words behind which a full stop ends no sentence. */
const ABBREVIATIONS = new Set(
  'lt rt bilat lat vs approx ca cf dr incl resp eg ie inf sup ant max min cm mm no nr fig st'.split(' '),
);

function endsSentence(report: string, sentence: readonly Word[]): boolean {
  const last = sentence.at(-1) as Word;
  if (last.text === '!' || last.text === '?' || last.text === ';') return true;
  if (last.text !== '.' || /\S/.test(report.charAt(last.end))) return false;
  const before = sentence.at(-2);
  // A unit or an adverb may end a sentence, and then a capital follows; a side and "vs." never do.
  if (before === undefined || !ABBREVIATIONS.has(before.text)) return true;
  return ENDING.has(before.text) && /^\s+\p{Lu}/u.test(report.slice(last.end, last.end + 8));
}

const ENDING = new Set('cm mm ca no max min st inf sup ant'.split(' '));

/**
 * Whether a line begins a sentence: it begins with a capital, a digit or a bullet, or follows an empty line. Other
 * lines are wrapped.
 */
function startsLine(report: string, before: Word | undefined, word: Word): boolean {
  if (before === undefined) return false;
  const between = report.slice(before.end, Math.min(word.start, before.end + LONGEST_BREAK));
  if (!between.includes('\n') && !between.includes('\r')) return false;
  return /\n\s*\n/.test(between.slice(0, LONGEST_BREAK)) || /^[\p{Lu}\d•*·-]/u.test(report.charAt(word.start));
}

const LONGEST_BREAK = 16;
