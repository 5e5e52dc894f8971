# SPDX-License-Identifier: MIT
"""Makes models/tiny: a small trained language model with its tokenizer, and a small untrained vision encoder."""

import argparse
from pathlib import Path

import torch

from corpus import draw_reports
from language import PROMPT_SPELLINGS, TrainingOptions, save_language, train_language
from tokenizer import build_tokenizer, save_tokenizer
from vision import save_vision

DEFAULT_OUTPUT = Path(__file__).resolve().parents[2] / "models" / "tiny"
TOKENIZER_SEED = 7
VISION_SEED = 23
NUM_TOKENIZER_REPORTS = 4000
FINAL_LOSS_STEPS = 50


def make_language(directory, options):
    tokenizer = build_tokenizer([*draw_reports(NUM_TOKENIZER_REPORTS, TOKENIZER_SEED), *PROMPT_SPELLINGS])
    model, losses = train_language(tokenizer, options)
    save_tokenizer(tokenizer, directory)
    save_language(model, directory)
    final = losses[-FINAL_LOSS_STEPS:]
    print(f"final training loss {sum(final) / len(final):.4f} (mean of the last {len(final)} steps)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT)
    parser.add_argument("--only", choices=("language", "vision"), help="make one of the two, leave the other as it is")
    parser.add_argument("--steps", type=int, default=TrainingOptions.steps, help="optimiser steps of the language")
    arguments = parser.parse_args()
    # More threads change the order of float32 sums, and so the trained weights.
    torch.set_num_threads(1)
    if arguments.only != "vision":
        make_language(arguments.output / "language", TrainingOptions(steps=arguments.steps))
    if arguments.only != "language":
        save_vision(arguments.output / "vision", VISION_SEED)


if __name__ == "__main__":
    main()
