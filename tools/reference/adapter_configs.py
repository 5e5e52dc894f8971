"""Records how PEFT reads adapter_config.json: the modules that it adapts and the scale, for configurations as it saves them.

Each initialisation is trained for a few steps, saved, and added by hand to the base as scale * B A: whether that is the
model which was trained decides whether a reader may do so.
"""
import json
import tempfile
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import check_target_module_exists
from safetensors.torch import load_file

from common import generator, load_decoder, output_dir, save_json

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
SELECTIONS = {
    "names": dict(target_modules=ATTENTION),
    "excluded names": dict(target_modules=ATTENTION, exclude_modules=["o_proj", "layers.1.self_attn.q_proj"]),
    "an excluded path": dict(target_modules=["q_proj"], exclude_modules=["model.layers.2.self_attn.q_proj"]),
    "an excluded expression": dict(target_modules=["q_proj"], exclude_modules=r".*layers\.[02]\..*"),
    "layers": dict(target_modules=["q_proj", "down_proj"], layers_to_transform=[0, 3]),
    "one layer": dict(target_modules=["v_proj"], layers_to_transform=5),
    "layers by name": dict(target_modules=["v_proj"], layers_to_transform=[1], layers_pattern="layers"),
    "no layers named": dict(target_modules=["v_proj"], layers_to_transform=[]),
    "all linear": dict(target_modules="all-linear"),
    "an expression": dict(target_modules=r".*\.layers\.\d+\.mlp\.(up|down)_proj"),
    "rank-stabilised": dict(target_modules=["q_proj"], use_rslora=True),
}
INITIALISATIONS = [True, False, "gaussian", "orthogonal", "mica", "eva", "pissa", "pissa_niter_4", "olora"]


def saved(peft):
    """Returns the configuration that PEFT writes, without the fields that depend on this machine or a hash seed."""
    with tempfile.TemporaryDirectory() as tmp:
        peft.save_pretrained(tmp)
        config = json.loads((Path(tmp) / "adapter_config.json").read_text())
        weights = load_file(Path(tmp) / "adapter_model.safetensors")
    config["base_model_name_or_path"] = "gemma_text"
    for field in ("target_modules", "exclude_modules"):
        if isinstance(config[field], list):
            config[field].sort()
    return config, weights


def selections(out):
    for title, options in SELECTIONS.items():
        peft = get_peft_model(load_decoder(out, "gemma_text"), LoraConfig(r=4, lora_alpha=6, task_type="CAUSAL_LM",
                                                                        **options))
        config, weights = saved(peft)
        adapted = sorted({name[len("base_model.model."):].rsplit(".lora_", 1)[0] for name in weights})
        scale = {module.scaling["default"] for module in peft.modules() if hasattr(module, "lora_A")}
        assert len(scale) == 1 and all(check_target_module_exists(peft.peft_config["default"], key) for key in adapted)
        if options["target_modules"] == "all-linear":  # PEFT writes the names; people may write the word
            yield {"title": "the word all-linear", "config": {**config, "target_modules": "all-linear"},
                   "adapted": adapted, "scaling": scale.copy().pop()}
        yield {"title": title, "config": config, "adapted": adapted, "scaling": scale.pop()}


def initialisations(out):
    for init in INITIALISATIONS:
        torch.manual_seed(0)
        base = load_decoder(out, "gemma_text")
        peft = get_peft_model(base, LoraConfig(r=4, lora_alpha=4, target_modules=ATTENTION, init_lora_weights=init,
                                               task_type="CAUSAL_LM"))
        ids = torch.randint(3, 160, (2, 24), generator=generator(3))
        optimiser = torch.optim.AdamW([p for p in peft.parameters() if p.requires_grad], lr=1e-3)
        for _ in range(3):
            peft(input_ids=ids, labels=ids).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        config, weights = saved(peft.eval())
        plain = load_decoder(out, "gemma_text")
        modules = dict(plain.named_modules())
        with torch.no_grad():
            for name in (name for name in weights if name.endswith("lora_A.weight")):
                module = modules[name[len("base_model.model."):-len(".lora_A.weight")]]
                module.weight += weights[name.replace("lora_A", "lora_B")] @ weights[name]
            difference = (plain(input_ids=ids).logits - peft(input_ids=ids).logits).abs().max().item()
        assert difference < 1e-4 or difference > 1e-2, (init, difference)
        yield {"init_lora_weights": config["init_lora_weights"], "is_sum": difference < 1e-4, "config": config}


def main(out):
    warnings.filterwarnings("ignore")
    save_json(out / "adapter_configs.json", {"selections": list(selections(out)),
                                             "initialisations": list(initialisations(out))})


if __name__ == "__main__":
    main(output_dir(__doc__))
