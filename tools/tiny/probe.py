# SPDX-License-Identifier: MIT
"""Measures what the frozen vision backbone tells of a volume in 3D, on subjects that pretraining did not see.

    python tools/tiny/probe.py --volumes SIM.pt --vision models/tiny/vision

The probe starts as an untrained brain3d does: the kernel inflated (sum over channels, repeated along depth and divided by its depth),
the position table the same on every plane, no depth position, 16 planes of 9 x 9 tokens in one attention, pooled to 32.
A small network that is the same for all 32 tokens, as brain3d's projector is, then reads the findings; it is trained on
325 of the volumes, as many as the cohort has for training, and asked about the others.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool3d
from transformers import SiglipModel

from encoder import encode
from slabs import DEPTH, GRID, SIDE
from study_targets import SIDES, STUDY_OUTPUTS, split_choices, study_loss, study_targets
from volumes import NUM_REGIONS

NUM_VISUAL_TOKENS = 32
POOL_GRID = (8, 2, 2)
NUM_TRAINING = 325
SEED = 5


def slabs_of(volume):
    """Returns (1, D / DEPTH, 126, 126): the input of an inflated kernel of that depth and stride for a volume (D, H,
    W)."""
    planes = volume[:, :SIDE, :SIDE].float()
    return planes.view(1, -1, DEPTH, SIDE, SIDE).mean(2)


def pooled(tokens, compression):
    """Returns (32, width) of tokens (1, D', 81, width)."""
    if compression == "sequence":
        return adaptive_avg_pool1d(tokens.flatten(1, 2).transpose(1, 2), NUM_VISUAL_TOKENS)[0].T
    planes = tokens[0].unflatten(1, (GRID, GRID)).permute(3, 0, 1, 2)
    return adaptive_avg_pool3d(planes, POOL_GRID).flatten(1).T


class Reader(nn.Module):
    """The same small network for each token; a study's answer is the mean over its tokens."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, STUDY_OUTPUTS))

    def forward(self, tokens):
        return self.layers(tokens).mean(1, keepdim=True)


def fit(features, findings):
    torch.manual_seed(SEED)
    reader = Reader(features.shape[-1])
    optimizer = torch.optim.AdamW(reader.parameters(), lr=1e-3, weight_decay=0.05)
    targets = study_targets(findings)
    for _ in range(60):
        for rows in torch.randperm(len(features)).split(32):
            loss, _ = study_loss(reader(features[rows]), [target[rows] for target in targets])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return reader.eval()


def f1(wanted, named):
    shared = (wanted & named).sum(1)
    total = wanted.sum(1) + named.sum(1)
    return torch.where(total > 0, 2 * shared / total.clamp(min=1), 1.0).mean().item()


@torch.no_grad()
def measure(reader, features, findings):
    answers, marks = study_targets(findings)
    choices, marked = split_choices(reader(features)[:, 0])
    named = {name: scores.argmax(-1) for name, scores in choices.items()}
    wanted = dict(zip(choices, answers.T))
    side, told = wanted["side"], named["side"]
    one_sided = (side == SIDES.index("left")) | (side == SIDES.index("right"))
    is_healthy = side == SIDES.index("none")
    opposite = torch.where(side == SIDES.index("left"), SIDES.index("right"), SIDES.index("left"))
    lobes = slice(0, NUM_REGIONS)
    any_lobe = [(table[:, lobes] > 0) | (table[:, NUM_REGIONS : 2 * NUM_REGIONS] > 0) for table in (marks, marked)]
    out = {
        "one_sided_right": (told == side)[one_sided].float().mean().item(),
        "inverted": (told == opposite)[one_sided].float().mean().item(),
        "bilateral_right": (told == side)[side == SIDES.index("bilateral")].float().mean().item(),
        "lesions_side_right": (told == side)[~is_healthy].float().mean().item(),
        "healthy_right": (told == side)[is_healthy].float().mean().item(),
        "lobes_f1": f1(marks[~is_healthy][:, lobes] > 0, marked[~is_healthy][:, lobes] > 0),
        "lobes_or_edema_f1": f1(any_lobe[0][~is_healthy], any_lobe[1][~is_healthy]),
    }
    for name in ("edema", "necrosis", "compression_left", "compression_right"):
        out[f"{name}_right"] = (named[name] == wanted[name])[~is_healthy].float().mean().item()
    is_seen = (named["necrosis"] > 0) == (wanted["necrosis"] > 0)
    out["necrosis_seen_right"] = is_seen[~is_healthy].float().mean().item()
    pressed = [(table["compression_left"] > 0) | (table["compression_right"] > 0) for table in (named, wanted)]
    out["compression_seen_right"] = (pressed[0] == pressed[1])[~is_healthy].float().mean().item()
    return {name: round(value, 3) for name, value in out.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=Path, required=True)
    parser.add_argument("--vision", type=Path, required=True)
    parser.add_argument("--training", type=int, default=NUM_TRAINING)
    parser.add_argument("--limit", type=int, default=None, help="volumes at most")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pack = torch.load(arguments.volumes, mmap=True)
    chosen = [index for index, split in enumerate(pack["splits"]) if split != "train"]
    order = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(SEED)).tolist()
    chosen = [chosen[place] for place in order][: arguments.limit]
    tower = SiglipModel.from_pretrained(arguments.vision, dtype=torch.float32).eval().vision_model
    features = {"sequence": [], "grid": []}
    start = time.monotonic()
    with torch.no_grad():
        for index in chosen:
            tokens = encode(tower, slabs_of(pack["volumes"][index]))
            for compression, rows in features.items():
                rows.append(pooled(tokens, compression))
    print(f"{len(chosen)} volumes, {(time.monotonic() - start) / len(chosen):.2f} s each")
    findings = [pack["findings"][index] for index in chosen]
    split = arguments.training
    for compression, rows in features.items():
        every = torch.stack(rows)
        reader = fit(every[:split], findings[:split])
        print(compression, json.dumps(measure(reader, every[split:], findings[split:])))


if __name__ == "__main__":
    main()
