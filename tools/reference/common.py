"""Helpers shared by the generators of test/golden."""
import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

# One thread fixes the order of every reduction, so a second run gives the same bytes.
torch.set_num_threads(1)

GOLDEN = Path(__file__).resolve().parents[2] / "test" / "golden"

VOCAB = 160
BOS, EOS, PAD = 2, 1, 0

# The sizes shared by both decoders: grouped queries, a window shorter than the sequences used here, and seven layers,
# so that layer 5 is global and layers 0-4 and 6 are local.
TEXT_CONFIG = dict(
    vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=7,
    num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=16,
    query_pre_attn_scalar=8, pad_token_id=PAD, eos_token_id=EOS, bos_token_id=BOS,
    rope_parameters={
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    },
)
VISION_SIZES = dict(hidden_size=24, intermediate_size=40, num_attention_heads=3,
                    image_size=56, patch_size=14)

# Each entry is name -> (inflation recipe, decoder directory, seed). The seeds were picked by find_seeds.py so that no
# greedy step of brain3d_outputs.py has a near tie between its two best tokens.
CHECKPOINTS = {
    "paper_text": ("paper", "gemma_text", 107),
    "paper_cond": ("paper", "gemma_cond", 200),
    "peer_text": ("braingemma3d", "gemma_text", 308),
    "peer_cond": ("braingemma3d", "gemma_cond", 405),
}


def output_dir(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("out", nargs="?", type=Path, default=GOLDEN,
                        help="output directory (default: test/golden of this repository)")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    return out


def fresh_dir(path):
    """Makes an empty directory, so that no stale file of an earlier run survives."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(gen, shape, std, mean=0.0):
    return torch.randn(tuple(shape), generator=gen) * std + mean


def save(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous().clone() for k, v in sorted(tensors.items())}, str(path))
    path.chmod(0o644)  # safetensors creates files readable by the owner only


def save_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def fill(model, seed):
    """Fills a model with random weights large enough that every block visibly changes the output."""
    gen = generator(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            leaf = name.split(".")[-1]
            is_layer_norm = "layer_norm" in name or "layernorm" in name and "vision" in name \
                or ".head.layernorm" in name
            if is_layer_norm:
                p.copy_(normal(gen, p.shape, 0.2, 1.0) if leaf == "weight" else normal(gen, p.shape, 0.1))
            elif "norm" in name:
                # Gemma's RMSNorm multiplies by 1 + weight. Together with the small embeddings the mean
                # of 0.4 keeps the layers stronger than the tied embedding, whose path through the
                # residual stream would otherwise make greedy decoding repeat the last prompt token.
                p.copy_(normal(gen, p.shape, 0.2, 0.4))
            elif name.endswith("embed_tokens.weight"):
                p.copy_(normal(gen, p.shape, 0.2))
            elif name.endswith("patch_embedding.weight"):  # 588 taps: 0.3 would drown the positions
                p.copy_(normal(gen, p.shape, 0.06))
            elif "bias" in leaf or name.startswith("logit_"):
                p.copy_(normal(gen, p.shape, 0.1))
            else:
                p.copy_(normal(gen, p.shape, 0.3))
    return model.eval()


def load_decoder(out, name):
    from transformers import Gemma3ForCausalLM, Gemma3ForConditionalGeneration

    class SoftPrompted(Gemma3ForConditionalGeneration):
        # generate() of transformers 5.18 accepts inputs_embeds only where this method names the
        # argument; the multimodal class forwards it through **kwargs and would be refused.
        def prepare_inputs_for_generation(self, input_ids, inputs_embeds=None, **kwargs):
            return super().prepare_inputs_for_generation(input_ids, inputs_embeds=inputs_embeds, **kwargs)

    cls = Gemma3ForCausalLM if name == "gemma_text" else SoftPrompted
    # "eager" is the plain formula; fused kernels may round differently.
    return cls.from_pretrained(out / "models" / name, dtype=torch.float32,
                               attn_implementation="eager").eval()


def load_vision(out):
    from transformers import SiglipModel
    return SiglipModel.from_pretrained(out / "models" / "vision", dtype=torch.float32,
                                       attn_implementation="eager").eval()
