# SPDX-License-Identifier: MIT
"""Makes assets/colin27_t1_2mm.nii.gz from the skull-stripped Colin27 template (ch2bet.nii.gz), and with
`--head --output test/golden/strip/colin27_head_2mm.nii.gz` the head it was taken from (ch2.nii.gz).

Both are stored in LPS voxel order, as the BraTS volumes are, so that a reader which ignores
the affine shows the brain mirrored. Running it again with the same zlib gives the same bytes.
"""

import argparse
import gzip
import io
from pathlib import Path

import nibabel as nib
import numpy as np

BLOCK = 2  # voxels of the source per voxel of the sample, along each axis
REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_OUTPUT = REPOSITORY / "assets" / "colin27_t1_2mm.nii.gz"


def block_average(volume):
    """Averages (W, H, D) to (W // BLOCK, H // BLOCK, D // BLOCK) uint8, the mean of each block rounded to nearest.

    Voxels left over at the end of an axis are dropped: in ch2bet they are background.
    """
    counts = [size // BLOCK for size in volume.shape]
    whole = volume[tuple(slice(0, count * BLOCK) for count in counts)]
    split = [length for count in counts for length in (count, BLOCK)]
    means = whole.reshape(split).mean(axis=(1, 3, 5), dtype=np.float64)
    return np.rint(means).astype(np.uint8)


def block_affine(affine):
    """Returns the voxel-to-world affine (mm) of the block average.

    The centre of a block lies (BLOCK - 1) / 2 source voxels beyond the centre of its first voxel.
    """
    to_source = np.diag([BLOCK, BLOCK, BLOCK, 1.0])
    to_source[:3, 3] = (BLOCK - 1) / 2
    return affine @ to_source


def in_lps_order(image):
    """Returns the same image with its axes stored towards left, posterior and superior."""
    current = nib.io_orientation(image.affine)
    wanted = nib.orientations.axcodes2ornt("LPS")
    return image.as_reoriented(nib.orientations.ornt_transform(current, wanted))


def with_fresh_header(image, description):
    """Keeps voxels and affine only; the template's header holds a path of its author's machine."""
    fresh = nib.Nifti1Image(np.asarray(image.dataobj), image.affine)
    fresh.set_sform(image.affine, code=1)
    fresh.set_qform(image.affine, code=1)
    fresh.header.set_xyzt_units("mm")
    fresh.header["descrip"] = description
    return fresh


def write_deterministic_gzip(content, path):
    """Writes a gzip stream without file name and time, so that equal content gives equal files."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as stream:
        stream.write(content)
    path.write_bytes(buffer.getvalue())


def make_sample(source, description):
    template = nib.as_closest_canonical(nib.load(source))
    volume = block_average(np.asarray(template.dataobj))
    ras = nib.Nifti1Image(volume, block_affine(template.affine))
    return with_fresh_header(in_lps_order(ras), description)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="ch2bet.nii.gz or ch2.nii.gz of the mricron-data package")
    parser.add_argument("--head", action="store_true", help="the source has its skull")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT)
    arguments = parser.parse_args()
    description = b"Colin27 T1, head, 2 mm" if arguments.head else b"Colin27 T1, skull-stripped, 2 mm"
    write_deterministic_gzip(make_sample(arguments.source, description).to_bytes(), arguments.output)


if __name__ == "__main__":
    main()
