"""Small NIfTI files: every numeric type, both byte orders, both versions, and broken ones."""
import struct

import nibabel as nib
import numpy as np
import torch

import nifti_bytes
from common import fresh_dir, output_dir, save
from nifti_bytes import CLASSES, TYPES, gz, patch

SHAPE = (4, 5, 3)
# The affine is slightly rotated with unequal zooms, so that rows and columns cannot be mixed up.
C, S = np.cos(0.3), np.sin(0.3)
AFFINE = np.array([[-C * 1.0, S * 1.5, 0, 12], [-S * 1.0, -C * 1.5, 0, -7], [0, 0, 2.5, 3.5], [0, 0, 0, 1]])
OTHER = np.array([[0, 0, 3.0, 1], [2.0, 0, 0, 2], [0, 1.0, 0, 3], [0, 0, 0, 1]])
QFORM_CODE, SFORM_CODE, SLOPE, INTER = 252, 254, 112, 116  # byte offsets in a NIfTI-1 header


def values(dtype):
    """Returns values over the whole range of the types up to 32 bits, and +-2^40 of the 64-bit ones."""
    n = np.arange(np.prod(SHAPE))
    if np.issubdtype(dtype, np.floating):
        v = np.sin(n * 1.7) * 1000
    else:
        info = np.iinfo(dtype)
        low, high = max(info.min, -2**40), min(info.max, 2**40)
        v = low + (n * ((high - low) // (len(n) - 1)))
        v[-1] = high
    return v.astype(dtype).reshape(SHAPE, order="F")


def write(version="nii1", order="<", data=None, affine=AFFINE, codes=(1, 1), qform=None):
    return nifti_bytes.write(version, order, values(np.int16) if data is None else data, affine, codes, qform)


def make_files():
    files = {}
    for version in CLASSES:
        for label, order in (("le", "<"), ("be", ">")):
            for kind, dtype in TYPES.items():
                files[f"{version}_{label}_{kind}.nii"] = write(version, order, values(dtype))
    plain = write()
    files["scaled.nii"] = patch(plain, SLOPE, "<ff", 0.5, -3.0)
    files["scaled_be.nii.gz"] = gz(patch(write(order=">"), SLOPE, ">ff", -2.0, 10.0))
    files["slope_zero.nii"] = patch(plain, SLOPE, "<ff", 0.0, 5.0)  # this means "not scaled"; so does NaN
    files["slope_nan.nii"] = patch(plain, SLOPE, "<ff", float("nan"), float("nan"))
    files["qform_only.nii"] = write(codes=(1, 0))
    files["qform_left_handed.nii.gz"] = gz(write(codes=(1, 0), affine=OTHER @ np.diag([1, 1, -1, 1])))
    files["sform_only.nii"] = write(codes=(0, 2), affine=OTHER)
    files["both.nii"] = write(codes=(1, 2), affine=OTHER, qform=AFFINE)  # sform wins
    files["neither.nii"] = patch(write(affine=OTHER), QFORM_CODE, "<hh", 0, 0)
    files["nii2.nii.gz"] = gz(write("nii2", data=values(np.float32)))
    # A header extension moves the voxels: 348 + 4 bytes, a 32-byte extension, voxels at 384.
    extended = patch(plain[:348] + b"\1\0\0\0" + struct.pack("<ii", 32, 6) + b"comment".ljust(24, b"\0") + plain[352:],
                     108, "<f", 384.0)
    files["extension.nii"] = extended
    # A trailing axis of length 1 is common; it must read as a 3-D volume.
    files["four_axes.nii"] = write(data=values(np.int16)[..., None])

    invalid = {
        "truncated_voxels.nii": plain[:-10],
        "truncated_header.nii": plain[:200],
        "truncated.nii.gz": gz(plain)[:-20],
        "bad_magic.nii": patch(plain, 344, "4s", b"abcd"),
        "header_of_a_pair.nii": patch(plain, 344, "4s", b"ni1\0"),  # voxels would be in another file
        "bad_header_size.nii": patch(plain, 0, "<i", 999),
        "rgb24.nii": patch(plain, 70, "<hh", 128, 24),
        "complex64.nii": patch(plain, 70, "<hh", 32, 64),
        "negative_dimension.nii": patch(plain, 42, "<h", -4),
        "huge_dimension.nii": patch(plain, 42, "<hhh", 32767, 32767, 32767),
        "two_volumes.nii": write(data=np.stack([values(np.int16)] * 2, -1)),
        "empty.nii": b"",
    }
    return files, invalid


def main(out):
    path = fresh_dir(out / "nifti")
    files, invalid = make_files()
    expected = {}
    for name, raw in files.items():
        (path / name).write_bytes(raw)
        image = nib.load(path / name)
        data = image.get_fdata()
        if data.ndim == 4:
            data = data[..., 0]
        assert data.shape == SHAPE
        for key, value in (("data", data), ("affine", image.affine)):
            expected[f"{name}.{key}"] = torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32))
    (path / "invalid").mkdir()
    for name, raw in invalid.items():
        (path / "invalid" / name).write_bytes(raw)
    save(path / "expected.safetensors", expected)


if __name__ == "__main__":
    main(output_dir(__doc__))
