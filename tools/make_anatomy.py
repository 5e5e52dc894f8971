# SPDX-License-Identifier: MIT
"""Makes assets/anatomy/ from the Colin27 head and the AAL atlas: what the simulated cohort is drawn from.

colin27_t1_1mm.nii.gz       the head with its skull, T1, uint8, as in ch2.nii.gz
colin27_regions_1mm.nii.gz  uint8: region + 16 * tissue (codes below), 0 outside the brain mask (ch2bet.nii.gz > 0)

AAL labels the cortex; the white matter below takes the label of the nearest cortex of its hemisphere. Ventricles,
corpus callosum and brainstem, which AAL lacks, are found by intensity within stated boxes of MNI space.
"""

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from make_sample import REPOSITORY, write_deterministic_gzip

REGIONS = {
    "frontal": 1, "parietal": 2, "temporal": 3, "occipital": 4, "insula": 5, "basal_ganglia": 6, "thalamus": 7,
    "cerebellum": 8, "brainstem": 9, "corpus_callosum": 10, "lateral_ventricle": 11,
}  # fmt: skip
CSF, GREY, WHITE = 1, 2, 3
# The valleys of Colin27's intensity histogram inside the brain mask (peaks near 32, 84 and 113).
CSF_BELOW, WHITE_FROM = 62, 99

# Name prefixes of AAL; the first match wins.
AAL_REGIONS = (
    ("Precentral", "frontal"), ("Frontal", "frontal"), ("Rolandic", "frontal"), ("Supp_Motor", "frontal"),
    ("Olfactory", "frontal"), ("Rectus", "frontal"), ("Cingulum_Ant", "frontal"), ("Cingulum_Mid", "frontal"),
    ("Paracentral", "frontal"), ("Insula", "insula"), ("Cingulum_Post", "parietal"), ("Postcentral", "parietal"),
    ("Parietal", "parietal"), ("SupraMarginal", "parietal"), ("Angular", "parietal"), ("Precuneus", "parietal"),
    ("Hippocampus", "temporal"), ("ParaHippocampal", "temporal"), ("Amygdala", "temporal"), ("Fusiform", "temporal"),
    ("Heschl", "temporal"), ("Temporal", "temporal"), ("Calcarine", "occipital"), ("Cuneus", "occipital"),
    ("Lingual", "occipital"), ("Occipital", "occipital"), ("Caudate", "basal_ganglia"), ("Putamen", "basal_ganglia"),
    ("Pallidum", "basal_ganglia"), ("Thalamus", "thalamus"), ("Cerebelum", "cerebellum"), ("Vermis", "cerebellum"),
)  # fmt: skip


def read_lobes(aal, names):
    """Returns our region codes by AAL's numbers."""
    table = np.zeros(256, np.uint8)
    for line in names.read_text().splitlines():
        if not line.strip():
            continue
        number, name = line.split()[:2]
        table[int(number)] = REGIONS[next(region for prefix, region in AAL_REGIONS if name.startswith(prefix))]
    return table[aal]


def nearest_label(labels, inside):
    """Continues `labels` to all of `inside` from the nearest labelled voxel."""
    index = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    return np.where(inside, labels[tuple(index)], 0)


def coordinates(shape, affine):
    """Returns MNI mm along each axis, broadcastable."""
    return [
        (np.arange(shape[axis]) * affine[axis, axis] + affine[axis, 3]).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis in range(3)
    ]


def lateral_ventricles(csf, x, y, z):
    side = np.abs(x)
    front = (side <= 24) & (y >= -12) & (y <= 42) & (z >= -2) & (z <= 34)
    third_or_fissure = ((side < 3) & (z < 9)) | ((side < 2) & (y > 22))
    body = (side >= 5) & (side <= 32) & (y >= -48) & (y <= -8) & (z >= 18) & (z <= 36)
    atrium = (side >= 13) & (side <= 36) & (y >= -62) & (y <= -20) & (z >= -12) & (z <= 24)
    boxes = (front & ~third_or_fissure) | body | atrium
    labels, _ = ndimage.label(csf & boxes)
    kept = np.zeros(csf.shape, bool)
    for half in (x < 0, x > 0):
        sizes = np.bincount(labels[np.broadcast_to(half, labels.shape)])
        sizes[0] = 0
        kept |= (labels == sizes.argmax()) & half
    return kept


def corpus_callosum(white, x, y, z):
    """Finds white matter that is continuous with the section through the midline, to 9 mm on either side."""
    box = (np.abs(x) <= 9) & (y >= -48) & (y <= 36) & (z >= -4) & (z <= 36)
    labels, _ = ndimage.label(white & box)
    middle = labels[labels.shape[0] // 2]
    sizes = np.bincount(middle.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def brainstem(inside, aal, x, y, z):
    box = (np.abs(x) <= 17) & (y >= -46) & (y <= -8) & (z <= -8)
    free = inside & box & ~ndimage.binary_dilation(aal > 0, iterations=2)
    labels, _ = ndimage.label(free)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return ndimage.binary_dilation(labels == sizes.argmax(), iterations=2) & inside & box & (aal == 0)


def make_regions(t1, brain, aal, names, affine):
    x, y, z = coordinates(t1.shape, affine)
    inside = ndimage.binary_fill_holes(brain > 0)
    tissue = np.where(t1 < CSF_BELOW, CSF, np.where(t1 < WHITE_FROM, GREY, WHITE)) * inside
    lobes = read_lobes(aal, names) * inside
    regions = np.zeros(t1.shape, np.uint8)
    for half in (x < 0, x >= 0):
        regions += nearest_label(lobes * half, inside & half).astype(np.uint8)
    regions[brainstem(inside, aal, x, y, z)] = REGIONS["brainstem"]
    regions[corpus_callosum((tissue == WHITE) & (aal == 0), x, y, z)] = REGIONS["corpus_callosum"]
    regions[lateral_ventricles(tissue == CSF, x, y, z)] = REGIONS["lateral_ventricle"]
    return (regions + 16 * tissue).astype(np.uint8)


def image_bytes(voxels, affine, description):
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, code=4)  # MNI 152
    image.set_qform(affine, code=4)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description
    return image.to_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("templates", type=Path, help="folder with ch2, ch2bet, aal .nii.gz and aal.nii.txt")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "assets" / "anatomy")
    arguments = parser.parse_args()
    names = ("ch2", "ch2bet", "aal")
    images = [nib.load(arguments.templates / f"{name}.nii.gz") for name in names]
    for image in images:
        if nib.aff2axcodes(image.affine) != ("R", "A", "S") or not np.array_equal(image.affine, images[0].affine):
            raise SystemExit("expected ch2, ch2bet and aal on one RAS grid")
    t1, brain, aal = (np.asarray(image.dataobj) for image in images)
    affine = images[0].affine
    regions = make_regions(t1, brain, aal, arguments.templates / "aal.nii.txt", affine)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, voxels, text in (
        ("colin27_t1_1mm", t1.astype(np.uint8), b"Colin27 T1 head, 1 mm"),
        ("colin27_regions_1mm", regions, b"region + 16 * tissue, see README"),
    ):
        write_deterministic_gzip(image_bytes(voxels, affine, text), arguments.output / f"{name}.nii.gz")
    for name, code in REGIONS.items():
        left, right = (int(((regions & 15) == code)[half].sum()) for half in (slice(0, 90), slice(91, None)))
        print(f"{name}: {left} left, {right} right (mm3)")


if __name__ == "__main__":
    main()
