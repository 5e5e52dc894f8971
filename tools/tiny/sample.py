# SPDX-License-Identifier: MIT
"""Measures the saved tiny language model: its loss, whether it says what it is told, and reports behind noise.

    python tools/tiny/sample.py --reports reports.jsonl
"""

import argparse
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import Gemma3ForCausalLM

from hints import draw_soft_prompts, key_ids, key_words, say
from language import EOS, BatchSource, supervised_logits
from texts import PROMPT_SPELLINGS, held_out_reports, read_reports

DEFAULT_MODEL = Path(__file__).resolve().parents[2] / "models" / "tiny" / "language"
SEED = 99  # training uses another seed
MAX_NEW_TOKENS = 200
# The spellings of places in reports. A text's places are compared with those of the findings.
SPELLINGS = {
    "frontal": "frontal",
    "parietal": "parietal",
    "temporal": "temporal",
    "occipital": "occipital",
    "insula": "insula",
    "basal_ganglia": "basal ganglia",
    "thalamus": "thalamus",
    "cerebellum": "cerebellum",
}


def load(directory):
    """Loads in bfloat16; converting afterwards would also round the RoPE frequencies."""
    model = Gemma3ForCausalLM.from_pretrained(directory, dtype=torch.bfloat16).eval()
    return model, Tokenizer.from_file(str(directory / "tokenizer.json"))


@torch.no_grad()
def held_out_loss(model, tokenizer, reports, hint_share, num_batches=8):
    """Returns the mean cross-entropy per token on reports of patients that training did not draw."""
    batches = BatchSource(tokenizer, reports, 16, SEED, hint_share)
    losses = []
    for _ in range(num_batches):
        ids, labels, keys = batches.draw_batch()
        losses.append(cross_entropy(*supervised_logits(model, batches.soft_prompts(model, keys), ids, labels)).item())
    return sum(losses) / len(losses)


@torch.no_grad()
def write_report(model, tokenizer, soft_prompt, prompt, **sampling):
    """Returns the ids of one report, with brain3d's settings but greedy unless told; the soft prompt is (1, K, hidden
    size)."""
    text = model.get_input_embeddings()(torch.tensor([tokenizer.encode(prompt).ids]))
    inputs = torch.cat([soft_prompt.to(text.dtype), text], dim=1)
    return model.generate(
        inputs_embeds=inputs,
        attention_mask=torch.ones(inputs.shape[:2], dtype=torch.long),
        **(sampling or {"do_sample": False, "top_k": None, "top_p": None}),
        repetition_penalty=1.2,
        no_repeat_ngram_size=3,
        max_new_tokens=MAX_NEW_TOKENS,
    )[0].tolist()


def side_of(text):
    """Returns the side that the first sentence gives the lesion; None where it names none."""
    first = text.lower().split(". ")[0]
    if "both" in first or ("left" in first and "right" in first):
        return "bilateral"
    return "left" if "left" in first else "right" if "right" in first else None


def faithfulness(model, tokenizer, entries):
    """Returns the shares of texts, given their true key words, that name the side and exactly the right places."""
    generator = torch.Generator().manual_seed(SEED)
    ids = key_ids(tokenizer)
    embed = model.get_input_embeddings()
    sides, places, healthy = [], [], []
    for entry in entries:
        found = entry["findings"]
        keys = torch.tensor([ids[word] for word in key_words(found)])
        with torch.no_grad():
            said = say(embed(keys).float(), generator)[None]
        text = tokenizer.decode(write_report(model, tokenizer, said, PROMPT_SPELLINGS[0]))
        if found is None:
            healthy.append(side_of(text) is None and "necrosis" not in text)
            continue
        wanted_side = {"unknown": None}.get(found["laterality"], found["laterality"])
        sides.append(side_of(text) == wanted_side)
        wanted = {SPELLINGS[name] for name in (*found["lobes"], *found["edemaLobes"]) if name in SPELLINGS}
        places.append({spelling for spelling in SPELLINGS.values() if spelling in text.lower()} == wanted)
    for name, rows in (("side", sides), ("places", places), ("healthy", healthy)):
        print(f"{name} as told: {sum(rows)} of {len(rows)}")


def print_reports(model, tokenizer, count):
    torch.manual_seed(SEED)
    soft_prompts = draw_soft_prompts(count, model.config.hidden_size, torch.Generator().manual_seed(SEED))
    for index in range(count):
        prompt = PROMPT_SPELLINGS[index % len(PROMPT_SPELLINGS)]
        sampling = {"do_sample": True, "temperature": 0.1, "top_p": 0.9}
        ids = write_report(model, tokenizer, soft_prompts[index : index + 1], prompt, **sampling)
        ending = "ends with <eos>" if ids[-1] == EOS else "does not end"
        print(f"\n[{len(ids)} tokens, {ending}, prompt {prompt!r}]\n{tokenizer.decode(ids)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True, help="of reports.mjs")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--count", type=int, default=5, help="reports behind noise to print")
    parser.add_argument("--told", type=int, default=100, help="reports behind key words to compare with them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, tokenizer = load(arguments.model)
    reports = read_reports(arguments.reports)
    held_out = held_out_reports(reports)
    healthy = [entry for entry in reports if entry["findings"] is None]
    for share in (1.0, 0.0):
        loss = held_out_loss(model, tokenizer, held_out + healthy, share)
        print(f"held-out loss {loss:.4f} behind {'key words' if share else 'noise'}")
    rng = random.Random(SEED)
    chosen = rng.sample(held_out, arguments.told * 4 // 5)
    chosen += [rng.choice(healthy) for _ in range(arguments.told - len(chosen))]
    faithfulness(model, tokenizer, chosen)
    print_reports(model, tokenizer, arguments.count)


if __name__ == "__main__":
    main()
