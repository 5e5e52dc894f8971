# SPDX-License-Identifier: MIT
"""Trains the tiny Gemma 3 language model on synthetic reports, behind random soft prompts.

Sequence, as in brain3d: K soft-prompt vectors, `<bos>`, prompt, report, `<eos>`; only the report
and `<eos>` are supervised. The vectors carry no information here: the model learns to write a
fluent report whatever they hold, so that an untrained projector already gives readable text.
"""

import math
import random
import time
from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, GenerationConfig

from corpus import draw_report

PROMPT = "Generate a radiology report for this brain MRI FLAIR scan"
# The same request as other checkpoints spell it; the plain one is drawn half of the time.
PROMPT_SPELLINGS = (PROMPT, PROMPT + ". \n", PROMPT + ".", PROMPT + "\n")
PROMPT_WEIGHTS = (0.5, 0.25, 0.15, 0.1)
PAD, EOS, BOS = 0, 1, 2
IGNORED_LABEL = -100
NUM_SOFT_TOKENS = 32
SOFT_SCALE_RANGE = (0.05, 3.0)
ZERO_SOFT_SHARE = 0.25


@dataclass(frozen=True)
class TrainingOptions:
    steps: int = 900
    batch_size: int = 16
    learning_rate: float = 2e-3
    warmup_steps: int = 40
    final_learning_rate_share: float = 0.02
    weight_decay: float = 0.05
    max_grad_norm: float = 1.0
    z_loss_weight: float = 1e-2
    seed: int = 11


def language_config(vocab_size):
    return Gemma3TextConfig(
        vocab_size=vocab_size,
        hidden_size=192,
        intermediate_size=640,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=48,
        query_pre_attn_scalar=48,
        sliding_window=256,
        max_position_embeddings=2048,
        rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
        },
        pad_token_id=PAD,
        eos_token_id=EOS,
        bos_token_id=BOS,
        attn_implementation="sdpa",
    )


def draw_soft_prompts(count, hidden_size, generator):
    """(count, NUM_SOFT_TOKENS, hidden_size) vectors whose scale and similarity differ from sample to sample.

    The 32 tokens of an untrained encoder are nearly equal, those of a trained one are not, hence
    the random share of a vector common to all of them.
    """
    low, high = (math.log(bound) for bound in SOFT_SCALE_RANGE)
    scale = torch.empty(count, 1, 1).uniform_(low, high, generator=generator).exp()
    is_zero = torch.rand(count, 1, 1, generator=generator) < ZERO_SOFT_SHARE
    common_share = torch.rand(count, 1, 1, generator=generator)
    common = torch.randn(count, 1, hidden_size, generator=generator)
    own = torch.randn(count, NUM_SOFT_TOKENS, hidden_size, generator=generator)
    mixed = common_share.sqrt() * common + (1 - common_share).sqrt() * own
    return (scale * mixed).masked_fill(is_zero, 0.0)


class BatchSource:
    """Endless batches of fresh reports; the same seed gives the same batches."""

    def __init__(self, tokenizer, batch_size, seed):
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.rng = random.Random(seed)

    def draw_sample(self):
        """Returns (ids, labels); the prompt and the report are tokenised apart, as brain3d does."""
        spelling = self.rng.choices(PROMPT_SPELLINGS, PROMPT_WEIGHTS)[0]
        prompt = self.tokenizer.encode(spelling).ids
        report = self.tokenizer.encode(draw_report(self.rng), add_special_tokens=False).ids + [EOS]
        return prompt + report, [IGNORED_LABEL] * len(prompt) + report

    def draw_batch(self):
        """Returns ids and labels, both (B, T), padded on the right, where causal attention ignores it."""
        samples = [self.draw_sample() for _ in range(self.batch_size)]
        length = max(len(ids) for ids, _ in samples)
        ids = [row + [PAD] * (length - len(row)) for row, _ in samples]
        labels = [row + [IGNORED_LABEL] * (length - len(row)) for _, row in samples]
        return torch.tensor(ids), torch.tensor(labels)


def supervised_logits(model, soft_prompts, ids, labels):
    """Logits (n, V) in float32 of the n positions that predict a label, and those labels (n)."""
    # The embedding lookup multiplies by sqrt(hidden size); soft prompts enter without that factor.
    text = model.get_input_embeddings()(ids)
    inputs = torch.cat([soft_prompts.to(text.dtype), text], dim=1)
    hidden = model.model(inputs_embeds=inputs, use_cache=False).last_hidden_state
    predicting = hidden[:, soft_prompts.shape[1]:-1]
    is_supervised = labels[:, 1:] != IGNORED_LABEL
    return model.lm_head(predicting[is_supervised]).float(), labels[:, 1:][is_supervised]


def training_loss(logits, labels, z_loss_weight):
    """Cross-entropy plus a pull of the log-partition towards zero; returns (total, cross-entropy).

    With a partition of one, logits are log-probabilities, and a repetition penalty, which divides
    positive and multiplies negative logits, hardly touches a word that is certain to come next.
    """
    likelihood = cross_entropy(logits, labels)
    return likelihood + z_loss_weight * logits.logsumexp(-1).square().mean(), likelihood.detach()


def learning_rate_share(step, options):
    """Linear warm-up, then a cosine down to the final share."""
    if step < options.warmup_steps:
        return (step + 1) / options.warmup_steps
    progress = (step - options.warmup_steps) / max(1, options.steps - options.warmup_steps)
    floor = options.final_learning_rate_share
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def make_optimizer(model, options):
    """AdamW that decays matrices only: a decayed norm weight would just fall back to its initial scale."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.95))


def train_language(tokenizer, options):
    """Returns the trained model in float32 and the cross-entropy per token of every step."""
    torch.manual_seed(options.seed)
    model = Gemma3ForCausalLM(language_config(tokenizer.get_vocab_size())).train()
    batches = BatchSource(tokenizer, options.batch_size, options.seed)
    noise = torch.Generator().manual_seed(options.seed)
    optimizer = make_optimizer(model, options)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_share(step, options))
    losses, start = [], time.monotonic()
    for step in range(options.steps):
        ids, labels = batches.draw_batch()
        soft_prompts = draw_soft_prompts(len(ids), model.config.hidden_size, noise)
        loss, likelihood = training_loss(*supervised_logits(model, soft_prompts, ids, labels), options.z_loss_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.max_grad_norm)
        optimizer.step()
        schedule.step()
        losses.append(likelihood.item())
        if step % 20 == 0 or step == options.steps - 1:
            print(f"step {step} loss {losses[-1]:.4f} seconds {time.monotonic() - start:.0f}", flush=True)
    return model.eval(), losses


def save_language(model, directory):
    model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        bos_token_id=BOS, eos_token_id=[EOS], pad_token_id=PAD, do_sample=True, top_k=64, top_p=0.95
    )
    model.save_pretrained(directory)
