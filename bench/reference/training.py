"""Steps of training in PyTorch, transformers and PEFT. Prints one JSON object.

    python bench/reference/training.py DIR --phase grounding|projector-warmup|lora-sft --variant batched|published|files
        --batch N --steps S --threads T [--device cpu|cuda] [--dtype float32|bfloat16]

`published` does what the authors' code does in the two phases of reports: every step encodes every volume again, one
sample at a time with accumulation, full logits at every position. `files` also does what their loop does before that:
it reads a NIfTI file of BraTS's size and preprocesses it for each sample of each step. `batched` is what a careful user would write: pooled
tokens kept from a first pass, micro-batches padded to their longest, the library's own loss. Grounding has the text
embeddings kept and the whole batch in one graph. sdpa attention, no cache of keys, torch.optim.AdamW. With bfloat16 the
backbones are held in it and what trains in float32, as PEFT holds LoRA.
"""
import argparse
import json
import math
import resource
import time
from pathlib import Path

import peft
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file
from transformers import Gemma3ForCausalLM, SiglipVisionModel

TRAINS = {"grounding": ("vision.", "projector."), "projector-warmup": ("projector.", "vis_scale"),
          "lora-sft": ("projector.",)}


class Peer:
    def __init__(self, args, data):
        self.dtype = getattr(torch, args.dtype)
        load = dict(dtype=self.dtype, attn_implementation="sdpa")
        self.vision = SiglipVisionModel.from_pretrained(args.dir / "vision", **load).to(args.device).eval().requires_grad_(False)
        self.language = Gemma3ForCausalLM.from_pretrained(args.dir / "language", **load).to(args.device).eval().requires_grad_(False)
        self.weights = load_file(args.dir / "brain3d.safetensors", device=args.device)
        self.recipe, self.data = json.loads((args.dir / "recipe.json").read_text()), data
        trained = [name for name in sorted(self.weights) if name.startswith(TRAINS[args.phase])]
        self.parameters = [self.weights[name].requires_grad_() for name in trained]
        self.decays = [name.endswith(".weight") and "depth_position" not in name for name in trained]
        if args.phase == "lora-sft":
            self.language = peft.PeftModel.from_pretrained(self.language, args.dir / "adapter", is_trainable=True).train()
            lora = [p for p in self.language.parameters() if p.requires_grad]
            self.parameters += lora
            self.decays += [True] * len(lora)
        self.embed = self.language.get_input_embeddings()

    def tokens(self, volumes):
        """Encodes (B, 1, D, H, W) to (B, N, E)."""
        tower, w, recipe = getattr(self.vision, "vision_model", self.vision), self.weights, self.recipe
        x = F.conv3d(volumes.to(self.dtype), w["vision.patch_embedding_3d.weight"].to(self.dtype),
                     w["vision.patch_embedding_3d.bias"].to(self.dtype),
                     stride=(recipe["depthStride"], 14, 14), padding=(recipe["depthPadding"], 0, 0))
        table = tower.embeddings.position_embedding.weight.float()
        side = math.isqrt(len(table))
        image = table.view(1, side, side, -1).permute(0, 3, 1, 2)
        spatial = F.interpolate(image, x.shape[3:], mode="bicubic", align_corners=False)[0].permute(1, 2, 0)
        positions = (w["vision.depth_position_embedding.weight"][:, None, None] + spatial).flatten(0, 2)
        embedded = x.flatten(2).transpose(1, 2) + positions.to(self.dtype)
        return tower.post_layernorm(tower.encoder(inputs_embeds=embedded).last_hidden_state)

    def pool(self, tokens):
        return F.adaptive_avg_pool1d(tokens.transpose(1, 2), self.recipe["numVisualTokens"]).transpose(1, 2)

    def project(self, pooled):
        w = {name: weight.to(self.dtype) for name, weight in self.weights.items()}
        hidden = F.gelu(F.linear(pooled, w["projector.fc1.weight"], w["projector.fc1.bias"]))
        return F.linear(hidden, w["projector.fc2.weight"], w["projector.fc2.bias"]) * w["vis_scale"]

    @torch.no_grad()
    def text_embeddings(self, count):
        rows = [self.language.model(torch.tensor([self.data["prompt"][:1] + report[:-1]], device=self.language.device)).last_hidden_state.mean(1)
                for report in self.data["reports"][:count]]
        return F.normalize(torch.cat(rows).float(), dim=-1)

    def report_inputs(self, visual, indices):
        """Returns inputs, mask and labels of samples after their visual tokens, padded to the longest."""
        prompt, reports = self.data["prompt"], [self.data["reports"][i] for i in indices]
        longest = max(map(len, reports))
        skipped = [-100] * (visual.shape[1] + len(prompt))
        padded = lambda value, pad: value + [pad] * (longest + len(prompt) - len(value))
        tensor = lambda rows: torch.tensor(rows, device=visual.device)
        ids = tensor([padded(prompt + report, 0) for report in reports])
        labels = tensor([skipped + report + [-100] * (longest - len(report)) for report in reports])
        mask = tensor([[1] * visual.shape[1] + padded([1] * len(prompt + report), 0) for report in reports])
        return {"inputs_embeds": torch.cat([visual, self.embed(ids)], 1), "attention_mask": mask, "labels": labels,
                "use_cache": False}


def grounding(peer, volumes):
    texts = peer.text_embeddings(len(volumes))
    targets = torch.arange(len(volumes), device=volumes.device)

    def backward():
        visual = F.normalize(peer.project(peer.pool(peer.tokens(volumes))).mean(1).float(), dim=-1)
        similarity = visual @ texts.T / 0.07
        loss = (F.cross_entropy(similarity, targets) + F.cross_entropy(similarity.T, targets)) / 2
        loss.backward()
        return loss.item()

    return backward


def published(peer, volumes, read=lambda: None):
    def backward():
        total = 0.0
        for i, volume in enumerate(volumes):
            read()  # the volume is dropped: all variants see the same volumes
            with torch.no_grad():
                pooled = peer.pool(peer.tokens(volume[None]))
            loss = peer.language(**peer.report_inputs(peer.project(pooled), [i])).loss / len(volumes)
            loss.backward()
            total += loss.item()
        return total

    return backward


def batched(peer, volumes):
    with torch.no_grad():
        pooled = torch.cat([peer.pool(peer.tokens(volume[None])) for volume in volumes])
    labels = sum(map(len, peer.data["reports"]))

    def backward():
        total = 0.0
        for part in peer.data["micro_batches"]:
            inputs = peer.report_inputs(peer.project(pooled[part]), part)
            loss = peer.language(**inputs, num_items_in_batch=labels).loss
            loss.backward()
            total += loss.item()
        return total

    return backward


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--phase", choices=TRAINS, required=True)
    parser.add_argument("--variant", choices=("batched", "published", "files"), required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    before = peak()
    peer = Peer(args, json.loads((args.dir / "data.json").read_text()))
    volumes = torch.stack([load_file(args.dir / "volumes" / f"{i}.safetensors")["volume"].float()[None]
                           for i in range(args.batch)]).to(args.device)
    if args.phase == "grounding":
        backward = grounding(peer, volumes)
    elif args.variant == "files":
        from stages import preprocess
        backward = published(peer, volumes, lambda: preprocess(args.dir / "raw.nii"))
    else:
        backward = {"published": published, "batched": batched}[args.variant](peer, volumes)
    optimizer = torch.optim.AdamW([{"params": [p], "weight_decay": 0.01 if decays else 0.0}
                                   for p, decays in zip(peer.parameters, peer.decays)], lr=1e-4)
    seconds, cpu_seconds, results = [], [], []
    for _ in range(args.steps + 1):  # the first warms up
        start, cpu_start = time.perf_counter(), time.process_time()
        optimizer.zero_grad()
        loss = backward()
        norm = torch.nn.utils.clip_grad_norm_(peer.parameters, 1.0).item()
        optimizer.step()
        if args.device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        results.append((loss, norm))
    print(json.dumps({
        "seconds": seconds[1:], "cpu_seconds": cpu_seconds[1:], "first_loss": results[0][0], "first_grad_norm": results[0][1], "peak_bytes": peak(),
        "peak_growth_bytes": peak() - before,
        "peak_device_bytes": torch.cuda.max_memory_allocated() if args.device != "cpu" else 0, "torch": torch.__version__, "transformers": transformers.__version__,
        "peft": peft.__version__, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
