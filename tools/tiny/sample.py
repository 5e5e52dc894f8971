# SPDX-License-Identifier: MIT
"""Measures the saved tiny language model and prints reports decoded with brain3d's settings."""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import Gemma3ForCausalLM

from language import EOS, PROMPT_SPELLINGS, BatchSource, draw_soft_prompts, supervised_logits

DEFAULT_MODEL = Path(__file__).resolve().parents[2] / "models" / "tiny" / "language"
SEED = 99  # training uses another one
MAX_NEW_TOKENS = 200


def load(directory):
    """Loads in bfloat16; converting afterwards would also round the RoPE frequencies."""
    model = Gemma3ForCausalLM.from_pretrained(directory, dtype=torch.bfloat16).eval()
    return model, Tokenizer.from_file(str(directory / "tokenizer.json"))


@torch.no_grad()
def held_out_loss(model, tokenizer, num_batches=8):
    """Mean cross-entropy per token on reports that training did not draw."""
    batches = BatchSource(tokenizer, 16, SEED)
    noise = torch.Generator().manual_seed(SEED)
    losses = []
    for _ in range(num_batches):
        ids, labels = batches.draw_batch()
        soft_prompts = draw_soft_prompts(len(ids), model.config.hidden_size, noise)
        losses.append(cross_entropy(*supervised_logits(model, soft_prompts, ids, labels)).item())
    return sum(losses) / len(losses)


@torch.no_grad()
def write_report(model, tokenizer, soft_prompt, prompt):
    """Ids of one report; the soft prompt is (1, K, hidden size)."""
    text = model.get_input_embeddings()(torch.tensor([tokenizer.encode(prompt).ids]))
    inputs = torch.cat([soft_prompt.to(text.dtype), text], dim=1)
    return model.generate(
        inputs_embeds=inputs,
        attention_mask=torch.ones(inputs.shape[:2], dtype=torch.long),
        do_sample=True,
        temperature=0.1,
        top_p=0.9,
        repetition_penalty=1.2,
        no_repeat_ngram_size=3,
        max_new_tokens=MAX_NEW_TOKENS,
    )[0].tolist()


def print_reports(model, tokenizer, count):
    torch.manual_seed(SEED)
    soft_prompts = draw_soft_prompts(count, model.config.hidden_size, torch.Generator().manual_seed(SEED))
    for index in range(count):
        prompt = PROMPT_SPELLINGS[index % len(PROMPT_SPELLINGS)]
        ids = write_report(model, tokenizer, soft_prompts[index : index + 1], prompt)
        ending = "ends with <eos>" if ids[-1] == EOS else "does not end"
        print(f"\n[{len(ids)} tokens, {ending}, prompt {prompt!r}]\n{tokenizer.decode(ids)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--count", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = load(arguments.model)
    print(f"held-out loss {held_out_loss(model, tokenizer):.4f}")
    print_reports(model, tokenizer, arguments.count)


if __name__ == "__main__":
    main()
