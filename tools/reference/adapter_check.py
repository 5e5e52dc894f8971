"""Loads an adapter that brain3d trained with peft and compares losses with those of brain3d.

  adapter_check.py DIR [--tolerance T]

DIR is what `node tools/reference/adapter_case.mjs DIR NAME` wrote: adapter/, brain3d.safetensors and case.json, which
holds samples (pooled tokens and ids) and the loss that brain3d computed for each with the adapter beside the weights.
Prints one line of JSON. Exit status 1: losses differ by more than the tolerance, or the adapter changes nothing, which
would prove nothing.
"""
import argparse
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file

from brain3d_outputs import project
from common import GOLDEN, load_decoder


def losses_of(model, weights, case):
    """Computes the loss of each sample alone with the library's own loss."""
    losses, begin = [], case["labels_begin"]
    for sample in case["samples"]:
        ids = torch.tensor([sample["ids"]])
        width = weights["projector.fc1.weight"].shape[1]
        visual = project(weights, torch.tensor(sample["pooled"]).view(1, -1, width))
        labels = torch.cat([torch.full((1, visual.shape[1] + begin), -100), ids[:, begin:]], 1)
        inputs = torch.cat([visual, model.get_input_embeddings()(ids)], 1)
        losses.append(model(inputs_embeds=inputs, labels=labels).loss)
    return torch.stack(losses)


def names_match(model, path):
    """Checks the names of tensors, since peft only warns about tensors that are missing or fit nowhere."""
    held = {name.replace(".default", "") for name, _ in model.named_parameters() if "lora_" in name}
    written = load_file(path / "adapter_model.safetensors").keys()
    return {"only_in_file": sorted(written - held), "only_in_peft": sorted(held - written)}


@torch.no_grad()
def main(args):
    adapter = args.dir / "adapter"
    base = load_decoder(GOLDEN, json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"])
    weights, case = load_file(args.dir / "brain3d.safetensors"), json.loads((args.dir / "case.json").read_text())
    plain = losses_of(base, weights, case)
    model = PeftModel.from_pretrained(base, adapter).eval()
    difference = (losses_of(model, weights, case) - torch.tensor(case["losses"])).abs().max().item()
    effect = (plain - torch.tensor(case["losses"])).abs().max().item()
    names = names_match(model, adapter)
    print(json.dumps({"max_difference": difference, "effect_of_adapter": effect,
                      **{key: {"count": len(value), "first": value[:1]} for key, value in names.items()}}))
    return 0 if difference <= args.tolerance < effect and not names["only_in_file"] else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-5)
    sys.exit(main(parser.parse_args()))
