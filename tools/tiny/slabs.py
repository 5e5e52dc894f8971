# SPDX-License-Identifier: MIT
"""Draws slabs from gathered volumes (volumes.py): means over adjacent axial planes, with their contents.

brain3d's inflated kernel averages DEPTH adjacent planes, so it treats a slab as the 2D encoder treats a slice.
"""

import torch

from volumes import NUM_REGIONS, PLACES

DEPTH = 4
PATCH = 14
GRID = 9
SIDE = GRID * PATCH  # 126 of the 128 rows and columns, as in brain3d
TISSUES = 3
PATCH_CONTENTS = TISSUES + NUM_REGIONS + 2 * NUM_REGIONS
MAX_SHIFT = 3  # voxels in plane
# Captions ignore a lesion of fewer voxels (of DEPTH x 126 x 126); a patch has 784.
MIN_VOXELS = 60
AMOUNTS = (60, 400, 1200)  # little, some, much


def mirrored_places():
    """Returns, for each code, the code after left and right have changed places."""
    code = torch.arange(PLACES * (1 + TISSUES))
    place, tissue = code % PLACES, code // PLACES
    other = torch.where(place > NUM_REGIONS, place - NUM_REGIONS, place + NUM_REGIONS)
    return (torch.where(place > 0, other, 0) + PLACES * tissue).to(torch.uint8)


class SlabSource:
    """Random slabs of the volumes at `indices`. The same seed gives the same ones."""

    def __init__(self, pack, indices, seed):
        self.volumes, self.codes, self.findings = pack["volumes"], pack["codes"], pack["findings"]
        self.indices = torch.as_tensor(indices)
        self.random = torch.Generator().manual_seed(seed)
        self.mirror = mirrored_places().long()
        self.brain_planes, self.lesion_planes = {}, {}
        for index in indices:
            area = (self.volumes[index] > 0.05).sum((1, 2))
            self.brain_planes[index] = torch.nonzero(area > 300).flatten()
            lesion = (self.codes[index] >= PLACES).sum((1, 2))
            self.lesion_planes[index] = torch.nonzero(lesion > MIN_VOXELS).flatten()

    def uniform(self, low, high):
        return low + (high - low) * torch.rand((), generator=self.random).item()

    def integer(self, bound):
        return int(torch.randint(bound, (), generator=self.random))

    def first_planes(self, index, slabs):
        """Draws one plane where something is to be seen, mostly the lesion; or planes evenly over the whole volume."""
        if slabs > 1:
            stride = 64 // slabs
            return [plane * stride + self.integer(stride - DEPTH + 1) for plane in range(slabs)]
        lesion = self.lesion_planes[index]
        among = lesion if len(lesion) > 0 and self.uniform(0, 1) < 0.65 else self.brain_planes[index]
        return [min(60, max(0, int(among[self.integer(len(among))]) - 2))]

    def draw(self, sequences, slabs):
        """Draws pixels (B, T, 126, 126) in [0, 1], codes (B, T, DEPTH, 126, 126) and B findings, mirrored or not."""
        pixels = torch.empty(sequences, slabs, SIDE, SIDE)
        codes = torch.empty(sequences, slabs, DEPTH, SIDE, SIDE, dtype=torch.uint8)
        found = []
        for row in range(sequences):
            index = int(self.indices[self.integer(len(self.indices))])
            is_mirrored = self.uniform(0, 1) < 0.5
            shift = [self.integer(2 * MAX_SHIFT + 1) - MAX_SHIFT for _ in range(2)]
            for slab, first in enumerate(self.first_planes(index, slabs)):
                planes = self.volumes[index, first : first + DEPTH].float().mean(0)
                code = self.codes[index, first : first + DEPTH]
                if is_mirrored:
                    planes, code = planes.flip(-1), self.mirror[code.flip(-1).long()].to(torch.uint8)
                planes, code = planes.roll(shift, (-2, -1)), code.roll(shift, (-2, -1))
                pixels[row, slab] = planes[:SIDE, :SIDE]
                codes[row, slab] = code[:, :SIDE, :SIDE]
            found.append(mirrored(self.findings[index]) if is_mirrored else self.findings[index])
        return pixels, codes, found


def mirrored(findings):
    if findings is None:
        return None
    swap = {"left": "right", "right": "left"}
    other = dict(findings)
    other["laterality"] = swap.get(findings["laterality"], findings["laterality"])
    other["midlineShift"] = swap.get(findings["midlineShift"])
    for name in ("lobesBySide", "compression"):
        other[name] = {"left": findings[name]["right"], "right": findings[name]["left"]}
    return other


def counted(codes):
    """Counts the voxels (B, T, 1 + TISSUES, PLACES) of every tissue in every place of a slab."""
    rows = codes.shape[0] * codes.shape[1]
    kinds = PLACES * (1 + TISSUES)
    offsets = torch.arange(rows).view(-1, 1) * kinds
    counts = torch.bincount((codes.reshape(rows, -1).long() + offsets).flatten(), minlength=rows * kinds)
    return counts.view(*codes.shape[:2], 1 + TISSUES, PLACES)


def patch_contents(codes):
    """Returns shares (B, T, 81, PATCH_CONTENTS) of each patch: each tissue of a lesion, each region, lesion in each
    place."""
    batch, slabs = codes.shape[:2]
    patches = codes.view(batch, slabs, DEPTH, GRID, PATCH, GRID, PATCH).permute(0, 1, 3, 5, 2, 4, 6)
    flat = patches.reshape(batch * slabs * GRID * GRID, -1)
    kinds = PLACES * (1 + TISSUES)
    offsets = torch.arange(len(flat)).view(-1, 1) * kinds
    counts = torch.bincount((flat.long() + offsets).flatten(), minlength=len(flat) * kinds)
    counts = counts.view(batch, slabs, GRID * GRID, 1 + TISSUES, PLACES).float() / flat.shape[1]
    tissues = counts[..., 1:, :].sum(-1)
    places = counts.sum(-2)[..., 1:]
    lesion = counts[..., 1:, 1:].sum(-2)
    return torch.cat([tissues, places[..., :NUM_REGIONS] + places[..., NUM_REGIONS:], lesion], dim=-1)
