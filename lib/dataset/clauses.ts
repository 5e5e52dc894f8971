/** A report in clauses: what a word is about is seldom said beyond them. */

export interface Clause {
  text: string;
  /** Where it begins in the report. */
  start: number;
}

/** Full stops that end a sentence, not those of numbers and abbreviations of one letter. */
const SENTENCE_END = /[!?;]|\.(?=\s|$)|\n/g;
const CLAUSE_END =
  /,|\b(?:but|while|whereas|although|however)\b|\band(?= +(?:the|there|a|an|no|its?|this)\b)|(?<!compared +)\bwith(?= +(?:the|a|an|no|its?|obvious|significant|slight|mild)\b)/gi;
/** Something is said of something here: a part without it belongs to what came before, as the parts of a list do. */
const STATEMENT =
  /\b(?:is|are|was|were|be|been|has|have|had|shows?|appears?|remains?|extends?|involves?|crosses|reaches|occupies|demonstrates?|exhibits?|presents?|compresses|causes?|leads?|affects?|with|no|without|but|while|whereas|although|however)\b|\w+(?:ing|ed)\b/i;
/** ", necrosis and enhancement are": the end of a list whose statement follows. */
const LIST_END =
  /^,(?:(?!\b(?:is|are|was|were|has|have|had)\b)[^,])*?\b(?:and|or|nor)\b[^,]*?\b(?:is|are|was|were|has|have|had)\b/i;

/** Sentences, divided at commas and conjunctions where the next part makes a statement of its own. */
export function splitClauses(report: string): Clause[] {
  return split({ text: report, start: 0 }, SENTENCE_END).flatMap((sentence) => {
    const clauses: Clause[] = [];
    for (const part of split(sentence, CLAUSE_END)) {
      const last = clauses.at(-1);
      const isNew =
        last === undefined || (STATEMENT.test(part.text) && !(LIST_END.test(part.text) && !STATEMENT.test(last.text)));
      if (isNew) clauses.push(part);
      else last.text = sentence.text.slice(last.start - sentence.start, part.start - sentence.start + part.text.length);
    }
    return clauses;
  });
}

/** Before each match, which begins the next part. */
function split({ text, start }: Clause, separator: RegExp): Clause[] {
  const parts: Clause[] = [];
  let from = 0;
  for (const { index } of [...text.matchAll(separator), { index: text.length }]) {
    if (text.slice(from, index).trim() !== '') parts.push({ text: text.slice(from, index), start: start + from });
    from = index;
  }
  return parts;
}
