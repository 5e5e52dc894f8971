# SPDX-License-Identifier: MIT
"""Turns a study's findings into numbers that a visual token should tell, for pretraining's heads and for the probe."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from volumes import NUM_REGIONS, REGIONS

SIDES = ("none", "left", "right", "bilateral", "unknown")
DEGREES = (None, "mild", "moderate", "marked")
SHIFTS = (None, "left", "right")
# Choices of one among several, with the number of answers; the healthy answer of each is 0.
CHOICES = {"side": 5, "edema": 4, "necrosis": 4, "compression_left": 4, "compression_right": 4, "shift": 3}
# The places that a report may name: of the lesion, of the edema alone, and by half for a bilateral lesion.
FLAGS = {"lobes": NUM_REGIONS, "edema_lobes": NUM_REGIONS, "half_lobes": 2 * NUM_REGIONS, "kind": 2}
STUDY_OUTPUTS = sum(CHOICES.values()) + sum(FLAGS.values())


def _flags(names):
    return [float(region in names) for region in REGIONS]


def _answers(findings):
    if findings is None:
        return [0] * len(CHOICES)
    compression = findings["compression"]
    return [
        SIDES.index(findings["laterality"]),
        # A lesion's edema is at least mild.
        DEGREES.index(findings["edema"]),
        DEGREES.index(findings["necrosis"]),
        DEGREES.index(compression["left"]),
        DEGREES.index(compression["right"]),
        SHIFTS.index(findings["midlineShift"]),
    ]


def _marks(findings):
    if findings is None:
        return [0.0] * sum(FLAGS.values())
    halves = findings["lobesBySide"] if findings["laterality"] == "bilateral" else {"left": (), "right": ()}
    return [
        *_flags(findings["lobes"]),
        *_flags(findings["edemaLobes"]),
        *_flags(halves["left"]),
        *_flags(halves["right"]),
        float(findings["multifocal"]),
        float(findings["crossesCallosum"]),
    ]


def study_targets(findings):
    """Returns answers (B, len(CHOICES)) of int64 and marks (B, sum of FLAGS) of float32."""
    return torch.tensor([_answers(found) for found in findings]), torch.tensor([_marks(found) for found in findings])


def split_choices(logits):
    """Splits logits (..., STUDY_OUTPUTS) into {name: (..., answers)} and the flags (..., sum of FLAGS)."""
    *choices, marks = logits.split([*CHOICES.values(), sum(FLAGS.values())], dim=-1)
    return dict(zip(CHOICES, choices)), marks


def study_loss(logits, targets):
    """Returns the loss of logits (B, K, STUDY_OUTPUTS), asked of each of a study's K tokens, and shares of right
    answers."""
    answers, marks = targets
    tokens = logits.shape[1]
    choices, marked = split_choices(logits)
    wanted_marks = marks.unsqueeze(1).expand(-1, tokens, -1)
    loss = 4 * binary_cross_entropy_with_logits(marked, wanted_marks)
    shares = {}
    for column, (name, scores) in enumerate(choices.items()):
        wanted = answers[:, column : column + 1].expand(-1, tokens)
        weight = (2 if name == "side" else 1) / len(CHOICES)
        loss = loss + weight * cross_entropy(scores.flatten(0, 1), wanted.flatten())
        shares[f"{name}_right"] = (scores.argmax(-1) == wanted).float().mean()
    lobes = slice(0, NUM_REGIONS)
    shares["lobes_right"] = ((marked[..., lobes] > 0) == (wanted_marks[..., lobes] > 0)).float().mean()
    return loss, shares
