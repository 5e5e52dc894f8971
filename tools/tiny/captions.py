# SPDX-License-Identifier: MIT
"""Writes captions of a slab, from the voxels it holds, and of a whole study, from its findings."""

from slabs import AMOUNTS, MIN_VOXELS
from volumes import NUM_REGIONS, REGIONS

NAMES = tuple(name.replace("_", " ") for name in REGIONS)
CEREBRAL = NAMES[:4]
AMOUNT_WORDS = (("little", "slight", "a small amount of"), ("moderate", "some"), ("extensive", "marked", "much"))
DEGREE_WORDS = {
    "mild": ("mild", "slight"),
    "moderate": ("moderate",),
    "marked": ("marked", "extensive"),
}


def listed(names):
    return " and ".join(names)


def amount(voxels):
    """Returns 0 to 3: none, little, some, much."""
    return sum(voxels >= threshold for threshold in AMOUNTS)


def slab_facts(counts):
    """Returns a slab's facts from its counts (1 + TISSUES, PLACES): side, places, amounts; None if no lesion."""
    lesion = counts[1:].sum(0)
    left, right = int(lesion[1 : 1 + NUM_REGIONS].sum()), int(lesion[1 + NUM_REGIONS :].sum())
    total = left + right
    if total < MIN_VOXELS:
        return None
    minor = min(left, right) / total
    side = "bilateral" if minor >= 0.12 else "left" if left > right else "right"
    both = lesion[1 : 1 + NUM_REGIONS] + lesion[1 + NUM_REGIONS :]
    places = tuple(name for name, voxels in zip(NAMES, both.tolist()) if voxels >= max(0.15 * total, MIN_VOXELS / 2))
    necrosis, edema, enhancing = (int(voxels) for voxels in counts[1:].sum(1))
    return side, places, amount(edema), amount(necrosis), amount(enhancing)


def place_phrase(rng, side, places):
    words = [f"{name} lobe" if name in CEREBRAL else name for name in places]
    if not words:
        return {"bilateral": "both hemispheres", "unknown": "the midline"}.get(side, f"the {side} hemisphere")
    if side == "unknown":
        return f"the {listed(words)} at the midline"
    if side == "bilateral":
        return rng.choice((f"the {listed(words)} on both sides", f"both hemispheres, {listed(words)}"))
    return rng.choice((f"the {side} {listed(words)}", f"the {side} hemisphere, {listed(words)}"))


def level(position):
    """Returns the rough height of a slab whose middle lies at `position` from 0, the lowest, to 1."""
    return "base" if position < 0.3 else "middle" if position < 0.6 else "top"


def slab_caption(rng, facts):
    if facts is None:
        return rng.choice((
            "no lesion on this slice.",
            "axial FLAIR slice without a lesion.",
            "normal slice, no abnormal signal.",
            "this slice shows no lesion.",
        ))
    side, places, edema, necrosis, enhancing = facts
    where = place_phrase(rng, side, places)
    parts = [rng.choice((f"lesion in {where}", f"a slice with a lesion in {where}", f"abnormal signal in {where}"))]
    for level_, name in ((edema, "edema"), (necrosis, "necrosis"), (enhancing, "solid tumor")):
        parts.append(f"{rng.choice(AMOUNT_WORDS[level_ - 1])} {name}" if level_ > 0 else f"no {name}")
    return ", ".join(parts) + "."


def study_key(findings):
    """Returns a key that is equal for studies whose captions say the same."""
    if findings is None:
        return None
    compression = findings["compression"]
    return (
        findings["laterality"],
        tuple(findings["lobes"]),
        findings["edema"],
        findings["necrosis"],
        compression["left"],
        compression["right"],
    )


def study_caption(rng, findings):
    if findings is None:
        return rng.choice(("normal brain.", "no lesion.", "a study without abnormal signal."))
    places = [name.replace("_", " ") for name in findings["lobes"]]
    lead = rng.choice(("lesion in", "tumor in", "a lesion of"))
    parts = [f"{lead} {place_phrase(rng, findings['laterality'], places)}"]
    parts.append(f"{rng.choice(DEGREE_WORDS[findings['edema']])} edema")
    necrosis = findings["necrosis"]
    parts.append("no necrosis" if necrosis is None else f"{rng.choice(DEGREE_WORDS[necrosis])} necrosis")
    pressed = [
        f"{rng.choice(DEGREE_WORDS[degree])} compression of the {side} ventricle"
        for side, degree in findings["compression"].items()
        if degree is not None
    ]
    parts.append(listed(pressed) if pressed else "no compression")
    return ", ".join(parts) + "."
