# SPDX-License-Identifier: MIT
"""Draws docs/images/report.png: the scan that `npm run demo` simulates beside the report that the demo model wrote of it.

    npm run demo && python tools/report_figure.py

Needs Pillow. The picture is the demo's own montage, whose letters say which side is which.
"""

import argparse
import json
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

REPOSITORY = Path(__file__).resolve().parent.parent
NAME = "Simulated_Training_001_flair"
TEXT_WIDTH, MARGIN, LINE = 560, 24, 27
ROWS = (1, 3)  # two of the montage's four rows: through the lesion, and the coronal and sagittal slices
WHITE, GREY = (255, 255, 255), (150, 150, 150)


def chosen_rows(montage):
    """Some rows of the montage, and its caption, which stands below the square of 4 x 4 tiles."""
    tile = montage.width // 4
    parts = [montage.crop((0, row * tile, montage.width, (row + 1) * tile)) for row in ROWS]
    parts.append(montage.crop((0, 4 * tile, montage.width, montage.height)))
    chosen = Image.new("RGB", (montage.width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        chosen.paste(part, (0, top))
        top += part.height
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=REPOSITORY / ".demo")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs/images/report.png")
    args = parser.parse_args()
    (montage_file,) = args.demo.glob(f"*{NAME}*.montage.png")
    (report_file,) = args.demo.glob(f"*{NAME}*.report.json")
    montage = chosen_rows(Image.open(montage_file).convert("RGB"))
    report = json.loads(report_file.read_text())
    font, small = ImageFont.load_default(19), ImageFont.load_default(15)
    canvas = Image.new("RGB", (montage.width + TEXT_WIDTH, montage.height), (0, 0, 0))
    canvas.paste(montage, (0, 0))
    draw = ImageDraw.Draw(canvas)
    x, y = montage.width + MARGIN, MARGIN
    for line in textwrap.wrap(report["report"], 54):
        draw.text((x, y), line, font=font, fill=WHITE)
        y += LINE
    for line in textwrap.wrap(report["disclaimer"], 70):
        y += LINE
        draw.text((x, y), line, font=small, fill=GREY)
    canvas.save(args.out, optimize=True)


if __name__ == "__main__":
    main()
