"""Brain3D checkpoints: inflated patch embedding, projector, gate, and PEFT adapters."""
import json
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from common import (CHECKPOINTS, fresh_dir, generator, load_decoder, load_vision, normal,
                    output_dir, save, save_json)

KD = 2            # depth kernel
DEPTH_PLANES = 9  # 8 slices + 2 * padding 1 - kernel 2 + 1
E, LM = 24, 32    # vision and decoder width
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
# The multimodal class also has a SigLIP with q_proj, k_proj and v_proj, which Brain3D never runs.
TEXT_ONLY = r".*language_model\..*\.(q_proj|k_proj|v_proj|o_proj)"


def inflate(kernel, recipe):
    collapsed = kernel.sum(1, keepdim=True) if recipe == "paper" else kernel.mean(1, keepdim=True)
    return collapsed[:, :, None].repeat(1, 1, KD, 1, 1) / KD


def build(recipe, seed, vision):
    """Builds the tensors of a checkpoint. The noise on the kernel shows whether a reader uses the checkpoint or
    inflates again."""
    gen = generator(seed)
    patch = vision.vision_model.embeddings.patch_embedding
    w = inflate(patch.weight.detach(), recipe)
    t = {
        "vision.patch_embedding_3d.weight": w + normal(gen, w.shape, 0.01),
        "vision.patch_embedding_3d.bias": patch.bias.detach() + normal(gen, [E], 0.01),
        "projector.fc1.weight": normal(gen, [LM, E], 0.4),
        "projector.fc1.bias": normal(gen, [LM], 0.1),
        "projector.fc2.weight": normal(gen, [LM, LM], 0.4),
        "projector.fc2.bias": normal(gen, [LM], 0.1),
        "vis_scale": torch.tensor(0.5),
    }
    if recipe == "paper":
        t["vision.depth_position_embedding.weight"] = normal(gen, [DEPTH_PLANES, E], 0.3)
    return t


def adapt(base, seed, vision_keys=False):
    """Wraps the decoder with a non-trivial adapter. Text tensors depend on the seed alone."""
    multimodal = hasattr(base.model, "language_model")
    target = TEXT_ONLY if multimodal and not vision_keys else ATTENTION
    peft = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, lora_dropout=0.05,
                                           target_modules=target))
    lora = sorted((n, p) for n, p in peft.named_parameters() if "lora_" in n)
    gen = generator(seed + 1)
    with torch.no_grad():
        for tower in (False, True):  # text first: the same numbers with and without vision keys
            for name, p in lora:
                if ("vision_tower" in name) == tower:
                    p.copy_(normal(gen, p.shape, 0.1 if "lora_B" in name else 0.2))
    return peft.eval()


def save_adapter(peft, path, base_name):
    with tempfile.TemporaryDirectory() as tmp:
        peft.save_pretrained(tmp)
        fresh_dir(path)
        save(path / "adapter_model.safetensors", load_file(Path(tmp) / "adapter_model.safetensors"))
        config = json.loads((Path(tmp) / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base_name  # peft records the directory of this machine
    if isinstance(config["target_modules"], list):  # written from a set, in hash order
        config["target_modules"].sort()
    save_json(path / "adapter_config.json", config)


def main(out):
    vision = load_vision(out)
    fresh_dir(out / "checkpoints")
    for name, (recipe, decoder, seed) in CHECKPOINTS.items():
        path = out / "checkpoints" / name
        save(path / "brain3d.safetensors", build(recipe, seed, vision))
        save_adapter(adapt(load_decoder(out, decoder), seed), path / "adapter", decoder)

    seed = CHECKPOINTS["peer_cond"][2]
    path = out / "checkpoints" / "peer_cond_vision_keys" / "adapter"
    save_adapter(adapt(load_decoder(out, "gemma_cond"), seed, vision_keys=True), path, "gemma_cond")
    plain = load_file(out / "checkpoints" / "peer_cond" / "adapter" / "adapter_model.safetensors")
    extra = load_file(path / "adapter_model.safetensors")
    assert all(torch.equal(v, extra[k]) for k, v in plain.items())
    assert all("vision_tower" in k for k in extra.keys() - plain.keys()) and len(extra) > len(plain)


if __name__ == "__main__":
    main(output_dir(__doc__))
