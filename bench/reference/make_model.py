"""Random-weight backbones of a stated size for benchmarks: speed does not depend on the values.

    python bench/reference/make_model.py DIR [--size small|4b|train] [--device cpu|cuda]

Writes DIR/vision and DIR/language in Hugging Face format (with the demo model's tokenizer, whose ids fit any of the
vocabularies here; `train` takes made-up ids and gets none). `4b` has MedGemma's vocabulary too, since the head is a sixth of what a
token reads: its tokenizer gets tokens that no text has.
"""
import argparse
import json
from pathlib import Path

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, SiglipConfig, SiglipModel

SIZES = {
    # Arithmetic, not call overhead, must decide, and the model must fit on a laptop.
    "small": {
        "vision": dict(hidden_size=384, intermediate_size=1536, num_hidden_layers=6, num_attention_heads=6),
        "language": dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=8, num_attention_heads=8,
                         num_key_value_heads=4, head_dim=128, query_pre_attn_scalar=128, sliding_window=1024),
        "dtype": torch.float32,
    },
    # This size is for steps of training: the head's share of the language model (a quarter) and vision's share of a
    # step (a few times the language model's) are about those of MedGemma 4B with 5,265 patch tokens.
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
                         num_key_value_heads=4, head_dim=256, query_pre_attn_scalar=256, sliding_window=1024,
                         vocab_size=262_208),
        "dtype": torch.bfloat16,
    },
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--device", default="cpu", help="where the weights are drawn: billions take a while on a CPU")
    args = parser.parse_args()
    size = SIZES[args.size]
    torch.set_default_device(args.device)
    torch.manual_seed(0)
    torch.set_default_dtype(size["dtype"])
    text = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, vocab_size=64)
    vision = SiglipModel(SiglipConfig(text_config=text, vision_config=dict(size["vision"], image_size=448, patch_size=14)))
    vision.save_pretrained(args.out / "vision")
    # The tokenizer has 1,921 ids; the embedding is padded by less than brain3d accepts as padding.
    config = Gemma3TextConfig(**({"vocab_size": 1984} | size["language"]))
    language = Gemma3ForCausalLM(config)
    language.save_pretrained(args.out / "language")
    if args.size != "train":
        tokenizer = json.loads((Path(__file__).parents[2] / "models/tiny/language/tokenizer.json").read_text())
        if args.size == "4b":
            vocabulary = tokenizer["model"]["vocab"]
            for id in range(max(vocabulary.values()) + 1, config.vocab_size - 63):
                vocabulary[f"<unused{id}>"] = id
        (args.out / "language" / "tokenizer.json").write_text(json.dumps(tokenizer))


if __name__ == "__main__":
    main()
