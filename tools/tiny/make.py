# SPDX-License-Identifier: MIT
"""Makes the backbones of models/tiny from nothing: simulates subjects, then pretrains both on them.

    npm run build && python tools/tiny/make.py --work WORK

WORK takes 9 GB and is kept: a step whose result is there is not done again. `--output` writes elsewhere.
"""

import argparse
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parents[1]
# The cohorts that brain3d is trained and tested on have the seeds 0 to 10.
COHORT_SEED = 1000
NUM_SUBJECTS = 2000
NUM_WORDINGS = 16


def steps(work, output):
    """Returns (result, command, whether the command's output is the result), in order."""
    brain3d = ["node", str(ROOT / "dist" / "cli.js")]
    cohort, manifest, cache = work / "cohort", work / "cohort.jsonl", work / "cache"
    reports, volumes, patches = work / "reports.jsonl", work / "volumes.pt", work / "patches.pt"
    vision, language = output / "vision", output / "language"

    def python(script, **options):
        named = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        return [sys.executable, str(TOOLS / script), *named]

    simulated = ["--grid", "small", "--subjects", str(NUM_SUBJECTS), "--seed", str(COHORT_SEED)]
    folders = ["--brats", cohort / "brats", "--reports", cohort / "reports", "--healthy", cohort / "healthy"]
    tokenizer = language / "tokenizer.json"
    return (
        (cohort / "statistics.json", [*brain3d, "simulate", "--out", cohort, *simulated], False),
        (manifest, [*brain3d, "dataset", "build", *folders, "--out", manifest], False),
        (cache / "index.json", [*brain3d, "preprocess", "--manifest", manifest, "--out", cache], False),
        (reports, ["node", TOOLS / "reports.mjs", cohort, str(NUM_WORDINGS)], True),
        (volumes, python("volumes.py", manifest=manifest, cache=cache, out=volumes), False),
        (patches, python("patches.py", volumes=volumes, out=patches), False),
        (None, python("texts.py", reports=reports, output=language), False),
        (None, python("vision.py", volumes=volumes, patches=patches, tokenizer=tokenizer, output=vision), False),
        (None, python("language.py", reports=reports, output=language), False),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=ROOT / "models" / "tiny")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    for result, command, is_captured in steps(arguments.work, arguments.output):
        if result is not None and result.exists():
            continue
        print("+", *command, flush=True)
        if is_captured:
            part = result.with_suffix(".part")
            with open(part, "wb") as out:
                subprocess.run(command, stdout=out, check=True)
            part.rename(result)
        else:
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
