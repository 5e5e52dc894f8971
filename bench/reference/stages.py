"""The same four stages in Python: nibabel + numpy + torch, transformers. Prints one JSON object.

    python bench/reference/stages.py CHECKPOINT VISION LANGUAGE VOLUME --tokens N --repeat R [--device cpu] [--threads N]

The encoder is transformers' SiglipEncoder over the inflated embedding, decoding is `generate` with inputs_embeds and
the same processors; both as a careful user of transformers would write them (sdpa attention, inference mode).
"""
import argparse
import json
import statistics
import time

import nibabel
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import Gemma3ForCausalLM, SiglipVisionModel


def preprocess(path):
    volume = nibabel.as_closest_canonical(nibabel.load(path)).get_fdata(dtype=np.float32).transpose(2, 1, 0)
    side = max(volume.shape[1:])
    pads = [(side - n) // 2 for n in volume.shape[1:]]
    volume = np.pad(volume, [(0, 0)] + [(p, side - n - p) for p, n in zip(pads, volume.shape[1:])])
    low, high = np.percentile(volume, [1, 99])
    scaled = torch.from_numpy(np.clip((volume - low) / (high - low), 0, 1).astype(np.float32))
    return F.interpolate(scaled[None, None], (64, 128, 128), mode="trilinear", align_corners=False)


class Peer:
    def __init__(self, args):
        dtype = getattr(torch, args.dtype)
        load = dict(dtype=dtype, attn_implementation="sdpa")
        self.vision = SiglipVisionModel.from_pretrained(args.vision, **load).to(args.device).eval()
        self.language = Gemma3ForCausalLM.from_pretrained(args.language, **load).to(args.device).eval()
        self.weights = {k: v.to(args.device, dtype) for k, v in load_file(args.checkpoint + "/brain3d.safetensors").items()}
        table = self.tower.embeddings.position_embedding.weight.float()
        side = int(len(table) ** 0.5)
        image = table.view(1, side, side, -1).permute(0, 3, 1, 2)
        spatial = F.interpolate(image, (9, 9), mode="bicubic", align_corners=False)[0].permute(1, 2, 0)
        depth = self.weights["vision.depth_position_embedding.weight"].float()
        self.positions = (depth[:, None, None] + spatial).flatten(0, 2).to(dtype)

    @property
    def tower(self):
        return getattr(self.vision, "vision_model", self.vision)

    def encode(self, volume):
        w = self.weights
        x = F.conv3d(volume.to(self.positions), w["vision.patch_embedding_3d.weight"], w["vision.patch_embedding_3d.bias"],
                     stride=(1, 14, 14), padding=(1, 0, 0))
        x = x.flatten(2).transpose(1, 2) + self.positions
        x = self.tower.post_layernorm(self.tower.encoder(inputs_embeds=x).last_hidden_state)
        pooled = F.adaptive_avg_pool1d(x.transpose(1, 2), 32).transpose(1, 2)
        hidden = F.gelu(F.linear(pooled, w["projector.fc1.weight"], w["projector.fc1.bias"]))
        return F.linear(hidden, w["projector.fc2.weight"], w["projector.fc2.bias"]) * w["vis_scale"]

    def inputs(self, visual, prompt_ids):
        ids = torch.tensor([prompt_ids], device=visual.device)
        return torch.cat([visual, self.language.get_input_embeddings()(ids)], 1)

    def generate(self, inputs, tokens):
        return self.language.generate(inputs_embeds=inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False,
                                      repetition_penalty=1.2, no_repeat_ngram_size=3, eos_token_id=1, pad_token_id=0)


def summary(times):
    times = times[1:]  # the first warms up
    return {"median_ms": statistics.median(times), "min_ms": min(times), "max_ms": max(times)}


def timed(work, device):
    start = time.perf_counter()
    result = work()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return result, (time.perf_counter() - start) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("checkpoint", "vision", "language", "volume"):
        parser.add_argument(name)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--prompt-ids", type=json.loads, required=True)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    import transformers
    out = {"python": True, "torch": torch.__version__, "transformers": transformers.__version__, "threads": torch.get_num_threads()}
    with torch.inference_mode():
        peer = Peer(args)
        stages = {"preprocess": [], "encode": [], "prefill": [], "decode": []}
        for _ in range(args.repeat + 1):
            volume, ms = timed(lambda: preprocess(args.volume), "cpu")
            stages["preprocess"].append(ms)
        volume = volume.to(args.device)
        # Like brain3d's side, this generates whole reports, first of one token and then of all. One token needs the
        # prefill and one choice of a token; the further tokens add their decoding.
        for _ in range(args.repeat + 1):
            visual, _ = timed(lambda: peer.encode(volume), args.device)
            _, first = timed(lambda: peer.generate(peer.inputs(visual, args.prompt_ids), 1), args.device)
            visual, encode = timed(lambda: peer.encode(volume), args.device)
            ids, whole = timed(lambda: peer.generate(peer.inputs(visual, args.prompt_ids), args.tokens), args.device)
            stages["encode"].append(encode)
            stages["prefill"].append(first)
            stages["decode"].append((whole - first) / (args.tokens - 1))
        out.update({stage: summary(times) for stage, times in stages.items()})
        out["token_ids"] = ids[0].tolist()
    print(json.dumps(out))


if __name__ == "__main__":
    main()
