"""Writes the input of both sides of the training benchmark: made-up volumes in the preprocessing cache's format, and token ids.

    python bench/reference/training_data.py DIR --samples N --micro-batch M

Writes DIR/volumes/<i>.safetensors and DIR/data.json: `prompt` and `reports` (ids), `micro_batches` (indices, longest
first, so that what is computed together has little padding). DIR/raw.nii is an image of BraTS's size.
"""
import argparse
import json
from pathlib import Path

import nibabel
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

BOS, EOS, FIRST, VOCAB = 2, 1, 256, 8192
PROMPT_TOKENS, REPORT_TOKENS = 12, (60, 110)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--micro-batch", type=int, required=True)
    args = parser.parse_args()
    gen = torch.Generator().manual_seed(0)
    (args.out / "volumes").mkdir(parents=True)
    for i in range(args.samples):
        # Each volume has blobs of its own: noise alone would give nearly the same mean token everywhere.
        coarse = torch.rand(1, 1, 4, 6, 6, generator=gen)
        volume = F.interpolate(coarse, (64, 128, 128), mode="trilinear", align_corners=False)[0, 0]
        save_file({"volume": volume.half().contiguous()}, args.out / "volumes" / f"{i}.safetensors",
                  metadata={"format": "brain3d-cached-volume-1"})
    ids = lambda count: torch.randint(FIRST, VOCAB, (count,), generator=gen).tolist()
    lengths = torch.randint(*REPORT_TOKENS, (args.samples,), generator=gen).tolist()
    reports = [ids(length) + [EOS] for length in lengths]
    order = sorted(range(args.samples), key=lambda i: -len(reports[i]))
    data = {"prompt": [BOS] + ids(PROMPT_TOKENS - 1), "reports": reports,
            "micro_batches": [order[i:i + args.micro_batch] for i in range(0, args.samples, args.micro_batch)]}
    (args.out / "data.json").write_text(json.dumps(data))
    raw = torch.randint(0, 1000, (240, 240, 155), generator=gen, dtype=torch.int16).numpy()
    nibabel.save(nibabel.Nifti1Image(raw, np.diag([-1.0, -1.0, 1.0, 1.0])), args.out / "raw.nii")


if __name__ == "__main__":
    main()
