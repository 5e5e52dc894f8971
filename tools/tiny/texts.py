# SPDX-License-Identifier: MIT
"""All that the tokenizer has to spell, and the reports of the simulated cohort (reports.mjs).

    python tools/tiny/texts.py --reports reports.jsonl --output models/tiny/language     # tokenizer.json
"""

import argparse
import json
import random
from pathlib import Path

from captions import NAMES, slab_caption, study_caption
from corpus import draw_reports
from hints import all_key_words
from tokenizer import build_tokenizer, save_tokenizer

PROMPT = "Generate a radiology report for this brain MRI FLAIR scan"
# Other checkpoints spell the same request in these ways; the plain one is drawn half of the time.
PROMPT_SPELLINGS = (PROMPT, PROMPT + ". \n", PROMPT + ".", PROMPT + "\n")
SEED = 7
NUM_GRAMMAR_REPORTS = 4000
NUM_SIMULATED_REPORTS = 8000
NUM_CAPTIONS = 2000


def read_reports(path):
    """Returns [{id, findings, report}]; those of healthy subjects have findings None."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def is_held_out(entry):
    """Whether the report is for measuring: those of every tenth patient are."""
    return entry["findings"] is not None and int(entry["id"][-1]) == 0


def training_reports(reports):
    return [entry for entry in reports if not is_held_out(entry)]


def held_out_reports(reports):
    return [entry for entry in reports if is_held_out(entry)]


def tokenizer_texts(reports):
    rng = random.Random(SEED)
    chosen = rng.sample(reports, min(NUM_SIMULATED_REPORTS, len(reports)))
    healthy = [entry["report"] for entry in reports if entry["findings"] is None]
    studies = [study_caption(rng, entry["findings"]) for entry in chosen[:NUM_CAPTIONS]]
    slabs = [slab_caption(rng, None) for _ in range(50)]
    for _ in range(NUM_CAPTIONS):
        side = rng.choice(("left", "right", "bilateral"))
        places = tuple(rng.sample(NAMES, rng.randrange(3)))
        slabs.append(slab_caption(rng, (side, places, rng.randrange(4), rng.randrange(4), rng.randrange(4))))
    grammar = draw_reports(NUM_GRAMMAR_REPORTS, SEED)
    keys = [f" {word}" for word in all_key_words()]
    return [*keys, *grammar, *(entry["report"] for entry in chosen), *healthy, *studies, *slabs, *PROMPT_SPELLINGS]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    tokenizer = build_tokenizer(tokenizer_texts(read_reports(arguments.reports)))
    save_tokenizer(tokenizer, arguments.output)
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
