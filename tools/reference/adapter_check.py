"""Loads an adapter that brain3d wrote with peft and compares logits with those of brain3d.

  adapter_check.py ADAPTER_DIR LOGITS.safetensors [--base DIR] [--tolerance T]

ADAPTER_DIR holds adapter_config.json and adapter_model.safetensors. LOGITS holds what brain3d computed with that adapter
beside the weights in float32: `logits` [B,T,V] or [T,V], and `input_ids` [B,T] or [T] or `inputs_embeds` [B,T,M] or
[T,M]. Prints one line of JSON. Exit status 1: logits differ by more than the tolerance (of max(1, |logit|)), or the
adapter changes nothing, which would prove nothing.
"""
import argparse
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file

from common import GOLDEN, load_decoder


def logits_of(model, inputs):
    given = {name: inputs[name] for name in ("input_ids", "inputs_embeds") if name in inputs}
    if len(given) != 1 or "logits" not in inputs:
        sys.exit(f"expected logits and one of input_ids and inputs_embeds, got {sorted(inputs)}")
    (name, value), = given.items()
    batched = value if value.dim() == (2 if name == "input_ids" else 3) else value[None]
    return model(**{name: batched}).logits.reshape(inputs["logits"].shape)


def strict_adapter(base, path):
    """peft itself only warns about tensors that are missing or fit nowhere."""
    model = PeftModel.from_pretrained(base, path).eval()
    held = {name.replace(".default", "") for name, _ in model.named_parameters() if "lora_" in name}
    written = load_file(path / "adapter_model.safetensors").keys()
    if held != written:
        sys.exit(f"names differ: only in the file {sorted(written - held)[:4]}, only in peft {sorted(held - written)[:4]}")
    return model


@torch.no_grad()
def main(args):
    base_dir = args.base or GOLDEN / "models" / json.loads(
        (args.adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
    # common.load_decoder names the class by the directory, so it has to keep the golden one's name.
    base = load_decoder(base_dir.parents[1], base_dir.name)
    inputs = load_file(args.logits)
    plain = logits_of(base, inputs)
    adapted = logits_of(strict_adapter(base, args.adapter), inputs)
    difference = (adapted - inputs["logits"]).abs()
    relative = (difference / adapted.abs().clamp_min(1)).max().item()
    effect = (adapted - plain).abs().max().item()
    print(json.dumps({"max_difference": difference.max().item(), "max_relative_difference": relative,
                      "effect_of_adapter": effect, "positions": adapted[..., 0].numel()}))
    return 0 if relative <= args.tolerance and effect > args.tolerance else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("logits", type=Path)
    parser.add_argument("--base", type=Path, help="a golden models/gemma_* directory (default: the adapter's base)")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    sys.exit(main(parser.parse_args()))
