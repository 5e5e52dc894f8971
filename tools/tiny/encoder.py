# SPDX-License-Identifier: MIT
"""The tiny SigLIP: its configuration, its first kernel, and the functions that encode, pool and save slabs."""

import json

import torch
from safetensors.torch import save_file
from torch.nn.functional import adaptive_avg_pool1d, linear
from transformers import SiglipConfig

from patches import patches_of, whitening_kernel
from slabs import GRID, PATCH, SIDE

WIDTH = 192
MAX_CAPTION_TOKENS = 64
PAD, EOS, BOS = 0, 1, 2
TOKENS = GRID * GRID
NUM_VISUAL_TOKENS = 32


def vision_config(vocab_size):
    return SiglipConfig(
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 576,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_channels": 3,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        # brain3d never runs the text tower; the captions are compared with it.
        text_config={
            "vocab_size": vocab_size,
            "hidden_size": 96,
            "intermediate_size": 192,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": MAX_CAPTION_TOKENS,
            "projection_size": WIDTH,
            "pad_token_id": PAD,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
        },
    )


def start_kernel(tower, pixels, seed):
    """Starts the kernel as filters that whiten patches, at half their size, and so with a norm that does not depend on
    brightness alone."""
    kernel, bias = whitening_kernel(pixels, WIDTH, torch.Generator().manual_seed(seed))
    embedding = tower.embeddings.patch_embedding
    with torch.no_grad():
        embedding.weight.copy_((kernel / 6).view(WIDTH, 1, PATCH, PATCH).expand_as(embedding.weight))
        embedding.bias.copy_(bias / 2)


def encode_patches(tower, patches, places):
    """Returns tokens (B, N, WIDTH) after the last norm, of patches (B, N, 196) at `places` (N or B, N) of the plane.

    A grey picture in three channels meets the sum of the kernel over them, which is also what inflation keeps.
    """
    kernel = tower.embeddings.patch_embedding
    tokens = linear(patches, kernel.weight.sum(1).flatten(1), kernel.bias)
    tokens = tokens + tower.embeddings.position_embedding.weight[places]
    return tower.post_layernorm(tower.encoder(inputs_embeds=tokens).last_hidden_state)


def encode(tower, pixels):
    """Returns tokens (B, T, 81, WIDTH) of T slabs (B, T, 126, 126) that attend to each other."""
    slabs = pixels.shape[1]
    tokens = encode_patches(tower, patches_of(pixels).flatten(1, 2), torch.arange(TOKENS).repeat(slabs))
    return tokens.unflatten(1, (slabs, TOKENS))


def brightest(patches, kept):
    """Returns indices (B, kept), ascending, of the brightest of patches (B, N, 196): those that hold brain, not
    background."""
    return patches.mean(-1).topk(kept, dim=1).indices.sort(dim=1).values


def pooled(tokens):
    """Returns means (B, 32, WIDTH) of runs of tokens (B, N, WIDTH): brain3d's sequence compression."""
    return adaptive_avg_pool1d(tokens.transpose(1, 2), NUM_VISUAL_TOKENS).transpose(1, 2)


def save_vision(model, directory):
    """Writes bfloat16 weights; `model` itself stays unchanged."""
    directory.mkdir(parents=True, exist_ok=True)
    model.config.architectures = ["SiglipModel"]
    weights = {name: value.detach().to(torch.bfloat16).contiguous() for name, value in model.state_dict().items()}
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    config = json.loads(model.config.to_json_string(use_diff=True))
    config["dtype"] = "bfloat16"
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    preprocessor = {
        "image_processor_type": "SiglipImageProcessor",
        "do_resize": True,
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.0, 0.0, 0.0],
        "image_std": [1.0, 1.0, 1.0],
        "do_convert_rgb": True,
    }
    (directory / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n", encoding="utf-8")
