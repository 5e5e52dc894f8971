"""Tiny random models in Hugging Face directories: a SigLIP and two Gemma 3 decoders."""
import json
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import (AutoModelForCausalLM, AutoModelForImageTextToText, Gemma3Config,
                          Gemma3ForCausalLM, Gemma3ForConditionalGeneration, Gemma3TextConfig,
                          SiglipConfig, SiglipModel)

from common import (BOS, EOS, PAD, TEXT_CONFIG, VISION_SIZES, fill, fresh_dir, output_dir, save,
                    save_json)


def make_vision(path):
    config = SiglipConfig(
        vision_config=dict(VISION_SIZES, num_hidden_layers=3),
        text_config=dict(hidden_size=16, intermediate_size=24, num_hidden_layers=1, vocab_size=32,
                         num_attention_heads=2, bos_token_id=2, eos_token_id=1, pad_token_id=1))
    fill(SiglipModel(config), 11).save_pretrained(fresh_dir(path))


def make_text(path):
    fill(Gemma3ForCausalLM(Gemma3TextConfig(**TEXT_CONFIG)), 12).save_pretrained(fresh_dir(path))
    save_json(path / "generation_config.json",
              {"bos_token_id": BOS, "do_sample": True, "eos_token_id": [EOS], "pad_token_id": PAD,
               "top_k": 20, "top_p": 0.95})


def old_dialect():
    """Returns config.json as transformers 4.5x wrote it: rope_* keys, no layer_types, defaults left out."""
    text = {k: TEXT_CONFIG[k] for k in (
        "head_dim", "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers",
        "num_key_value_heads", "query_pre_attn_scalar", "sliding_window", "vocab_size")}
    text.update(model_type="gemma3_text", rope_theta=1000000.0, rope_local_base_freq=10000.0,
                rope_scaling={"factor": 8.0, "rope_type": "linear"}, sliding_window_pattern=6)
    return {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "boi_token_index": 150, "eoi_token_index": 151, "image_token_index": 152,
        "eos_token_id": [1, 106], "initializer_range": 0.02, "mm_tokens_per_image": 4,
        "model_type": "gemma3", "text_config": text, "torch_dtype": "float32",
        "transformers_version": "4.50.0",
        "vision_config": dict(VISION_SIZES, num_hidden_layers=2, model_type="siglip_vision_model",
                              vision_use_head=False),
    }


def make_cond(path, names_path):
    config = Gemma3Config(
        text_config=TEXT_CONFIG,
        vision_config=dict(VISION_SIZES, num_hidden_layers=2, vision_use_head=False),
        mm_tokens_per_image=4, boi_token_index=150, eoi_token_index=151, image_token_index=152)
    model = fill(Gemma3ForConditionalGeneration(config), 13)
    save_json(names_path, sorted(model.state_dict()))

    # transformers 5 writes "vision_tower.encoder..." where the published files have
    # "vision_tower.vision_model.encoder...". The shards are rewritten with the published names.
    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(tmp, max_shard_size="130KB")
        index = json.loads((Path(tmp) / "model.safetensors.index.json").read_text())
        official = lambda n: n.replace("vision_tower.", "vision_tower.vision_model.", 1)
        fresh_dir(path)
        for shard in sorted(set(index["weight_map"].values())):
            save(path / shard, {official(k): v for k, v in load_file(Path(tmp) / shard).items()})
    index["weight_map"] = {official(k): v for k, v in sorted(index["weight_map"].items())}
    save_json(path / "model.safetensors.index.json", index)
    save_json(path / "config.json", old_dialect())
    save_json(path / "generation_config.json",
              {"bos_token_id": BOS, "do_sample": True, "eos_token_id": [1, 106],
               "pad_token_id": PAD, "top_k": 64, "top_p": 0.95})
    return model


def check_loading(out, cond):
    """Checks that the directories give the same numbers as the model they were written from."""
    ids = torch.arange(2, 42)[None]
    with torch.no_grad():
        # torch_dtype and the old rope keys must survive; the automatic classes must accept the directory.
        for cls in (AutoModelForImageTextToText, AutoModelForCausalLM, Gemma3ForConditionalGeneration):
            loaded, info = cls.from_pretrained(out / "models" / "gemma_cond", output_loading_info=True)
            assert not info["missing_keys"] and not info["unexpected_keys"], info
            assert torch.equal(loaded.eval()(input_ids=ids).logits, cond(input_ids=ids).logits)
            print("gemma_cond loads as", type(loaded).__name__, "through", cls.__name__)
            pixels = torch.linspace(-1, 1, 3 * 56 * 56).view(1, 3, 56, 56)
            a = loaded.model.vision_tower(pixel_values=pixels).last_hidden_state
            assert torch.equal(a, cond.model.vision_tower(pixel_values=pixels).last_hidden_state)
        text = AutoModelForCausalLM.from_pretrained(out / "models" / "gemma_text")
        assert type(text) is Gemma3ForCausalLM and text.dtype == torch.float32


def main(out):
    models = out / "models"
    make_vision(models / "vision")
    make_text(models / "gemma_text")
    cond = make_cond(models / "gemma_cond",
                     models / "gemma_cond_new" / "model.safetensors.names.json")
    check_loading(out, cond)


if __name__ == "__main__":
    main(output_dir(__doc__))
