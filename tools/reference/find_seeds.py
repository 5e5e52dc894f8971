"""Prints, for every checkpoint, seeds whose greedy decoding has no near tie (see common.CHECKPOINTS).

Needs the models to exist. Length 64 means that the row did not reach the end token.
"""
import torch

from brain3d_outputs import EOS, MARGIN, NEW_TOKENS, decode, encode, make_volume
from checkpoints import adapt, build
from common import CHECKPOINTS, load_decoder, load_vision, output_dir


def length(row):
    ends = (row == EOS).nonzero()
    return ends[0].item() + 1 if len(ends) else NEW_TOKENS


@torch.no_grad()
def main(out, tries=10):
    volume, vision = make_volume(), load_vision(out)
    for name, (recipe, decoder, first) in CHECKPOINTS.items():
        for seed in range(first, first + tries):
            visual = encode(recipe, build(recipe, seed, vision), vision, volume)["visual_tokens"]
            found = []
            for adapter in (False, True):
                model = load_decoder(out, decoder)
                results, margin = decode(adapt(model, seed) if adapter else model, visual)
                found.append((margin, [length(r) for k in ("greedy_tokens", "greedy_plain") for r in results[k]]))
                if margin <= MARGIN:
                    break
            else:
                print(name, seed, found, flush=True)


if __name__ == "__main__":
    main(output_dir(__doc__))
