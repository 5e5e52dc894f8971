"""Remakes everything in test/golden, in the order in which the generators need each other."""
import os
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")

import adapter_configs
import brain3d_outputs
import checkpoints
import gemma_configs
import metrics
import models
import multimodal
import nifti
import peer
import preprocess
import qwen
import roberta
import sampling
import slices
import tokenizer_cases
import training
from common import GOLDEN, output_dir

LIMIT = 4_000_000  # the directory is committed
TOKENIZER = GOLDEN.parents[1] / "models" / "tiny" / "language" / "tokenizer.json"


def main(out):
    for module in (models, checkpoints, adapter_configs, gemma_configs, brain3d_outputs, slices, sampling, multimodal, preprocess,
                   nifti, peer, roberta, metrics, training, qwen):
        print(module.__name__, flush=True)
        module.main(out)
    if TOKENIZER.exists():
        tokenizer_cases.main(TOKENIZER, out)
    else:
        print("tokenizer_cases skipped: models/tiny/language/tokenizer.json does not exist")
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(f"{size} bytes")
    assert size <= LIMIT


if __name__ == "__main__":
    main(output_dir(__doc__))
