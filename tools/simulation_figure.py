# SPDX-License-Identifier: MIT
"""Draws docs/images/simulated-cohort.png: twelve simulated patients beside the anatomy they come from.

Each patient has three tiles: Colin27's T1 at the lesion's height, the simulated FLAIR, and the same with its labels. Axial, in radiological
convention: the patient's right is on the image's left.
"""

import argparse
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image, ImageDraw

REPOSITORY = Path(__file__).resolve().parent.parent
TILE = (150, 180)  # width and height in pixels, of a field of 160 x 192 mm
PER_ROW, SUBJECTS = 4, 12
CAPTION = 26
COLOURS = {1: (70, 110, 255), 2: (80, 220, 110), 4: (255, 80, 70)}  # necrosis, edema, enhancing


def axial(image, z_mm, centre_mm, order):
    """Returns the slice at z around `centre_mm` as it is displayed: right on the left, anterior up; nearest voxels."""
    inverse = np.linalg.inv(image.affine)
    x = centre_mm[0] + np.linspace(80, -80, TILE[0])  # from right to left
    y = centre_mm[1] + np.linspace(96, -96, TILE[1])
    grid = np.stack(np.meshgrid(x, y, [z_mm], [1.0], indexing="ij")[:4], -1).reshape(*TILE, 4)
    index = np.rint(grid @ inverse.T)[..., :3].astype(int)
    inside = np.all((index >= 0) & (index < image.shape), axis=-1)
    index[~inside] = 0
    voxels = np.asarray(image.dataobj)[tuple(np.moveaxis(index, -1, 0))]
    return np.where(inside, voxels, 0).T.astype(order)


def grey(slice_, top):
    return np.repeat((np.clip(slice_ / top, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=-1)


def tiles(truth_path, t1):
    truth = json.loads(truth_path.read_text())
    stem = str(truth_path).removesuffix("_truth.json")
    flair, labels = nib.load(f"{stem}_flair.nii.gz"), nib.load(f"{stem}_seg.nii.gz")
    places = np.argwhere(np.asarray(labels.dataobj) > 0)
    lesion = (np.c_[places, np.ones(len(places))] @ labels.affine.T)[:, :3]
    brain = np.argwhere(np.asarray(flair.dataobj) > 0)[::50]
    middle = (np.c_[brain, np.ones(len(brain))] @ flair.affine.T)[:, :3].mean(0)
    z = lesion[:, 2].mean()
    shape = truth["spec"]["shape"]
    # Rotation and warp are left aside: the height in Colin27 is good to some millimetres.
    z_anatomy = (z - shape["translationMm"][2]) / shape["scale"][2]
    values = np.asarray(flair.dataobj)
    seen = grey(axial(flair, z, middle, float), np.percentile(values[values > 0], 99.8))
    marked, part = seen.astype(float), axial(labels, z, middle, int)
    for label, colour in COLOURS.items():
        marked[part == label] = 0.55 * marked[part == label] + 0.45 * np.array(colour)
    anatomy = grey(axial(t1, z_anatomy, (0, -18), float), 130)
    side = {"unknown": "midline"}.get(truth["findings"]["laterality"], truth["findings"]["laterality"])
    lobes = ", ".join(truth["findings"]["lobes"][:2]).replace("_", " ")
    return [anatomy, seen, marked.astype(np.uint8)], f"{truth['id'][-3:]}: {side}; {lobes}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path, help="directory that brain3d simulate wrote")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "images" / "simulated-cohort.png")
    arguments = parser.parse_args()
    t1 = nib.load(REPOSITORY / "assets" / "anatomy" / "colin27_t1_1mm.nii.gz")
    # The subjects are the first twelve, not chosen by looks.
    paths = sorted(arguments.cohort.glob("brats/*/*_truth.json"))[:SUBJECTS]
    width, height = 3 * TILE[0] + 8, TILE[1] + CAPTION
    rows = -(-SUBJECTS // PER_ROW)
    sheet = Image.new("RGB", (PER_ROW * width, rows * height + CAPTION))
    draw = ImageDraw.Draw(sheet)
    for number, path in enumerate(paths):
        left, top = number % PER_ROW * width, number // PER_ROW * height
        pictures, text = tiles(path, t1)
        draw.text((left + 4, top + 6), text, fill="white")
        for column, picture in enumerate(pictures):
            x = left + column * TILE[0]
            sheet.paste(Image.fromarray(picture), (x, top + CAPTION))
            draw.text((x + 3, top + CAPTION + TILE[1] // 2), "R", fill="yellow")
            draw.text((x + TILE[0] - 9, top + CAPTION + TILE[1] // 2), "L", fill="yellow")
    legend = (
        "Each: Colin27 T1 at the lesion's height | simulated FLAIR | with labels (blue necrosis, green edema, red enhancing)."
        "  R, L: patient's right, left; radiological convention. Simulated; research use only."
    )
    draw.text((4, rows * height + 6), legend, fill="white")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(arguments.output, optimize=True)


if __name__ == "__main__":
    main()
