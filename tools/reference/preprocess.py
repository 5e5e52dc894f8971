"""Volumes through nibabel, numpy and torch: orientation, in-plane padding, intensity and resizing."""
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
import torch.nn.functional as F

from common import generator, output_dir, save

SIZE = (8, 16, 16)
ROOT = Path(__file__).resolve().parents[2]


def rotation(x, y, z):
    """Returns a rotation by three angles in degrees, one axis after the other."""
    m = np.eye(3)
    for axis, angle in enumerate(np.deg2rad([x, y, z])):
        c, s = np.cos(angle), np.sin(angle)
        r = np.eye(3)
        i, j = [a for a in range(3) if a != axis]
        r[i, i], r[i, j], r[j, i], r[j, j] = c, -s, s, c
        m = r @ m
    return m


def affine(matrix, zooms, origin):
    a = np.eye(4)
    a[:3, :3] = np.asarray(matrix, float) @ np.diag(zooms)
    a[:3, 3] = origin
    # The values fit float32, so that the file is as exact as the computation here.
    return a.astype(np.float32).astype(np.float64)


VOLUMES = {
    "ras": ((9, 13, 7), affine(np.eye(3), (1, 1, 1), (0, 0, 0))),
    "lps": ((30, 22, 17), affine(np.diag([-1, -1, 1]), (1, 1, 1.5), (0, 239, 0))),
    "permuted": ((7, 16, 11), affine([[0, 0, -1], [1, 0, 0], [0, -1, 0]], (1.2, 0.9, 2), (30, -20, 44))),
    "oblique": ((12, 9, 14), affine(rotation(20, -15, 30), (1, 1.25, 3), (-11.5, 7.25, 3))),
    "oblique_permuted": ((15, 6, 10), affine(rotation(-25, 12, 18) @ [[0, 1, 0], [0, 0, -1], [-1, 0, 0]],
                                             (2, 1, 1.5), (4, 5, 6))),
    "sheared": ((8, 10, 12), affine([[0.1, 0.95, 0.2], [-0.9, 0.1, 0.1], [0.1, -0.2, 0.9]], (1, 1, 1), (1, 2, 3))),
    "flat": ((3, 5, 4), affine(np.diag([1, -1, -1]), (1, 1, 1), (0, 0, 0))),
}


def make_raw(name, shape, index):
    gen = generator(41 + index)
    if name == "flat":  # p1 == p99: the result is all zeros
        return np.full(shape, 7.5, np.float32)
    raw = torch.rand(shape, generator=gen) * 900 + 100 * torch.randn(shape, generator=gen)
    if index % 2:  # as after skull stripping: many zeros, nothing below
        raw = raw.clamp(min=0) * (torch.rand(shape, generator=gen) > 0.4)
    return raw.numpy().astype(np.float32)


def background_level(voxels, mask=None):
    """Returns the value that replaces everything outside the image: a fifth of the brain's range below its darkest
    percentile, or the darkest percentile of a volume without a mask."""
    low, high = np.percentile(voxels if mask is None else voxels[mask], [1, 99])
    return np.float32(low if mask is None else low - 0.2 * (high - low))


def pad_square(x, value):
    h, w = x.shape[1:]
    n = max(h, w)
    before = [(n - h) // 2, (n - w) // 2]
    edges = [(0, 0), (before[0], n - h - before[0]), (before[1], n - w - before[1])]
    return np.pad(x, edges, constant_values=value)


def preprocessed(image, size, mask=None):
    """Preprocesses a nibabel image, with a mask on its grid, to what `brain3d preprocess` writes."""
    voxels = image.get_fdata()
    background = background_level(voxels, mask)
    if mask is not None:
        voxels = np.where(mask, voxels, background)
    canonical = nib.as_closest_canonical(nib.Nifti1Image(voxels, image.affine)).get_fdata().transpose(2, 1, 0)
    padded = pad_square(canonical, background)
    p1, p99 = np.percentile(padded, [1, 99])
    scaled = torch.from_numpy(np.clip((padded - p1) / (p99 - p1), 0, 1).astype(np.float32))
    return F.interpolate(scaled[None, None], size=size, mode="trilinear", align_corners=False)[0, 0].contiguous()


def sample_outputs():
    """Preprocesses the committed sample, which is real anatomy, to a size small enough to commit, as it is and as a
    brain in its mask."""
    image = nib.load(ROOT / "assets/colin27_t1_2mm.nii.gz")
    size = (16, 32, 32)
    return {"sample.output": preprocessed(image, size),
            "sample.masked_output": preprocessed(image, size, np.asarray(image.dataobj) != 0)}


def main(out):
    tensors = {}
    for index, (name, (shape, aff)) in enumerate(VOLUMES.items()):
        raw = make_raw(name, shape, index)
        image = nib.as_closest_canonical(nib.Nifti1Image(raw, aff))
        canonical = image.get_fdata().transpose(2, 1, 0)  # R,A,S -> depth S, height A, width R
        padded = pad_square(canonical, background_level(canonical))
        p1, p99 = np.percentile(padded, [1, 99])  # the percentiles of all voxels, the padding included
        scaled = np.clip((padded - p1) / (p99 - p1), 0, 1) if p99 > p1 else np.zeros_like(padded)
        scaled = torch.from_numpy(scaled.astype(np.float32))
        resized = F.interpolate(scaled[None, None], size=SIZE, mode="trilinear", align_corners=False)[0, 0]
        f32 = lambda x: torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
        tensors.update({f"{name}.raw": f32(raw), f"{name}.affine": f32(aff), f"{name}.canonical": f32(canonical),
                        f"{name}.canonical_affine": f32(image.affine), f"{name}.p1p99": f32([p1, p99]),
                        f"{name}.padded": f32(padded), f"{name}.output": resized})
    tensors.update(sample_outputs())
    save(out / "preprocess.safetensors", tensors)


if __name__ == "__main__":
    main(output_dir(__doc__))
