# SPDX-License-Identifier: MIT
"""The patches of the first stage of the vision encoder's pretraining.

    python tools/tiny/patches.py --volumes SIM.pt --out patches.pt

A lesion fills a dozen of a volume's 1,296 patches, so that whole slabs show few of them. Here half of the patches have
one, wherever they lie, and each is encoded alone: thousands a second. The kernel starts as filters that whiten patches.
"""

import argparse
from pathlib import Path

import torch

from slabs import DEPTH, GRID, PATCH, SIDE, mirrored_places, patch_contents

MIN_LESION_SHARE = 0.05
WHITENING_FLOOR = 0.02  # variance, of pixels in [0, 1], below which a direction counts as noise
MAX_SHIFT = 7
SEED = 3


def patches_of(pixels):
    """Returns the patches (..., 81, 196) of pixels (..., 126, 126)."""
    grid = pixels.unflatten(-1, (GRID, PATCH)).unflatten(-3, (GRID, PATCH))
    return grid.transpose(-3, -2).flatten(-2).flatten(-3, -2)


def gather_patches(pack, indices, seed):
    """Returns pixels (N, 196) of uint8, the place in the plane (N) and contents (N, PATCH_CONTENTS); half with a
    lesion."""
    random = torch.Generator().manual_seed(seed)
    mirror = mirrored_places().long()
    everything = []
    for index in indices:
        first, down, right = (int(torch.randint(high, (), generator=random)) for high in (DEPTH, 15, 15))
        volume = pack["volumes"][index][first : first + 60].float().unflatten(0, (-1, DEPTH)).mean(1)
        codes = pack["codes"][index][first : first + 60].unflatten(0, (-1, DEPTH))
        if torch.rand((), generator=random) < 0.5:
            volume, codes = volume.flip(-1), mirror[codes.flip(-1).long()].to(torch.uint8)
        shift = (down - MAX_SHIFT, right - MAX_SHIFT)
        volume, codes = volume.roll(shift, (-2, -1)), codes.roll(shift, (-2, -1))
        contents = patch_contents(codes[None, ..., :SIDE, :SIDE].contiguous()).flatten(0, 2)
        pixels = patches_of(volume[:, :SIDE, :SIDE]).flatten(0, 1)
        lesion = torch.nonzero(contents[:, :3].sum(1) > MIN_LESION_SHARE).flatten()
        other = torch.nonzero((contents[:, :3].sum(1) == 0) & (pixels.mean(1) > 0.1)).flatten()
        other = other[torch.randperm(len(other), generator=random)[: max(12, len(lesion))]]
        chosen = torch.cat([lesion, other])
        everything.append(((pixels[chosen] * 255).to(torch.uint8), chosen % (GRID * GRID), contents[chosen]))
    return tuple(torch.cat(parts) for parts in zip(*everything))


def whitening_kernel(pixels, width, generator):
    """Returns a kernel (width, 196) and a bias (width) that give patches (N, 196) uncorrelated outputs, turned at
    random."""
    mean = pixels.mean(0)
    centred = pixels - mean
    variances, directions = torch.linalg.eigh(centred.T @ centred / len(pixels))
    filters = (directions / (variances + WHITENING_FLOOR).sqrt())[:, -width:].T
    turn = torch.linalg.qr(torch.randn(width, width, generator=generator)).Q
    kernel = turn @ filters
    return kernel, -kernel @ mean


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pack = torch.load(arguments.volumes, mmap=True)
    indices = [index for index, split in enumerate(pack["splits"]) if split == "train"]
    patches = gather_patches(pack, indices, SEED)
    torch.save(patches, arguments.out)
    print(f"{len(patches[0])} patches")


if __name__ == "__main__":
    main()
