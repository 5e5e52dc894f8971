/**
 * Measures precision and recall of a strict reading on the sentences of test/fixtures/clinical, for tests and for the
 * tool that prints them.
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const CATEGORIES = ['side', 'anatomy', 'pathology'];
const PARTS = ['tuned', 'held-out'];

function readSentences() {
  const file = join(__dirname, '..', 'fixtures', 'clinical', 'sentences.jsonl');
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** A side is a set of one, and `unknown` the empty set. */
const setsOf = ({ side, anatomy, pathology }) => ({
  side: new Set(side === 'unknown' ? [] : [side]),
  anatomy: new Set(anatomy),
  pathology: new Set(pathology),
});

/**
 * Counts, over all sentences of a part, what is asserted and read, only read, and only asserted.
 * @param {(text: string) => { side: string, anatomy: Iterable<string>, pathology: Iterable<string> }} extract
 */
function measure(extract, sentences = readSentences()) {
  const scores = {};
  for (const part of PARTS) {
    const ofPart = sentences.filter((sentence) => sentence.part === part);
    scores[part] = { sentences: ofPart.length };
    for (const category of CATEGORIES) {
      const counts = { right: 0, invented: 0, missed: 0, exact: 0 };
      for (const sentence of ofPart) {
        const [gold, read] = [setsOf(sentence)[category], setsOf(extract(sentence.text))[category]];
        const [invented, missed] = [[...read].filter((e) => !gold.has(e)), [...gold].filter((e) => !read.has(e))];
        counts.right += read.size - invented.length;
        counts.invented += invented.length;
        counts.missed += missed.length;
        counts.exact += invented.length + missed.length === 0 ? 1 : 0;
      }
      scores[part][category] = {
        precision: counts.right / (counts.right + counts.invented),
        recall: counts.right / (counts.right + counts.missed),
        exact: counts.exact / ofPart.length,
      };
    }
  }
  return scores;
}

module.exports = { CATEGORIES, PARTS, measure, readSentences };
