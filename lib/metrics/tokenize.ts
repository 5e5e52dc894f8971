/**
 * Divides texts into words. Each metric has its own rule, and the rule decides its value. docs/metrics.md lists the
 * rules.
 */
import { stem } from './porter';

/** The white space of Python's `str.split`; JavaScript's own class lacks five of these and has one more. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are white space in Python
const PYTHON_SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** Divides a text at white space and leaves the words as written; punctuation stays attached. */
export function splitWords(text: string): string[] {
  return text.split(PYTHON_SPACE).filter((word) => word !== '');
}

/** Returns lower-case words for BLEU and METEOR; punctuation stays attached ("edema."). */
export function lowerWords(text: string): string[] {
  return splitWords(text.toLowerCase());
}

/**
 * Returns the words of rouge_score: runs of a-z and 0-9 of the lower-cased text, those longer than three characters
 * stemmed.
 */
export function rougeWords(text: string): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.map((word) => (word.length > 3 ? stem(word) : word));
}

const PTB_MARKS = /\.\.\.|--|[.,;:!?()[\]{}<>"“”‘’`]/g;
const PTB_CLITIC = /(n't|'(?:s|m|d|re|ve|ll))(?=\s|$)/g;

/**
 * Divides like the official caption pipeline (Penn Treebank): lower-case, clitics apart, punctuation left out. Full
 * stops and commas inside numbers stay.
 */
export function ptbLikeWords(text: string): string[] {
  const spaced = text
    .toLowerCase()
    .replace(/(\d)([.,:])(?=\d)/g, (_match, digit: string, mark: string) => digit + PROTECTED[mark])
    .replace(PTB_MARKS, ' ')
    .replace(PTB_CLITIC, ' $1')
    .replace(/[\ue000-\ue002]/g, (mark) => UNPROTECTED[mark] as string);
  return splitWords(spaced).filter((word) => word !== '-' && word !== "'");
}

/** Private code points that stand for marks inside numbers while the other marks are removed. */
const PROTECTED: Record<string, string> = { '.': '\ue000', ',': '\ue001', ':': '\ue002' };
const UNPROTECTED = Object.fromEntries(Object.entries(PROTECTED).map(([mark, code]) => [code, mark]));
