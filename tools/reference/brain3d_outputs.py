"""Expected Brain3D outputs for every checkpoint, with and without its adapter."""
import torch
import torch.nn.functional as F
from peft import PeftModel
from safetensors.torch import load_file
from transformers import GenerationConfig

from common import (BOS, CHECKPOINTS, EOS, PAD, fresh_dir, generator, load_decoder, load_vision, normal,
                    output_dir, save)

PATCH, GRID, K = 14, (9, 3, 4), 8
NEW_TOKENS = 64
MARGIN = 1e-3  # smallest allowed gap between the two best tokens of a greedy step
PROMPT = torch.tensor([BOS, 17, 45, 99, 23, 45, 131, 8, 70])
REPORT = torch.tensor([33, 90, 12, 57, 148, 5, 76, 33, 90, 121, 64, 19, EOS])


def make_volume():
    """Makes two smooth blobs of noise in [0,1] plus some grain, with zeros around as after skull stripping."""
    gen = generator(7)
    coarse = torch.rand(2, 1, 4, 6, 8, generator=gen)
    v = F.interpolate(coarse, size=(8, 42, 56), mode="trilinear", align_corners=False)
    v = ((v - 0.35) * 2 + normal(gen, v.shape, 0.05)).clamp(0, 1)
    v[:, :, :, :3] = 0
    v[:, :, :, :, -4:] = 0
    return v


def position_embedding(recipe, ckpt, table):
    d, h, w = GRID
    e = table.shape[1]
    if recipe == "paper":
        g = int(table.shape[0] ** 0.5)
        plane = F.interpolate(table.view(1, g, g, e).permute(0, 3, 1, 2), size=(h, w), mode="bicubic",
                              align_corners=False).permute(0, 2, 3, 1)
        p = ckpt["vision.depth_position_embedding.weight"].view(d, 1, 1, e) + plane
    else:
        p = torch.linspace(-1, 1, d).view(d, 1, 1, 1).repeat(1, h, w, e)
        p[..., 0] += torch.linspace(-1, 1, h).view(1, h, 1)
        p[..., 1] += torch.linspace(-1, 1, w).view(1, 1, w)
    return p.reshape(1, d * h * w, e)


def project(ckpt, tokens):
    p = lambda n: (ckpt[f"projector.{n}.weight"], ckpt[f"projector.{n}.bias"])
    hidden = F.gelu(F.linear(tokens, *p("fc1")))  # the exact erf form
    return F.linear(hidden, *p("fc2")) * ckpt["vis_scale"]


def encode(recipe, ckpt, vision, volume):
    tower = vision.vision_model
    x = F.conv3d(volume, ckpt["vision.patch_embedding_3d.weight"], ckpt["vision.patch_embedding_3d.bias"],
                 stride=(1, PATCH, PATCH), padding=(1, 0, 0))
    assert tuple(x.shape[2:]) == GRID
    x = x.flatten(2).transpose(1, 2)
    table = tower.embeddings.position_embedding.weight.to(x.dtype)
    x = x + position_embedding(recipe, ckpt, table).to(x.dtype)
    for layer in tower.encoder.layers:
        x = layer(x, attention_mask=None)
    tokens = tower.post_layernorm(x)
    channels_first = tokens.transpose(1, 2)
    pooled = F.adaptive_avg_pool1d(channels_first, K).transpose(1, 2)
    grid = F.adaptive_avg_pool3d(channels_first.unflatten(2, GRID), (2, 2, 2)).flatten(2).transpose(1, 2)
    return {"patch_tokens": tokens, "pooled_tokens": pooled, "pooled_grid": grid,
            "visual_tokens": project(ckpt, pooled)}


def generate(model, embeds, **options):
    # The configuration is explicit: nothing may come from generation_config.json of the model directory.
    config = GenerationConfig(do_sample=False, max_new_tokens=NEW_TOKENS, eos_token_id=EOS, pad_token_id=PAD,
                              bos_token_id=BOS, return_dict_in_generate=True, output_scores=True, **options)
    out = model.generate(inputs_embeds=embeds, attention_mask=torch.ones(embeds.shape[:2], dtype=torch.long),
                         generation_config=config)
    tokens, margin = out.sequences, float("inf")
    done = torch.zeros(tokens.shape[0], dtype=torch.bool)
    for step, scores in enumerate(out.scores):
        top = scores.topk(2, dim=-1).values
        gap = (top[:, 0] - top[:, 1])[~done]
        margin = min(margin, gap.min().item())
        assert (scores.argmax(-1) == tokens[:, step])[~done].all()
        done |= tokens[:, step] == EOS
    tokens = F.pad(tokens, (0, NEW_TOKENS - tokens.shape[1]), value=PAD)
    return tokens, margin


def decode(model, visual):
    embed = lambda ids: model.get_input_embeddings()(ids)[None].expand(visual.shape[0], -1, -1)
    prompt = torch.cat([visual, embed(PROMPT)], 1)
    logits = model(inputs_embeds=prompt).logits
    penalised, m1 = generate(model, prompt, min_new_tokens=10, repetition_penalty=1.2, no_repeat_ngram_size=3)
    plain, m2 = generate(model, prompt)
    scored = model(inputs_embeds=torch.cat([prompt, embed(REPORT)], 1)[:1]).logits.float()
    start = prompt.shape[1] - 1  # the last prompt position predicts the first report token
    nll = F.cross_entropy(scored[0, start:start + len(REPORT)], REPORT, reduction="none")
    return {"logits": logits[:, -1], "all_logits": logits[:1], "greedy_tokens": penalised,
            "greedy_plain": plain, "score_nlls": nll}, min(m1, m2)


@torch.no_grad()
def main(out):
    fresh_dir(out / "brain3d")
    volume, vision = make_volume(), load_vision(out)
    save(out / "brain3d" / "inputs.safetensors",
         {"volume": volume, "prompt_ids": PROMPT, "score_ids": REPORT})
    for name, (recipe, decoder, _) in CHECKPOINTS.items():
        path = out / "checkpoints" / name
        tensors = encode(recipe, load_file(path / "brain3d.safetensors"), vision, volume)
        for case in ("base", "adapter"):
            model = load_decoder(out, decoder)
            if case == "adapter":
                model = PeftModel.from_pretrained(model, path / "adapter").eval()
            results, margin = decode(model, tensors["visual_tokens"])
            assert margin > MARGIN, f"{name}/{case}: near tie {margin}; run find_seeds.py"
            tensors.update({f"{case}.{k}": v for k, v in results.items()})
        save(out / "brain3d" / f"{name}.safetensors", tensors)


if __name__ == "__main__":
    main(output_dir(__doc__))
