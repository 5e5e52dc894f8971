# SPDX-License-Identifier: MIT
"""Writes a tiny SigLIP checkpoint with seeded random weights, laid out as the published MedSigLIP is."""

import torch
from transformers import SiglipConfig, SiglipModel

WIDTH = 144


def vision_config():
    return SiglipConfig(
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 432,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_channels": 3,
            "image_size": 224,
            "patch_size": 14,
        },
        # brain3d never runs the text tower; it is here because the published checkpoints have one.
        text_config={
            "vocab_size": 2048,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            "projection_size": WIDTH,
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 1,
        },
    )


def save_vision(directory, seed):
    torch.manual_seed(seed)
    model = SiglipModel(vision_config()).eval()
    model.to(torch.bfloat16).save_pretrained(directory)
