# SPDX-License-Identifier: MIT
"""Soft prompts with a meaning: the embeddings of key words of a report's findings, in the 32 positions before it.

A language model that was pretrained on much text uses the text before a position; a tiny one has to be taught. No image
is involved: the key words come from the same findings as the report. Where a word of the reports is unambiguous
("left", "frontal"), it is the key word. Where it would be ambiguous ("mild" what?), the key word is a word of its own,
which stands in the vocabulary and in no report.
"""

import math
import random

import torch

from study_targets import DEGREES
from volumes import REGIONS

NUM_SOFT_TOKENS = 32
HINT_SHARE = 0.7
SOFT_SCALE_RANGE = (0.05, 3.0)
ZERO_SOFT_SHARE = 0.25
# The ranges are the loudness of key words relative to their embeddings, the noise relative to key words, and the share
# of positions that say nothing.
LOUDNESS_RANGE = (0.3, 2.0)
NOISE_RANGE = (0.02, 0.6)
MAX_SILENT_SHARE = 0.5
FORGOTTEN_SHARE = 0.05

SIDE_WORDS = {"left": "left", "right": "right", "bilateral": "bilateral", "unknown": "midline"}
REGION_WORDS = {name: name.replace("_", "") for name in REGIONS}
HEALTHY_WORD = "normal"


def degree_word(subject, degree):
    return f"{subject}{degree or 'absent'}"


def key_words(findings):
    """Returns the key words of a report of these findings."""
    if findings is None:
        return [HEALTHY_WORD]
    side = findings["laterality"]
    words = [SIDE_WORDS[side], *(REGION_WORDS[name] for name in findings["lobes"])]
    words += [f"edema{REGION_WORDS[name]}" for name in findings["edemaLobes"]]
    if side == "bilateral":
        halves = findings["lobesBySide"]
        words += [f"{half}{REGION_WORDS[name]}" for half in ("left", "right") for name in halves[half]]
    words.append(degree_word("edema", findings["edema"]))
    words.append(degree_word("necrosis", findings["necrosis"]))
    words += [degree_word(f"{half}ventricle", findings["compression"][half]) for half in ("left", "right")]
    words += ["severallesions"] if findings["multifocal"] else []
    words += ["acrosscallosum"] if findings["crossesCallosum"] else []
    words.append(f"shift{findings['midlineShift'] or 'absent'}")
    return words


def all_key_words():
    """Returns every key word; the tokenizer holds each as one token."""
    words = [*SIDE_WORDS.values(), HEALTHY_WORD, "severallesions", "acrosscallosum"]
    words += [f"{prefix}{word}" for prefix in ("", "edema", "left", "right") for word in REGION_WORDS.values()]
    subjects = ("edema", "necrosis", "leftventricle", "rightventricle")
    words += [degree_word(subject, degree) for subject in subjects for degree in DEGREES]
    return words + [f"shift{side}" for side in ("left", "right", "absent")]


def key_ids(tokenizer):
    """Returns {key word: id}; each must be one token."""
    ids = {}
    for word in all_key_words():
        pieces = tokenizer.encode(f" {word}", add_special_tokens=False).ids
        if len(pieces) != 1:
            raise ValueError(f"expected the key word {word!r} to be one token, got {len(pieces)}")
        ids[word] = pieces[0]
    return ids


def draw_soft_prompts(count, hidden_size, generator):
    """Draws (count, NUM_SOFT_TOKENS, hidden_size) vectors whose scale and similarity differ from sample to sample.

    They say nothing, so that an untrained projector already gives readable text. The 32 tokens of an untrained encoder
    are nearly equal, those of a trained one are not. Therefore the share of a vector common to all of them is random.
    """
    low, high = (math.log(bound) for bound in SOFT_SCALE_RANGE)
    scale = torch.empty(count, 1, 1).uniform_(low, high, generator=generator).exp()
    is_zero = torch.rand(count, 1, 1, generator=generator) < ZERO_SOFT_SHARE
    common_share = torch.rand(count, 1, 1, generator=generator)
    common = torch.randn(count, 1, hidden_size, generator=generator)
    own = torch.randn(count, NUM_SOFT_TOKENS, hidden_size, generator=generator)
    mixed = common_share.sqrt() * common + (1 - common_share).sqrt() * own
    return (scale * mixed).masked_fill(is_zero, 0.0)


def log_uniform(generator, bounds):
    low, high = (math.log(bound) for bound in bounds)
    return math.exp(low + (high - low) * torch.rand((), generator=generator).item())


def mixing_weights(words, generator):
    """Draws (NUM_SOFT_TOKENS, words): how loud each word is at each position.

    A projector may put one word at a position, several at once, or the same mixture everywhere; all three are drawn.
    """
    manner = torch.rand((), generator=generator).item()
    if manner < 0.25:
        order = [index % words for index in range(NUM_SOFT_TOKENS)]
        random_order = torch.randperm(NUM_SOFT_TOKENS, generator=generator)
        return torch.nn.functional.one_hot(torch.tensor(order)[random_order], words).float()
    positions = NUM_SOFT_TOKENS if manner < 0.6 else 1
    weights = torch.empty(positions, words).exponential_(generator=generator)
    weights = weights + (0.5 if positions == 1 else 0.0)  # a word at one position only must not be too soft
    # Independent words add up like noise, so the length of the sum stays that of one word.
    return (weights / weights.norm(dim=-1, keepdim=True)).expand(NUM_SOFT_TOKENS, words)


def say(embeddings, generator):
    """Returns (NUM_SOFT_TOKENS, hidden size) that says the key words of these embeddings (words, hidden size)."""
    said = mixing_weights(len(embeddings), generator) @ embeddings
    size = embeddings.detach().std()
    silent = torch.rand(NUM_SOFT_TOKENS, 1, generator=generator) < (
        MAX_SILENT_SHARE * torch.rand((), generator=generator)
    )
    said = said.masked_fill(silent, 0.0)
    noise = torch.randn(NUM_SOFT_TOKENS, embeddings.shape[1], generator=generator)
    common = torch.randn(1, embeddings.shape[1], generator=generator)
    noise = log_uniform(generator, NOISE_RANGE) * noise + log_uniform(generator, NOISE_RANGE) * common
    return log_uniform(generator, LOUDNESS_RANGE) * (said + size * noise)


def forgetful(words, rng: random.Random):
    """Drops a few words, so that the model also copes with findings that are not said."""
    kept = [word for word in words if rng.random() >= FORGOTTEN_SHARE]
    return kept or words
