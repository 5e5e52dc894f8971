"""Compares Python's readers with brain3d's on valid, damaged and hostile files:

    python hostile.py DIR [--count 5000] [--flips 40] [--seed 1]
    node tools/reference/hostile.mjs DIR

The first command writes DIR/valid (NIfTI files of every kind that both read), DIR/flipped (.nii.gz with one bit
changed), DIR/odd (the rows of docs/hostile-files.md) and DIR/tensors (mutated safetensors files), and the results of
nibabel and safetensors to DIR/python.json. The second command reads them all with brain3d and prints the comparison.
This takes some minutes and 100 MB; nothing of it is committed. The committed sample, read at every `npm test`, is
test/golden/nifti."""
import argparse
import hashlib
import json
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import safetensors

from nifti_bytes import TYPES, gz, patch, write

SLOPE, INTER = {"nii1": 112, "nii2": 176}, {"nii1": 116, "nii2": 184}


def random_affine(rng):
    """Returns a rotation or an axis permutation with spacings, of either handedness."""
    if rng.random() < 0.5:
        rotation = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
    else:
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * rng.uniform(0.3, 5, 3)
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    return affine


def random_voxels(rng, dtype, shape):
    if np.issubdtype(dtype, np.floating):
        return (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 6)).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(max(info.min, -(2**40)), min(info.max, 2**40), shape, endpoint=True).astype(dtype)


def valid_files(folder, count, rng):
    records = []
    for index in range(count):
        version, order = rng.choice(["nii1", "nii2"]), rng.choice(["<", ">"])
        name_of_type = str(rng.choice(list(TYPES)))
        shape = tuple(int(n) for n in rng.integers(1, 12, 3))
        codes = [(1, 0), (0, 1), (1, 1), (2, 4), (0, 0)][rng.integers(5)]
        data = random_voxels(rng, TYPES[name_of_type], shape)
        raw = write(version, order, data, random_affine(rng), codes)
        if rng.random() < 0.5:
            slope, inter = float(rng.normal()) or 1.0, float(rng.normal() * 100)
            for offset, value in ((SLOPE[version], slope), (INTER[version], inter)):
                raw = patch(raw, offset, order + ("f" if version == "nii1" else "d"), value)
        packed = rng.random() < 0.5
        path = folder / f"{index:05d}.nii{'.gz' if packed else ''}"
        path.write_bytes(gz(raw) if packed else raw)
        image = nib.load(path)
        # The values are scaled in double precision and rounded once, as brain3d promises.
        voxels = np.asarray(image.dataobj.get_unscaled(), dtype=np.float64)
        if image.dataobj.slope != 1 or image.dataobj.inter != 0:
            voxels = voxels * float(image.dataobj.slope) + float(image.dataobj.inter)
        digest = hashlib.sha256(voxels.astype("<f4").tobytes(order="F")).hexdigest()
        affine = image.affine.reshape(-1).tolist()
        oriented = bool(codes[0] or codes[1])
        records.append({"file": path.name, "shape": shape[::-1], "voxels": digest, "affine": affine, "oriented": oriented,
                        "axes": "".join(nib.aff2axcodes(image.affine))})
    return records


def flipped_files(folder, count, rng):
    data = rng.integers(0, 200, (40, 40, 30)).astype(np.int16)
    packed = gz(write("nii1", "<", data, np.diag([-1.0, -1, 2, 1]), (1, 1)))
    (folder / "intact.nii.gz").write_bytes(packed)
    records = []
    for index in range(count):
        # The bit lies behind the gzip header, whose name and time mean nothing.
        bit = int(rng.integers(80, len(packed) * 8))
        damaged = bytearray(packed)
        damaged[bit // 8] ^= 1 << bit % 8
        path = folder / f"{index:04d}.nii.gz"
        path.write_bytes(damaged)
        try:
            voxels = np.asarray(nib.load(path).dataobj)
            same = voxels.shape == data.shape and np.array_equal(voxels, data)
            outcome = "same voxels" if same else "other voxels"
        except Exception as error:  # whatever nibabel raises is a refusal
            outcome = f"refused ({type(error).__name__})"
        records.append({"file": path.name, "nibabel": outcome})
    return records


def tensors_bytes(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def axes_of(image):
    try:
        return "".join(axis or "?" for axis in nib.aff2axcodes(image.affine))
    except np.linalg.LinAlgError:
        return "none that can be computed"


def odd_files(folder):
    """Writes one file for each row of the comparison in docs/hostile-files.md: (case, description, bytes)."""
    # At this size nibabel's look at the first kilobyte does not reach the end of the gzip stream by chance.
    data = (np.arange(48_000) * 7919 % 1000).astype(np.int16).reshape(40, 40, 30)
    plain = write("nii1", "<", data, np.diag([-1.0, -1, 2, 1]), (1, 1))
    only_sform = patch(plain, 252, "<h", 0)
    packed = gz(plain)
    wrong = lambda at: packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
    cases = [
        ("N06", "sizeof_hdr 0", patch(plain, 0, "<i", 0)),
        ("N08", "the magic of a .hdr/.img pair", plain[:344] + b"ni1\0" + plain[348:]),
        ("N10", "no dimensions", patch(plain, 40, "<h", 0)),
        ("N11", "one slice", patch(plain, 40, "<h", 2)),
        ("N16", "an axis of length 0", patch(plain, 42, "<h", 0)),
        ("N22", "8 bits for int16", patch(plain, 72, "<h", 8)),
        ("N23", "voxels at offset 352.5", patch(plain, 108, "<f", 352.5)),
        ("N26", "a voxel size of 0", patch(plain, 80, "<f", 0.0)),
        ("N27", "an sform of zeros", patch(only_sform, 280, "<12f", *[0.0] * 12)),
        ("N28", "NaN in the sform", patch(only_sform, 280, "<f", float("nan"))),
        ("N31", "no orientation (qform_code and sform_code 0)", patch(plain, 252, "<hh", 0, 0)),
        ("N32", "sform and qform mirrored", patch(plain, 280, "<f", 1.0)),
        ("N36", "an infinite slope", patch(plain, 112, "<f", float("inf"))),
        ("N42", "the last 4 bytes missing, compressed", packed[:-4]),
        ("N43", "a wrong CRC-32", wrong(len(packed) - 8)),
        ("N44", "a wrong length in the trailer", wrong(len(packed) - 4)),
        ("N46", "other bytes behind the gzip data", packed + b"junk"),
        ("N47", "two files joined", packed + packed),
    ]
    records = []
    for case, what, raw in cases:
        path = folder / f"{case}.nii{'.gz' if raw[:2] == packed[:2] else ''}"
        path.write_bytes(raw)
        try:
            image = nib.load(path)
            same = np.array_equal(np.asarray(image.dataobj), data)
            outcome = f"read: shape {image.shape}, {'the' if same else 'other'} voxels, axes {axes_of(image)}"
        except Exception as error:  # whatever nibabel raises is a refusal
            outcome = f"refused ({type(error).__name__})"
        records.append({"file": path.name, "case": case, "what": what, "nibabel": outcome})
    return records


def mutated_tensors(folder, count, rng):
    """Writes valid files and files with one to three changes of header text, lengths or data."""
    records = []
    for index in range(count):
        header, offset = {}, 0
        for number in range(rng.integers(0, 5)):
            dtype, size = [("F32", 4), ("BF16", 2), ("I64", 8), ("U8", 1), ("BOOL", 1)][rng.integers(5)]
            shape = [int(n) for n in rng.integers(0, 4, rng.integers(0, 4))]
            end = offset + size * int(np.prod(shape, dtype=np.int64))
            header[f"t{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
            offset = end
        if rng.random() < 0.3:
            header["__metadata__"] = {"format": "pt"}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * int(rng.integers(0, 8)) if rng.random() < 0.3 else b""
        raw = bytearray(tensors_bytes(text, rng.integers(0, 2, offset).astype(np.uint8).tobytes()))
        for _ in range(rng.integers(0, 4)):
            at = int(rng.integers(0, len(raw)))
            change = rng.integers(4)
            if change == 0:
                raw[at] = int(rng.integers(256))
            elif change == 1:
                raw[at:at] = bytes([rng.choice(list(b'0123456789[]{},:" \\-.eE'))])
            elif change == 2 and len(raw) > 1:
                del raw[at]
            else:
                raw += bytes(rng.integers(0, 3))
        if rng.random() < 0.5 and len(raw) >= 8:  # the length follows the change, so that the header is reached
            end = bytes(raw).rfind(b"}")
            if end >= 8:
                raw[:8] = struct.pack("<Q", end + 1 - 8)
        path = folder / f"{index:05d}.safetensors"
        path.write_bytes(raw)
        records.append({"file": path.name, "accepted": accepts_tensors(bytes(raw))})
    return records


def accepts_tensors(raw):
    try:
        safetensors.deserialize(raw)
        return True
    except safetensors.SafetensorError:
        return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=Path)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--flips", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    folders = [options.dir / name for name in ("valid", "flipped", "tensors", "odd")]
    for folder in folders:
        folder.mkdir(parents=True)
    valid, flipped, tensors, odd = folders
    result = {"valid": valid_files(valid, options.count, rng), "flipped": flipped_files(flipped, options.flips, rng),
              "tensors": mutated_tensors(tensors, options.count, rng), "odd": odd_files(odd),
              "versions": {"nibabel": nib.__version__, "safetensors": safetensors.__version__}}
    (options.dir / "python.json").write_text(json.dumps(result))


main()
