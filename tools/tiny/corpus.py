# SPDX-License-Identifier: MIT
"""Writes synthetic radiology reports by a small grammar in the manner of TextBraTS FLAIR reports.

Nothing here is taken from a patient or from a published report. Every report names one side, and no sequence of three
words occurs twice in a report, because decoding forbids repeated trigrams.
"""

import random
import re
from dataclasses import dataclass

HEALTHY_SHARE = 0.2
MIN_WORDS, MAX_WORDS = 50, 110
LOBES = ("frontal", "parietal", "temporal", "occipital")
NEIGHBOURS = {
    "frontal": ("parietal", "temporal"),
    "parietal": ("frontal", "occipital", "temporal"),
    "temporal": ("frontal", "parietal", "occipital"),
    "occipital": ("parietal", "temporal"),
}

HEALTHY_REPORTS = (
    "No focal signal abnormality is seen in the brain parenchyma.",
    "The brain parenchyma shows normal signal without mass effect.",
    "Normal appearance of the brain, without edema or midline shift.",
    "There is no evidence of a mass, edema or abnormal signal.",
    "The ventricles and sulci are normal in size and shape, and no lesion is identified.",
    "Unremarkable study with symmetric ventricles and no abnormal high signal.",
    "Both hemispheres are symmetric and show no focal lesion.",
)


@dataclass(frozen=True)
class Findings:
    """The contents of one report. Every sentence is written from them, so that they agree."""

    side: str  # "left", "right" or "bilateral"
    lobes: tuple  # one or two neighbouring lobes
    spread: str  # a further lobe that only the edema reaches, or ""
    edema: str  # "mild", "moderate" or "marked"
    has_necrosis: bool
    has_enhancement: bool
    compression: str  # "none", "mild" or "marked"
    has_shift: bool


def draw_findings(rng):
    side = rng.choices(("left", "right", "bilateral"), (0.45, 0.45, 0.10))[0]
    first = "frontal" if side == "bilateral" else rng.choice(LOBES)
    near = list(NEIGHBOURS[first])
    rng.shuffle(near)
    lobes = (first, near[0]) if rng.random() < 0.5 else (first,)
    edema = rng.choice(("mild", "moderate", "marked"))
    compression = {"mild": "none", "moderate": "mild", "marked": "marked"}[edema]
    return Findings(
        side=side,
        lobes=lobes,
        spread=near[1] if edema != "mild" else "",
        edema=edema,
        has_necrosis=rng.random() < 0.6,
        has_enhancement=rng.random() < 0.15,
        compression=compression,
        # A lesion on both sides pushes the midline to neither.
        has_shift=edema == "marked" and side != "bilateral",
    )


def place(findings):
    lobes = " and ".join(findings.lobes)
    if findings.side == "bilateral":
        return f"the {lobes} lobes of both hemispheres"
    return f"the {findings.side} {lobes} {'lobes' if len(findings.lobes) > 1 else 'lobe'}"


def location_sentence(rng, findings):
    where = place(findings)
    signal = rng.choice((
        "high signal",
        "mixed high and low signal",
        "heterogeneous high signal",
        "patchy areas of uneven bright signal",
    ))
    shape = rng.choice(("an irregular", "a large", "an ill-defined", "a lobulated"))
    return rng.choice((
        f"The lesion is located in {where} and shows {signal}.",
        f"There is {shape} lesion in {where} with {signal}.",
        f"{shape.capitalize()} mass with {signal} is seen in {where}.",
        f"In {where} there is {shape} mass that shows {signal}.",
        f"The scan shows {shape} mass in {where}, presenting as {signal}.",
    ))


def margin_sentence(rng, findings):
    return rng.choice((
        "Its borders are poorly defined and blend with the adjacent white matter.",
        "The margins are indistinct, and the adjacent cortex appears thickened.",
        "The center is darker than the rim, which suggests a heterogeneous composition.",
        "Speckled bright foci are scattered through the tumor, and its outline is irregular.",
    ))


def edema_sentence(rng, findings):
    extent = {
        "mild": ("a thin band of edema", "limited edema"),
        "moderate": ("moderate edema", "a broad zone of edema"),
        "marked": ("extensive edema", "marked edema"),
    }[findings.edema]
    extent = rng.choice(extent)
    reach = f"extends to the adjacent {findings.spread} lobe" if findings.spread else "stays close to the lesion"
    if findings.spread and findings.side == "bilateral":
        reach = f"reaches the {findings.spread} lobes on each side"
    return rng.choice((
        f"{extent.capitalize()} surrounds the tumor, appears as bright signal on FLAIR and {reach}.",
        f"It is surrounded by {extent} that {reach}, with swelling of the nearby gyri.",
        f"Associated with it, {extent} involves the white matter and {reach}.",
        f"Around it, {extent} is present as finger-like high intensity and {reach}.",
    ))


def necrosis_sentence(rng, findings):
    if not findings.has_necrosis:
        return rng.choice((
            "No definite necrosis is visible.",
            "Necrosis is not evident on this sequence.",
            "There is no clear necrotic cavity.",
        "The lesion has no obvious cystic or necrotic component.",
        ))
    return rng.choice((
        "Necrosis is suspected in the core, where low intensity areas are mixed with brighter tissue.",
        "A central region of low intensity suggests necrosis with cystic change.",
        "Patchy low signal areas inside the mass are consistent with necrosis.",
    ))


def enhancement_sentence(rng, findings):
    return rng.choice((
        "Enhancement cannot be judged on FLAIR alone.",
        "A contrast study would be needed to assess enhancement.",
    ))


def ventricle_phrase(findings):
    if findings.side == "bilateral":
        return "the frontal horns of the lateral ventricles"
    return f"the {findings.side} lateral ventricle"


def mass_effect_sentence(rng, findings):
    ventricle = ventricle_phrase(findings)
    verb = "are" if findings.side == "bilateral" else "is"
    if findings.compression == "none":
        return rng.choice((
            f"{ventricle.capitalize()} {verb} not compressed, and the midline structures remain central.",
            "Ventricular compression is absent, and no midline shift is observed.",
        ))
    degree = {"mild": "slightly", "marked": "clearly"}[findings.compression]
    noun = {"mild": "slight narrowing", "marked": "marked narrowing"}[findings.compression]
    shift = "without significant midline shift"
    if findings.has_shift:
        shift = rng.choice((
            "with midline shift toward the opposite side",
            "and the midline is displaced to the contralateral side",
        ))
    return rng.choice((
        f"{ventricle.capitalize()} {verb} {degree} compressed and deformed, {shift}.",
        f"Mass effect is present: {ventricle} {verb} {degree} narrowed, {shift}.",
        f"There is {noun} of {ventricle}, {shift}.",
        f"Due to swelling, {ventricle} {verb} {degree} compressed, {shift}.",
    ))


def remainder_sentence(rng, findings):
    if findings.side == "bilateral":
        return "The brainstem and cerebellum show normal appearance."
    return rng.choice((
        "The contralateral hemisphere shows no abnormal intensity.",
        "The brainstem and cerebellum have a normal appearance.",
        "Elsewhere the brain parenchyma is unremarkable.",
    ))


def draft_glioma_report(rng):
    findings = draw_findings(rng)
    writers = [location_sentence, edema_sentence, necrosis_sentence, mass_effect_sentence]
    if rng.random() < 0.5:
        writers.insert(1, margin_sentence)
    if findings.has_enhancement:
        writers.insert(-1, enhancement_sentence)
    elif rng.random() < 0.4:
        writers.append(remainder_sentence)
    return " ".join(write(rng, findings) for write in writers)


def repeats_a_trigram(text):
    words = re.findall(r"[\w-]+|[^\w\s]", text.lower())
    trigrams = list(zip(words, words[1:], words[2:]))
    return len(set(trigrams)) < len(trigrams)


def glioma_report(rng):
    while True:
        report = draft_glioma_report(rng)
        if MIN_WORDS <= len(report.split()) <= MAX_WORDS and not repeats_a_trigram(report):
            return report


def draw_report(rng):
    """Draws one report, 50 to 110 words for a glioma or one sentence for a healthy control."""
    if rng.random() < HEALTHY_SHARE:
        return rng.choice(HEALTHY_REPORTS)
    return glioma_report(rng)


def draw_reports(count, seed):
    rng = random.Random(seed)
    return [draw_report(rng) for _ in range(count)]
