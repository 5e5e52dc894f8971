"""Expected losses, gradients and updates of training: autograd, PEFT and torch.optim on whole batches."""
import math

import numpy as np
import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file

from brain3d_outputs import PROMPT, encode, project
from common import BOS, EOS, VOCAB, fresh_dir, generator, load_decoder, load_vision, normal, output_dir, save

STEPS, WARMUP = 10, 3
TEMPERATURE = 0.07
# This is ten times the default of torch.optim; otherwise the kernel's decay would drown in rounding.
WEIGHT_DECAY = 0.1
CHECKPOINT = "paper_text"
# The report tokens are fresh draws; the fourth report is taken as cut off and gets no EOS.
LENGTHS, TRUNCATED = (5, 20, 9, 14, 7, 17), 3
PEAKS = {"patch_embedding": 1e-3, "depth_positions": 1e-3, "projector": 5e-3, "vis_scale": 1e-2, "lora": 5e-3}
PREFIXES = {"vision.patch_embedding_3d.": "patch_embedding", "vision.depth_position_embedding.": "depth_positions",
            "projector.": "projector", "vis_scale": "vis_scale", "base_model.": "lora"}


def volume(number):
    """Returns u(950 + number, n) of the deterministic generator, so that no volume has to be stored. It is rounded to
    float16, which is what the preprocessing cache holds."""
    h = np.arange(8 * 42 * 56, dtype=np.uint32) * np.uint32(2654435761)
    h += np.uint32((950 + number) * 1013904223 + 97 & 0xFFFFFFFF)
    for shift, factor in ((16, 2246822519), (13, 3266489917), (16, 1)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    return torch.from_numpy(((h >> np.uint32(8)) * 2.0**-24).astype(np.float16).astype(np.float32)).view(1, 1, 8, 42, 56)


def factor(step):
    if step < WARMUP:
        return step / WARMUP
    return max(0.0, 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))))


def group_of(name):
    return next(group for prefix, group in PREFIXES.items() if name.startswith(prefix))


def decays(name):
    """Whether weight decay applies: to matrices and kernels only. The depth positions are a table of biases."""
    return name.endswith(".weight") and group_of(name) != "depth_positions"


def schedule(groups):
    """Returns the learning rates, rounded to float32 before they are used, as the file keeps them."""
    factors = torch.tensor([factor(step) for step in range(STEPS)], dtype=torch.float64)
    return {group: (PEAKS[group] * factors).float() for group in groups}


def optimise(parameters, loss_of, max_norm=1.0):
    """Runs the optimiser and returns what a trainer must reproduce. `loss_of(step)` gives the loss and the losses of
    the samples."""
    groups = sorted({group_of(name) for name in parameters})
    rates = schedule(groups)
    optimizer = torch.optim.AdamW(
        [{"params": [p], "weight_decay": WEIGHT_DECAY if decays(name) else 0.0, "group": group_of(name)}
         for name, p in parameters.items()], betas=(0.9, 0.999), eps=1e-8)
    losses, norms = [], []
    out = {f"learning_rates.{group}": rate for group, rate in rates.items()}
    for step in range(STEPS):
        optimizer.zero_grad()
        loss, each = loss_of(step)
        loss.backward()
        if step == 0:
            out["sample_losses"] = each
            out.update({f"grad.{name}": p.grad.clone() for name, p in parameters.items()})
        norms.append(torch.nn.utils.clip_grad_norm_(list(parameters.values()), max_norm))
        losses.append(loss.detach())
        for entry in optimizer.param_groups:
            entry["lr"] = rates[entry["group"]][step].item()
        optimizer.step()
    out.update({f"final.{name}": p.detach().clone() for name, p in parameters.items()})
    return out | {"losses": torch.stack(losses), "grad_norms": torch.stack(norms),
                  "factors": torch.tensor([factor(step) for step in range(STEPS)]),
            "max_grad_norm": torch.tensor([max_norm]), "weight_decay": torch.tensor([WEIGHT_DECAY])}


def trainable(weights, groups):
    """Returns a copy of the checkpoint in which only the given groups take gradients, and those parameters."""
    copy = {name: t.clone() for name, t in weights.items()}
    return copy, {name: t.requires_grad_() for name, t in sorted(copy.items()) if group_of(name) in groups}


def make_reports():
    gen = generator(950)
    bodies = [torch.randint(3, VOCAB, (length,), generator=gen) for length in LENGTHS]
    return bodies, [body if i == TRUNCATED else torch.cat([body, torch.tensor([EOS])]) for i, body in enumerate(bodies)]


def embed_texts(decoder, bodies):
    """Returns the mean of the hidden states after the final norm, BOS included. Texts come one by one, so without
    padding."""
    with_bos = [torch.cat([torch.tensor([BOS]), body])[None] for body in bodies]
    return F.normalize(torch.cat([decoder.model(input_ids=ids).last_hidden_state.mean(1) for ids in with_bos]), dim=-1)


def grounding(weights, vision, volumes, texts, text_ids, visual_embedding):
    weights, parameters = trainable(weights, ("patch_embedding", "depth_positions", "projector"))
    # Other rows with the same report are left out of the denominators. (Targets spread over them would change the loss
    # but, since their text embeddings are equal, not the gradient.)
    excluded = (text_ids[:, None] == text_ids[None]) & ~torch.eye(len(text_ids), dtype=torch.bool)
    diagonal = torch.arange(len(text_ids))

    def loss_of(_step):
        encoded = encode("paper", weights, vision, volumes)
        visual = (encoded["visual_tokens"].mean(1) if visual_embedding == "inference"
                  else project(weights, encoded["patch_tokens"].mean(1)))
        similarity = (F.normalize(visual, dim=-1) @ texts.T / TEMPERATURE).masked_fill(excluded, float("-inf"))
        each = (F.cross_entropy(similarity, diagonal, reduction="none")
                + F.cross_entropy(similarity.T, diagonal, reduction="none")) / 2
        return each.mean(), each.detach()

    return optimise(parameters, loss_of) | {"texts": texts, "text_ids": text_ids,
                                            "temperature": torch.tensor([TEMPERATURE])}


def report_losses(model, weights, pooled, reports):
    """Computes the loss of each sample alone with the library's own loss, which shifts and leaves out -100."""
    embed = model.get_input_embeddings()
    losses = []
    for tokens, report in zip(pooled, reports):
        visual = project(weights, tokens[None])
        ids = torch.cat([PROMPT, report])[None]
        labels = torch.cat([torch.full((1, visual.shape[1] + len(PROMPT)), -100), report[None]], 1)
        losses.append(model(inputs_embeds=torch.cat([visual, embed(ids)], 1), labels=labels).loss)
    return torch.stack(losses)


def token_mean(each, reports):
    counts = torch.tensor([len(report) for report in reports]).to(each.dtype)
    return (each * counts).sum() / counts.sum()


def report_steps(model, weights, parameters, pooled, reports, order, max_norm=1.0):
    def loss_of(step):
        chosen = order[step].tolist()
        taken = [reports[i] for i in chosen]
        each = report_losses(model, weights, pooled[chosen], taken)
        return token_mean(each, taken), each.detach()

    return optimise(parameters, loss_of, max_norm) | {"order": order}


def projector_warmup(decoder, weights, pooled, reports, order):
    started, parameters = trainable(weights, ("projector", "vis_scale"))
    first = order[0].tolist()
    loss = report_losses(decoder, started, pooled[first], [reports[i] for i in first]).mean()
    loss.backward()
    by_samples = {"samples_mean.loss": loss.detach()[None]}
    by_samples.update({f"samples_mean.grad.{name}": p.grad.clone() for name, p in parameters.items()})
    weights, parameters = trainable(weights, ("projector", "vis_scale"))
    # Some of the steps stay below this limit.
    return report_steps(decoder, weights, parameters, pooled, reports, order, max_norm=2.0) | by_samples


def lora_sft(decoder, adapter, weights, pooled, reports, order):
    weights, parameters = trainable(weights, ("projector", "vis_scale"))
    config = LoraConfig.from_pretrained(adapter)
    config.lora_dropout = 0.0
    config.inference_mode = False
    model = PeftModel.from_pretrained(decoder, adapter, config=config, is_trainable=True)
    lora = {name.replace(".default", ""): p for name, p in model.named_parameters() if p.requires_grad}
    assert lora.keys() == load_file(adapter / "adapter_model.safetensors").keys()
    return report_steps(model, weights, parameters | dict(sorted(lora.items())), pooled, reports, order)


def linear_cross_entropy():
    gen = generator(951)
    hidden = normal(gen, (37, 32), 1.0).requires_grad_()
    weight = normal(gen, (VOCAB, 32), 0.5)
    labels = torch.randint(0, VOCAB, (37,), generator=gen)
    losses = F.cross_entropy(F.linear(hidden, weight), labels, reduction="none")
    losses.mean().backward()
    return {"hidden": hidden, "weight": weight, "labels": labels, "losses": losses, "grad_hidden": hidden.grad}


def main(out, dtype=torch.float32):
    folder = fresh_dir(out / "training")
    path = out / "checkpoints" / CHECKPOINT
    weights = {name: t.to(dtype) for name, t in load_file(path / "brain3d.safetensors").items()}
    frozen = lambda model: model.requires_grad_(False).to(dtype)
    vision, decoder = frozen(load_vision(out)), frozen(load_decoder(out, "gemma_text"))
    bodies, reports = make_reports()
    volumes = torch.cat([volume(i) for i in range(len(bodies))]).to(dtype)
    with torch.no_grad():
        texts = embed_texts(decoder, bodies)
        pooled = encode("paper", weights, vision, volumes)["pooled_tokens"]
    gen = generator(954)
    order = torch.stack([torch.randperm(len(reports), generator=gen)[:4] for _ in range(STEPS)])

    samples = {"prompt_ids": PROMPT, "pooled": pooled, "text_embeddings": texts}
    samples.update({f"report_ids.{i}": report for i, report in enumerate(reports)})
    samples.update({f"text_ids.{i}": torch.cat([torch.tensor([BOS]), body]) for i, body in enumerate(bodies)})
    save(folder / "samples.safetensors", samples)

    different = torch.arange(len(bodies))
    twins = different.clone()
    twins[4] = 1
    cases = {
        "grounding": lambda: grounding(weights, vision, volumes, texts[twins], twins, "inference"),
        "grounding_peer": lambda: grounding(weights, vision, volumes, texts, different, "peer"),
        "projector_warmup": lambda: projector_warmup(decoder, weights, pooled, reports, order),
        "lora_sft": lambda: lora_sft(decoder, path / "adapter", weights, pooled, reports, order),
        "linear_cross_entropy": linear_cross_entropy,
    }
    for name, case in cases.items():
        save(folder / f"{name}.safetensors", case())


if __name__ == "__main__":
    main(output_dir(__doc__))
