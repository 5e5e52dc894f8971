# SPDX-License-Identifier: MIT
"""Gathers a simulated cohort, as the model sees it, into one file: volumes, what lies at every voxel, and findings.

    brain3d simulate --out SIM --grid small --subjects 2000 --seed 1000
    brain3d dataset build --brats SIM/brats --reports SIM/reports --healthy SIM/healthy --out SIM.jsonl
    brain3d preprocess --manifest SIM.jsonl --out SIM-cache
    python tools/tiny/volumes.py --manifest SIM.jsonl --cache SIM-cache --out SIM.pt

The volumes are those of the cache. The segmentation is brought onto their grid: canonical axes, padded to a square in
plane, the nearest voxel. Regions come from the atlas the subjects were drawn from, fitted to the box around each brain,
which is right to a few millimetres: good enough to say in a caption in which lobe a slice's lesion lies.
"""

import argparse
import json
from pathlib import Path

import nibabel
import numpy
import torch
from safetensors.numpy import load_file

ATLAS = Path(__file__).resolve().parents[2] / "assets" / "anatomy" / "colin27_regions_1mm.nii.gz"
SHAPE = (64, 128, 128)
# The atlas' numbers from 1. Its eleventh, the lateral ventricle, holds no lesion.
REGIONS = (
    "frontal", "parietal", "temporal", "occipital", "insula",
    "basal_ganglia", "thalamus", "cerebellum", "brainstem", "corpus_callosum",
)  # fmt: skip
NUM_REGIONS = len(REGIONS)
# A voxel's code is place + PLACES * tissue. Place 0 is outside of all regions, then come the regions of the left half,
# then those of the right; tissue is 0 normal, 1 necrosis, 2 edema, 3 enhancing.
PLACES = 1 + 2 * NUM_REGIONS
BRATS_TISSUE = numpy.array([0, 1, 2, 0, 3], dtype=numpy.uint8)


def canonical(path):
    """Reads (D, H, W): to Superior, to Anterior, to the patient's Right."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    return numpy.asarray(image.dataobj).transpose(2, 1, 0)


def padded_to_square(volume):
    height, width = volume.shape[1:]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    return numpy.pad(volume, ((0, 0), (top, side - height - top), (left, side - width - left)))


def nearest(volume, shape):
    """Takes the voxel whose centre is nearest, on the grid that align_corners=false gives."""
    sources = [((numpy.arange(n) + 0.5) * old / n).astype(int) for n, old in zip(shape, volume.shape)]
    return volume[numpy.ix_(*sources)]


def brain_box(mask):
    """Returns the first and the last index plus one on each axis."""
    spans = []
    for axis in range(3):
        inside = numpy.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        spans.append((int(inside[0]), int(inside[-1]) + 1))
    return spans


class Atlas:
    def __init__(self):
        self.codes = canonical(ATLAS)
        self.box = brain_box(self.codes > 0)

    def places_in(self, volume):
        """Returns the place (uint8, D, H, W) at every voxel of a preprocessed volume; zero outside the brain's box."""
        places = numpy.zeros(volume.shape, dtype=numpy.uint8)
        target = brain_box(volume > 0.05)
        sources, slices = [], []
        for (low, high), (first, last) in zip(target, self.box):
            sources.append((first + (numpy.arange(low, high) + 0.5 - low) * (last - first) / (high - low)).astype(int))
            slices.append(slice(low, high))
        region = self.codes[numpy.ix_(*sources)] % 16
        region[region > NUM_REGIONS] = 0
        is_right = sources[2] >= self.codes.shape[2] / 2
        places[tuple(slices)] = numpy.where(region > 0, region + NUM_REGIONS * is_right, 0)
        return places


def gather(manifest, cache):
    scans = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    keys = json.loads((cache / "index.json").read_text(encoding="utf-8"))["entries"]
    atlas = Atlas()
    volumes = torch.empty(len(scans), *SHAPE, dtype=torch.float16)
    codes = torch.empty(len(scans), *SHAPE, dtype=torch.uint8)
    findings = []
    for index, scan in enumerate(scans):
        volume = load_file(cache / f"{keys[scan['id']]}.safetensors")["volume"]
        tissue = numpy.zeros(SHAPE, dtype=numpy.uint8)
        if "segmentation" in scan:
            mask = padded_to_square(canonical(manifest.parent / scan["segmentation"]))
            tissue = BRATS_TISSUE[nearest(mask, SHAPE)]
        image = manifest.parent / scan["image"]
        truth = json.loads(next(image.parent.glob("*_truth.json")).read_text())
        volumes[index] = torch.from_numpy(volume)
        codes[index] = torch.from_numpy(atlas.places_in(volume) + PLACES * tissue)
        findings.append(truth.get("findings"))
    return {
        "volumes": volumes,
        "codes": codes,
        "findings": findings,
        "ids": [scan["id"] for scan in scans],
        "splits": [scan["split"] for scan in scans],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    pack = gather(arguments.manifest, arguments.cache)
    torch.save(pack, arguments.out)
    print(f"{len(pack['ids'])} subjects, {sum(found is None for found in pack['findings'])} of them healthy")


if __name__ == "__main__":
    main()
