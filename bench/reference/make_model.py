"""Random-weight backbones of a stated size for benchmarks: speed does not depend on the values.

    python bench/reference/make_model.py DIR [--size small|4b|train]

Writes DIR/vision and DIR/language in Hugging Face format (with the demo model's tokenizer, whose ids fit any of the
vocabularies here; `train` takes made-up ids and gets none).
"""
import argparse
import shutil
from pathlib import Path

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, SiglipConfig, SiglipModel

SIZES = {
    # Large enough that arithmetic, not call overhead, decides; small enough for a laptop.
    "small": {
        "vision": dict(hidden_size=384, intermediate_size=1536, num_hidden_layers=6, num_attention_heads=6),
        "language": dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=8, num_attention_heads=8,
                         num_key_value_heads=4, head_dim=128, query_pre_attn_scalar=128, sliding_window=1024),
        "dtype": torch.float32,
    },
    # For steps of training: the head's share of the language model (a quarter) and vision's share of a step (a few times
    # the language model's) are about those of MedGemma 4B with 5,265 patch tokens.
    "train": {
        "vision": dict(hidden_size=192, intermediate_size=768, num_hidden_layers=6, num_attention_heads=3),
        "language": dict(hidden_size=256, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=64, query_pre_attn_scalar=64, sliding_window=1024,
                         vocab_size=8192),
        "dtype": torch.float32,
    },
    "4b": {
        "vision": dict(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16),
        "language": dict(hidden_size=2560, intermediate_size=10240, num_hidden_layers=34, num_attention_heads=8,
                         num_key_value_heads=4, head_dim=256, query_pre_attn_scalar=256, sliding_window=1024),
        "dtype": torch.bfloat16,
    },
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SIZES, default="small")
    args = parser.parse_args()
    size = SIZES[args.size]
    torch.manual_seed(0)
    torch.set_default_dtype(size["dtype"])
    text = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, vocab_size=64)
    vision = SiglipModel(SiglipConfig(text_config=text, vision_config=dict(size["vision"], image_size=448, patch_size=14)))
    vision.save_pretrained(args.out / "vision")
    # The tokenizer has 1,711 ids; the embedding is padded by less than brain3d accepts as padding.
    language = Gemma3ForCausalLM(Gemma3TextConfig(**({"vocab_size": 1792} | size["language"])))
    language.save_pretrained(args.out / "language")
    if args.size != "train":
        tokenizer = Path(__file__).parents[2] / "models/tiny/language/tokenizer.json"
        shutil.copy(tokenizer, args.out / "language" / "tokenizer.json")


if __name__ == "__main__":
    main()
