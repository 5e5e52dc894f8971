"""Files in the layout of the authors' implementation: pickled projector and adapter folders."""
import io
import json
import os
import pickle
import shutil
import struct
from collections import OrderedDict

import torch
from safetensors.torch import load_file
from torch import nn

from common import fresh_dir, generator, normal, output_dir, save, save_json

GATE = 0.73


def projector(dtype):
    gen = generator(51)
    module = nn.Sequential(nn.Linear(24, 32), nn.GELU(), nn.Linear(32, 32))
    with torch.no_grad():
        for _, p in sorted(module.named_parameters()):
            p.copy_(normal(gen, p.shape, 0.3 if p.ndim == 2 else 0.1))
    return module.to(dtype).state_dict()


class Forbidden:
    """A global that starts a command when a reader runs it. A safe reader must refuse the file."""
    def __reduce__(self):
        return os.system, ("echo a pickle ran a command",)


def save_legacy(value, path):
    """Writes the format of torch before 1.6. torch.save can still write it, but names storages by address."""
    keys, storages = [], []

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, torch.storage.TypedStorage):
                return None
            keys.append(str(len(keys)))
            storages.append(obj)
            kind = getattr(torch, torch.storage._dtype_to_storage_type_map()[obj.dtype])
            return ("storage", kind, keys[-1], "cpu", obj.size(), None)

    body = io.BytesIO()
    Pickler(body, protocol=2).dump(value)
    with open(path, "wb") as f:
        pickle.dump(0x1950A86A20F9469CFC6C, f, protocol=2)  # magic number
        pickle.dump(1001, f, protocol=2)                    # format version
        pickle.dump({"protocol_version": 1001, "little_endian": True,
                     "type_sizes": {"short": 2, "int": 4, "long": 4}}, f, protocol=2)
        f.write(body.getvalue())
        pickle.dump(keys, f, protocol=2)
        for s in storages:
            f.write(struct.pack("<q", s.size()) + bytes(s.untyped()))


def main(out):
    path = fresh_dir(out / "peer")
    bf16, f32 = projector(torch.bfloat16), projector(torch.float32)
    variants = {
        "projector_vis_scale": (bf16, GATE),
        "scale_tensor": (bf16, torch.tensor(GATE)),
        "scale_none": (bf16, None),
        "float32": (f32, GATE),
        "legacy": (f32, GATE),
    }
    expected = {}
    for name, (state, gate) in variants.items():
        value = {"vision_projector": state, "vis_scale": gate}
        file = path / f"{name}.pt"
        (save_legacy if name == "legacy" else torch.save)(value, file)
        loaded = torch.load(file, weights_only=True)
        for key, tensor in state.items():
            assert torch.equal(loaded["vision_projector"][key], tensor)
            expected[f"{name}.{key}"] = tensor.float()
        assert loaded["vis_scale"] == gate
        if gate is not None:
            expected[f"{name}.vis_scale"] = torch.tensor(float(gate))
    torch.save({"vision_projector": bf16, "vis_scale": Forbidden()}, path / "forbidden.pt")
    save(path / "expected.safetensors", expected)

    # Phase 2B has a real adapter folder. transformers 4.5x, which the authors used, has "vision_model" in the names of
    # the tower; the checkpoint directory has the names of 5.x.
    phase = path / "phase2b"
    phase.mkdir()
    shutil.copyfile(path / "projector_vis_scale.pt", phase / "projector_vis_scale.pt")
    source = out / "checkpoints" / "peer_cond_vision_keys" / "adapter"
    save(phase / "lora_adapters" / "adapter_model.safetensors",
         {k.replace("vision_tower.", "vision_tower.vision_model."): v
          for k, v in load_file(source / "adapter_model.safetensors").items()})
    shutil.copyfile(source / "adapter_config.json", phase / "lora_adapters" / "adapter_config.json")

    # In Phase 2A the folder holds a copy of the language model's configuration instead of an adapter.
    phase = path / "phase2a"
    phase.mkdir()
    shutil.copyfile(path / "projector_vis_scale.pt", phase / "projector_vis_scale.pt")
    config = json.loads((out / "models" / "gemma_cond" / "config.json").read_text())
    save_json(phase / "lora_adapters" / "config.json", config)


if __name__ == "__main__":
    main(output_dir(__doc__))
