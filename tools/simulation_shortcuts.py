# SPDX-License-Identifier: MIT
"""Can class or side be told without the lesion? A linear classifier on lesion-free summaries of a simulated cohort.

Summaries: stored shape, axis order, spacing and origin; extent and position of the brain; how much is background; grey
values of tissue outside of the lesion, relative to their median. Fluid is left out: a compressed ventricle and a shifted
midline are findings of the lesion. Outside of the lesion is outside of the box around its mask, grown by 6 mm: the mask
itself follows white matter, and so leaves a mixture of tissues that tells where it was. A control is given the box of a
patient drawn at random. For the side, each summary of grey values is the difference between the halves of the brain, the
box and its mirror image left out on both.

Prints, for class and side, the area under the ROC curve of 10 x 5-fold cross-validation, and how often labels shuffled
at random do as well (permutation test).
"""

import argparse
import json
from pathlib import Path

import nibabel as nib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MARGIN_MM = 6
FLUID_BELOW = 0.6  # as a share of the median of the brain
PERCENTILES = (10, 25, 75, 90, 99)
PERMUTATIONS = 200


def read_canonical(path):
    return nib.as_closest_canonical(nib.load(path))


def grey_summaries(values):
    tissue = values[values > FLUID_BELOW * np.median(values)]
    values = tissue / np.median(tissue)
    return [values.mean(), values.std(), *np.percentile(values, PERCENTILES)]


def geometry(stored, brain):
    """Summarises the file as it is stored, and the brain's place in the canonical grid."""
    places = np.argwhere(brain)
    codes = "".join(nib.aff2axcodes(stored.affine))
    axes = [codes.index(a) if a in codes else -1 - codes.index(b) for a, b in ("RL", "AP", "SI")]
    return [
        *stored.shape, *stored.header.get_zooms()[:3], *axes,
        *places.min(0), *places.max(0), *places.mean(0), brain.mean(),
    ]  # fmt: skip


def box_around(mask, margin):
    places = np.argwhere(mask)
    out = np.zeros(mask.shape, dtype=bool)
    low, high = np.maximum(places.min(0) - margin, 0), places.max(0) + margin + 1
    out[tuple(slice(*ends) for ends in zip(low, high))] = True
    return out


def summaries(path, mask):
    stored, image = nib.load(path), read_canonical(path)
    voxels = np.asarray(image.dataobj, dtype=np.float64)
    brain = voxels > 0
    lesion = box_around(mask, max(1, round(MARGIN_MM / image.header.get_zooms()[0])))
    whole = geometry(stored, brain)
    middle = int(round(np.argwhere(brain)[:, 0].mean()))
    mirrored = np.zeros_like(lesion)
    width = min(middle, lesion.shape[0] - 1 - middle)
    mirrored[middle - width : middle + width + 1] = lesion[middle - width : middle + width + 1][::-1]
    free = brain & ~lesion & ~mirrored
    left, right = free.copy(), free.copy()
    left[middle:], right[: middle + 1] = False, False
    difference = np.subtract(*[np.array([*grey_summaries(voxels[half])]) for half in (left, right)])
    outside = brain & ~lesion
    return whole + grey_summaries(voxels[outside]), whole + list(difference)


def area(features, labels, repeats):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    scores = []
    for train, test in RepeatedStratifiedKFold(n_splits=5, n_repeats=repeats, random_state=0).split(features, labels):
        model.fit(features[train], labels[train])
        scores.append(roc_auc_score(labels[test], model.decision_function(features[test])))
    return float(np.mean(scores))


def judge(name, features, labels):
    features, labels = np.array(features, dtype=np.float64), np.array(labels)
    features = features[:, features.std(0) > 0]
    found = area(features, labels, 10)
    rng = np.random.default_rng(0)
    chance = [area(features, rng.permutation(labels), 1) for _ in range(PERMUTATIONS)]
    as_good = float(np.mean([value >= found for value in chance]))
    low, high = np.percentile(chance, [2.5, 97.5])
    return {
        "question": name, "subjects": len(labels), "features": features.shape[1], "auc": round(found, 3),
        "chance_95": [round(float(low), 3), round(float(high), 3)], "p": round(as_good, 3),
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohorts", type=Path, nargs="+", help="directories that brain3d simulate wrote; pooled")
    arguments = parser.parse_args()
    patients = [path for cohort in arguments.cohorts for path in sorted(cohort.glob("brats/*/*_flair.nii.gz"))]
    controls = [path for cohort in arguments.cohorts for path in sorted(cohort.glob("healthy/*/anat/*_FLAIR.nii.gz"))]
    masks = {}
    for path in patients:
        masks[path] = np.asarray(read_canonical(str(path).replace("_flair", "_seg")).dataobj) > 0
    rng = np.random.default_rng(1)
    class_rows, class_labels, side_rows, side_labels = [], [], [], []
    for path in patients + controls:
        is_patient = path in masks
        mask = masks[path] if is_patient else masks[patients[rng.integers(len(patients))]]
        for_class, for_side = summaries(path, mask)
        class_rows.append(for_class)
        class_labels.append(int(is_patient))
        if is_patient:
            truth = json.loads(Path(str(path).replace("_flair.nii.gz", "_truth.json")).read_text())
            side = truth["findings"]["laterality"]
            if side in ("left", "right"):
                side_rows.append(for_side)
                side_labels.append(int(side == "left"))
    for result in (judge("patient or control", class_rows, class_labels), judge("left or right", side_rows, side_labels)):
        print(json.dumps(result))


if __name__ == "__main__":
    main()
