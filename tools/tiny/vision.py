# SPDX-License-Identifier: MIT
"""Pretrains the tiny SigLIP on slabs of simulated volumes and their captions.

    python tools/tiny/vision.py --volumes SIM.pt --patches patches.pt --tokenizer TOKENIZER_JSON --output FOLDER

A 2D encoder throughout: it has no depth position, and every slab gets the same position table. brain3d does not run
SigLIP's pooling head but averages the encoder's tokens into 32, so what a report needs must be in the tokens. Hence

- SigLIP's sigmoid loss on the pooling head's embedding, as published, and also on the mean of the tokens;
- linear heads, thrown away afterwards, that read a slab's contents from the mean of its tokens, a patch's contents from
  its token, how much of a patch a lesion fills, and a study's findings from each half-plane mean of tokens (what
  brain3d's sequence compression pools);
- after single patches and single slabs, all 16 slabs of a volume in one attention, because in 3D the encoder attends
  over 16 planes: first the brightest 448 of the 1,296 patches, which hold the brain, at last all of them.
"""

import argparse
import json
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, normalize
from transformers import SiglipModel

from captions import slab_caption, slab_facts, study_caption, study_key
from encoder import (
    EOS,
    MAX_CAPTION_TOKENS,
    PAD,
    TOKENS,
    WIDTH,
    brightest,
    encode,
    encode_patches,
    pooled,
    save_vision,
    start_kernel,
    vision_config,
)
from patches import patches_of
from slabs import AMOUNTS, MIN_VOXELS, PATCH_CONTENTS, TISSUES, SlabSource, counted, patch_contents
from study_targets import STUDY_OUTPUTS, study_loss, study_targets
from volumes import NUM_REGIONS

SLAB_OUTPUTS = 2 * NUM_REGIONS + 2 + TISSUES * len(AMOUNTS)


@dataclass(frozen=True)
class TrainingOptions:
    # The stages, one after the other: (steps, sequences in a batch, slabs in a sequence, patches kept of them).
    stages: tuple = ((150, 32, 1, 81), (2250, 8, 16, 448), (400, 4, 16, 1296))
    patch_steps: int = 1000
    patch_batch: int = 256
    learning_rate: float = 2e-3
    matrix_learning_rate: float = 4e-3
    slab_rate_share: float = 0.5
    warmup_steps: int = 50
    plateau_steps: int = 1950  # then the rate falls, in `fall_steps`, to the share that it keeps
    fall_steps: int = 650
    last_share: float = 0.02
    weight_decay: float = 0.05
    max_grad_norm: float = 1.0
    siglip_weight: float = 0.15
    seed: int = 23


class Heads(nn.Module):
    """The parts that are dropped after training, except for the text tower's comparison of captions."""

    def __init__(self):
        super().__init__()
        self.slab = nn.Linear(WIDTH, SLAB_OUTPUTS)
        self.patch = nn.Linear(WIDTH, PATCH_CONTENTS)
        self.study = nn.Linear(WIDTH, STUDY_OUTPUTS)
        self.volume = nn.Linear(WIDTH, TISSUES + 2 * NUM_REGIONS)
        self.mean_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.mean_bias = nn.Parameter(torch.tensor(-4.0))


def slab_targets(counts):
    """Returns (B, T, SLAB_OUTPUTS) of zeros and ones: places of the lesion, its halves, at least how much of each
    tissue."""
    lesion = counts[..., 1:, :].sum(-2)
    places = lesion[..., 1:]
    sides = torch.stack([places[..., :NUM_REGIONS].sum(-1), places[..., NUM_REGIONS:].sum(-1)], dim=-1)
    amounts = counts[..., 1:, :].sum(-1, keepdim=True) >= torch.tensor(AMOUNTS)
    return torch.cat([places >= MIN_VOXELS, sides >= MIN_VOXELS, amounts.flatten(-2)], dim=-1).float()


def patch_loss(logits, contents):
    """Returns the loss of the contents, weighted because regions are everywhere and lesions rare."""
    losses = binary_cross_entropy_with_logits(logits, contents, reduction="none")
    tissue, region, lesion = losses.split([TISSUES, NUM_REGIONS, 2 * NUM_REGIONS], dim=-1)
    return 3 * tissue.mean() + region.mean() + 8 * lesion.mean()


def volume_loss(shares, contents):
    """Returns the loss of the shares of a patch that each tissue of a lesion, and the lesion in each place, fill.

    A report names a region by its part of the whole lesion, and grades by volumes. Both are sums over the study, and
    averaged tokens still hold them where every token tells its share in a linear way.
    """
    wanted = torch.cat([contents[..., :TISSUES], contents[..., TISSUES + NUM_REGIONS :]], dim=-1)
    return 10 * (shares - wanted).square().sum(-1).mean()


def sigmoid_loss(image, text, is_same, scale, bias):
    """Returns SigLIP's loss of images (N, E) and texts (M, E), N <= M; pair (i, i) belongs together.

    `is_same` (N, M) marks further pairs whose captions say the same: they are neither right nor wrong, and left out.
    """
    logits = normalize(image, dim=-1) @ normalize(text, dim=-1).T * scale.exp() + bias
    own = torch.eye(*logits.shape, dtype=torch.bool)
    losses = -logsigmoid(torch.where(own, logits, -logits)).masked_fill(is_same & ~own, 0.0)
    return losses.sum() / len(image)


class Captions:
    """Turns facts or findings into caption ids, padded to MAX_CAPTION_TOKENS as SigLIP's are."""

    def __init__(self, tokenizer, pool, seed):
        self.tokenizer = tokenizer
        self.pool = pool  # findings of other studies, for captions that belong to no image
        self.rng = random.Random(seed)

    def tokenised(self, texts):
        ids = [self.tokenizer.encode(text).ids[: MAX_CAPTION_TOKENS - 1] + [EOS] for text in texts]
        return torch.tensor([row + [PAD] * (MAX_CAPTION_TOKENS - len(row)) for row in ids])

    def of_slabs(self, counts):
        facts = [slab_facts(count) for count in counts.flatten(0, 1)]
        return self.tokenised([slab_caption(self.rng, fact) for fact in facts]), same(facts, facts)

    def of_studies(self, findings, total=32):
        every = findings + [self.rng.choice(self.pool) for _ in range(total - len(findings))]
        keys = [study_key(found) for found in every]
        return self.tokenised([study_caption(self.rng, found) for found in every]), same(keys[: len(findings)], keys)


def same(rows, columns):
    return torch.tensor([[row == column for column in columns] for row in rows])


def slab_losses(model, heads, captions, batch, options):
    """Returns losses by name of single slabs; `batch` is (pixels, codes, findings) of SlabSource.draw with one slab
    each."""
    pixels, codes, _ = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tokens = encode(model.vision_model, pixels)[:, 0]
    tokens, counts = tokens.float(), counted(codes)
    return {
        **siglip_losses(model, heads, tokens, captions.of_slabs(counts), options),
        "slab": binary_cross_entropy_with_logits(heads.slab(tokens.mean(1)), slab_targets(counts)[:, 0]),
        "patch": patch_loss(heads.patch(tokens), patch_contents(codes)[:, 0]),
    }


def study_losses(model, heads, captions, batch, kept, options):
    """Returns losses by name of whole volumes as slabs, of which `kept` patches are encoded, and shares of right
    answers."""
    pixels, codes, findings = batch
    patches, contents = patches_of(pixels).flatten(1, 2), patch_contents(codes).flatten(1, 2)
    rows = torch.arange(len(pixels))[:, None]
    chosen = brightest(patches, kept)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tokens = encode_patches(model.vision_model, patches[rows, chosen], chosen % TOKENS)
    tokens = tokens.float()
    study, shares = study_loss(heads.study(pooled(tokens)), study_targets(findings))
    return {
        **siglip_losses(model, heads, tokens, captions.of_studies(findings), options),
        "patch": patch_loss(heads.patch(tokens), contents[rows, chosen]),
        "volume": volume_loss(heads.volume(tokens), contents[rows, chosen]),
        "study": study,
    }, shares


def siglip_losses(model, heads, tokens, captions, options):
    """Returns the published loss, on the pooling head, and the same on the mean of the tokens."""
    ids, is_same = captions
    text = model.text_model(input_ids=ids).pooler_output
    attended, mean = model.vision_model.head(tokens), tokens.mean(1)
    by_head = sigmoid_loss(attended, text, is_same, model.logit_scale[0], model.logit_bias[0])
    by_mean = sigmoid_loss(mean, text, is_same, heads.mean_scale, heads.mean_bias)
    return {"head": options.siglip_weight * by_head, "mean": options.siglip_weight * by_mean}


def learning_rate_share(step, options):
    """Returns the factor of a warm-up, a plateau, a cosine down, and a constant at its foot."""
    if step < options.warmup_steps:
        return (step + 1) / options.warmup_steps
    progress = min(1.0, max(0.0, (step - options.plateau_steps) / options.fall_steps))
    return options.last_share + (1 - options.last_share) * 0.5 * (1 + math.cos(math.pi * progress))


def make_optimizers(modules, matrices_of, options, share=1.0):
    """Makes Muon for the matrices of the encoders' layers and AdamW for all else; vectors do not decay."""
    matrices = [p for module in matrices_of for p in module.parameters() if p.dim() == 2]
    is_matrix = {id(matrix) for matrix in matrices}
    others = [p for module in modules for p in module.parameters() if id(p) not in is_matrix]
    groups = [
        {"params": [p for p in others if p.dim() > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return (
        torch.optim.Muon(
            matrices,
            lr=share * options.matrix_learning_rate,
            weight_decay=options.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(groups, lr=share * options.learning_rate, betas=(0.9, 0.98), fused=True),
    )


def train_on_patches(tower, heads, patches, options):
    """Runs the first stage: each patch is encoded alone, with the position it had. Attention, which starts at nothing,
    waits."""
    pixels, places, contents = patches
    random_ = torch.Generator().manual_seed(options.seed)
    for layer in tower.encoder.layers:
        nn.init.zeros_(layer.self_attn.out_proj.weight)
        nn.init.zeros_(layer.self_attn.out_proj.bias)
        layer.self_attn.requires_grad_(False)
    start_kernel(tower, pixels[:: max(1, len(pixels) // 20000)].float() / 255, options.seed)
    optimizers = make_optimizers((tower, heads), (tower.encoder,), options)
    total = options.patch_steps
    rates = [
        torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / 20) * max(0.03, 1 - step / total)
        )
        for optimizer in optimizers
    ]
    start, shown = time.monotonic(), 0.0
    for step in range(total):
        rows = torch.randint(len(pixels), (options.patch_batch,), generator=random_)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            tokens = encode_patches(tower, (pixels[rows].float() / 255)[:, None], places[rows, None])
        loss = patch_loss(heads.patch(tokens[:, 0].float()), contents[rows].clamp(0, 1))
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(tower.parameters(), options.max_grad_norm)
        for change in (*optimizers, *rates):
            change.step()
        shown = 0.95 * shown + 0.05 * loss.item()
        if step % 100 == 99:
            print(f"patches step {step + 1}/{total} s {time.monotonic() - start:.0f} loss {shown:.4f}", flush=True)
    for layer in tower.encoder.layers:
        layer.self_attn.requires_grad_(True)


def train_vision(pack, patches, tokenizer, options, save):
    """Trains and returns the model; `save(model)` is called now and then, and at the end."""
    torch.manual_seed(options.seed)
    indices = [index for index, split in enumerate(pack["splits"]) if split == "train"]
    source = SlabSource(pack, indices, options.seed)
    captions = Captions(tokenizer, [pack["findings"][index] for index in indices], options.seed)
    model = SiglipModel(vision_config(tokenizer.get_vocab_size())).train()
    with torch.no_grad():
        model.logit_scale.fill_(math.log(10.0))
        model.logit_bias.fill_(-4.0)
    heads = Heads()
    train_on_patches(model.vision_model, heads, patches, options)
    parameters = [*model.parameters(), *heads.parameters()]
    optimizers = make_optimizers(
        (model, heads), (model.vision_model.encoder, model.text_model.encoder), options, options.slab_rate_share
    )
    total = sum(stage[0] for stage in options.stages)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_share(step, options))
        for optimizer in optimizers
    ]
    start, step, shown = time.monotonic(), 0, {}
    for steps, sequences, slabs, kept in options.stages:
        for _ in range(steps):
            batch, accuracy = source.draw(sequences, slabs), {}
            if slabs == 1:
                losses = slab_losses(model, heads, captions, batch, options)
            else:
                losses, accuracy = study_losses(model, heads, captions, batch, kept, options)
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            sum(losses.values()).backward()
            norm = nn.utils.clip_grad_norm_(parameters, options.max_grad_norm)
            if not torch.isfinite(norm):
                raise FloatingPointError(f"expected a finite gradient, got norm {norm} at step {step}")
            for change in (*optimizers, *schedules):
                change.step()
            step += 1
            for name, loss in {**losses, **accuracy}.items():
                value = loss.item()
                shown[name] = 0.95 * shown.get(name, value) + 0.05 * value
            if step % 25 == 0:
                text = " ".join(f"{name} {value:.4f}" for name, value in shown.items())
                print(f"step {step}/{total} slabs {slabs} s {time.monotonic() - start:.0f} {text}", flush=True)
            if step % 100 == 0:
                save(model)
    save(model)
    return model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=Path, required=True)
    parser.add_argument("--patches", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--stages", type=json.loads, default=TrainingOptions.stages)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pack = torch.load(arguments.volumes, mmap=True)
    options = TrainingOptions(stages=arguments.stages)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))

    def save(model):
        save_vision(model, arguments.output)

    train_vision(pack, torch.load(arguments.patches), tokenizer, options, save)


if __name__ == "__main__":
    main()
