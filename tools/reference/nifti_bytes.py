"""Makes NIfTI files as bytes with nibabel; where nibabel refuses, the bytes are changed afterwards."""
import gzip
import io
import struct

import nibabel as nib
import numpy as np

TYPES = {"u8": np.uint8, "i16": np.int16, "i32": np.int32, "f32": np.float32, "i8": np.int8, "u16": np.uint16,
         "u32": np.uint32, "i64": np.int64, "u64": np.uint64, "f64": np.float64}
CLASSES = {"nii1": (nib.Nifti1Image, nib.Nifti1Header), "nii2": (nib.Nifti2Image, nib.Nifti2Header)}


def write(version, order, data, affine, codes, qform=None):
    """Returns the bytes of an image; codes are (qform, sform), and 0 leaves that one out."""
    image_class, header_class = CLASSES[version]
    header = header_class(endianness=order)
    header.set_data_dtype(data.dtype)
    image = image_class(data, affine, header=header, dtype=data.dtype)
    image.set_qform(affine if qform is None else qform, codes[0])
    image.set_sform(affine, codes[1])
    raw = image.to_bytes()
    assert raw[:4] == struct.pack(order + "i", 348 if version == "nii1" else 540)
    return raw


def patch(raw, offset, fmt, *numbers):
    b = bytearray(raw)
    struct.pack_into(fmt, b, offset, *numbers)
    return bytes(b)


def gz(raw):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as f:  # no time stamp: same bytes
        f.write(raw)
    return buffer.getvalue()
