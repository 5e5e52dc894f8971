# SPDX-License-Identifier: MIT
"""Trains the tiny Gemma 3 language model on synthetic reports, behind soft prompts.

    python tools/tiny/language.py --reports reports.jsonl --output models/tiny/language

Sequence, as in brain3d: K soft-prompt vectors, `<bos>`, prompt, report, `<eos>`; only the report and `<eos>` are
supervised. Mostly the vectors hold key words of the report (hints.py); else they carry no information.
"""

import argparse
import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from tokenizers import Tokenizer
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, GenerationConfig

from corpus import draw_report
from hints import HINT_SHARE, draw_soft_prompts, forgetful, key_ids, key_words, say
from texts import PROMPT_SPELLINGS, read_reports, training_reports

PROMPT_WEIGHTS = (0.5, 0.25, 0.15, 0.1)
PAD, EOS, BOS = 0, 1, 2
IGNORED_LABEL = -100
# The shares of the reports that are a healthy subject's, as in the cohort, and that come from corpus.py's grammar.
HEALTHY_SHARE = 0.2
GRAMMAR_SHARE = 0.08


@dataclass(frozen=True)
class TrainingOptions:
    steps: int = 1200
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


class BatchSource:
    """Endless batches of reports with soft prompts. The same seed gives the same batches."""

    def __init__(self, tokenizer, reports, batch_size, seed, hint_share=HINT_SHARE):
        self.tokenizer = tokenizer
        self.keys = key_ids(tokenizer)
        self.batch_size = batch_size
        self.hint_share = hint_share
        self.rng = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.lesions = [entry for entry in reports if entry["findings"] is not None]
        self.healthy = [entry for entry in reports if entry["findings"] is None]

    def draw_sample(self):
        """Returns (ids, labels, key ids or None); the prompt and the report are tokenised apart, as brain3d does."""
        spelling = self.rng.choices(PROMPT_SPELLINGS, PROMPT_WEIGHTS)[0]
        prompt = self.tokenizer.encode(spelling).ids
        keys = None
        if self.rng.random() < GRAMMAR_SHARE:
            text = draw_report(self.rng)
        else:
            entry = self.rng.choice(self.healthy if self.rng.random() < HEALTHY_SHARE else self.lesions)
            text = entry["report"]
            if self.rng.random() < self.hint_share:
                keys = [self.keys[word] for word in forgetful(key_words(entry["findings"]), self.rng)]
        report = self.tokenizer.encode(text, add_special_tokens=False).ids + [EOS]
        return prompt + report, [IGNORED_LABEL] * len(prompt) + report, keys

    def draw_batch(self):
        """Returns ids and labels, both (B, T), padded on the right, where causal attention ignores it, and the keys."""
        samples = [self.draw_sample() for _ in range(self.batch_size)]
        length = max(len(ids) for ids, _, _ in samples)
        ids = [row + [PAD] * (length - len(row)) for row, _, _ in samples]
        labels = [row + [IGNORED_LABEL] * (length - len(row)) for _, row, _ in samples]
        return torch.tensor(ids), torch.tensor(labels), [keys for _, _, keys in samples]

    def soft_prompts(self, model, keys):
        """Returns (B, NUM_SOFT_TOKENS, hidden size): key words where there are some, otherwise vectors that say
        nothing."""
        embed = model.get_input_embeddings()
        silent = draw_soft_prompts(len(keys), model.config.hidden_size, self.generator)
        rows = [
            row if key is None else say(embed(torch.tensor(key)).float(), self.generator)
            for row, key in zip(silent, keys)
        ]
        return torch.stack(rows)


def supervised_logits(model, soft_prompts, ids, labels):
    """Returns logits (n, V) in float32 of the n positions that predict a label, and those labels (n)."""
    # The embedding lookup multiplies by sqrt(hidden size); soft prompts enter without that factor.
    text = model.get_input_embeddings()(ids)
    inputs = torch.cat([soft_prompts.to(text.dtype), text], dim=1)
    hidden = model.model(inputs_embeds=inputs, use_cache=False).last_hidden_state
    predicting = hidden[:, soft_prompts.shape[1]:-1]
    is_supervised = labels[:, 1:] != IGNORED_LABEL
    return model.lm_head(predicting[is_supervised]).float(), labels[:, 1:][is_supervised]


def training_loss(logits, labels, z_loss_weight):
    """Adds a pull of the log-partition towards zero to the cross-entropy; returns (total, cross-entropy).

    With a partition of one, logits are log-probabilities. A repetition penalty divides positive and multiplies negative
    logits, and then hardly touches a word that is certain to come next.
    """
    likelihood = cross_entropy(logits, labels)
    return likelihood + z_loss_weight * logits.logsumexp(-1).square().mean(), likelihood.detach()


def learning_rate_share(step, options):
    """Returns the factor of a linear warm-up, then of a cosine down to the final share."""
    if step < options.warmup_steps:
        return (step + 1) / options.warmup_steps
    progress = (step - options.warmup_steps) / max(1, options.steps - options.warmup_steps)
    floor = options.final_learning_rate_share
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def make_optimizer(model, options):
    """Makes an AdamW that decays matrices only: a decayed norm weight would just fall back to its initial scale."""
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.95))


def train_language(tokenizer, reports, options, save):
    """Trains the model and returns it in float32 with the cross-entropy per token of every step; saves now and then."""
    torch.manual_seed(options.seed)
    model = Gemma3ForCausalLM(language_config(tokenizer.get_vocab_size())).train()
    batches = BatchSource(tokenizer, reports, options.batch_size, options.seed)
    optimizer = make_optimizer(model, options)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_share(step, options))
    losses, start = [], time.monotonic()
    for step in range(options.steps):
        ids, labels, keys = batches.draw_batch()
        logits, wanted = supervised_logits(model, batches.soft_prompts(model, keys), ids, labels)
        loss, likelihood = training_loss(logits, wanted, options.z_loss_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), options.max_grad_norm)
        optimizer.step()
        schedule.step()
        losses.append(likelihood.item())
        if step % 20 == 0 or step == options.steps - 1:
            recent = losses[-20:]
            mean = sum(recent) / len(recent)
            print(f"step {step} loss {mean:.4f} seconds {time.monotonic() - start:.0f}", flush=True)
        if step % 300 == 299:
            save(model)
    save(model)
    return model.eval(), losses


def save_language(model, directory):
    """Writes bfloat16 weights; `model` itself stays unchanged."""
    copy = Gemma3ForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16)
    copy.generation_config = GenerationConfig(
        bos_token_id=BOS, eos_token_id=[EOS], pad_token_id=PAD, do_sample=True, top_k=64, top_p=0.95
    )
    copy.save_pretrained(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True, help="of reports.mjs")
    parser.add_argument("--output", type=Path, required=True, help="folder that has the tokenizer of texts.py")
    parser.add_argument("--steps", type=int, default=TrainingOptions.steps)
    arguments = parser.parse_args()
    # More threads change the order of float32 sums, and so the trained weights.
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(arguments.output / "tokenizer.json"))
    options = TrainingOptions(steps=arguments.steps)
    reports = training_reports(read_reports(arguments.reports))
    _, losses = train_language(tokenizer, reports, options, lambda model: save_language(model, arguments.output))
    final = losses[-50:]
    print(f"final training loss {sum(final) / len(final):.4f} (mean of the last {len(final)} steps)")


if __name__ == "__main__":
    main()
