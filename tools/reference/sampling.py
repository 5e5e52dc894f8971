"""Outputs of the transformers logits processors on random, tied and masked logits."""
import torch
from transformers import (LogitsProcessorList, MinNewTokensLengthLogitsProcessor, NoRepeatNGramLogitsProcessor,
                          RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper,
                          TopPLogitsWarper)

from common import generator, output_dir, save, save_json

B, V = 3, 97
FACTORY = {
    "repetition_penalty": lambda penalty: RepetitionPenaltyLogitsProcessor(penalty),
    "no_repeat_ngram": lambda size: NoRepeatNGramLogitsProcessor(size),
    # There is no prompt to skip: with inputs_embeds the history holds the generated tokens only.
    "min_new_tokens": lambda min_new_tokens, eos: MinNewTokensLengthLogitsProcessor(0, min_new_tokens, eos),
    "temperature": lambda temperature: TemperatureLogitsWarper(temperature),
    "top_k": lambda k: TopKLogitsWarper(k),
    "top_p": lambda p: TopPLogitsWarper(p),
}
EOS = [1, 5]
CHAIN = [("repetition_penalty", {"penalty": 1.2}), ("no_repeat_ngram", {"size": 3}),
         ("min_new_tokens", {"min_new_tokens": 10, "eos": EOS}), ("temperature", {"temperature": 0.1}),
         ("top_k", {"k": 20}), ("top_p", {"p": 0.9})]


def make_inputs():
    gen = generator(21)
    noise = torch.randn(B, V, generator=gen) * 3
    ties = torch.randint(-4, 5, (B, V), generator=gen).float()
    # The ids are few, so that repeated bigrams and trigrams occur; the long one covers both end tokens.
    long = torch.randint(0, 7, (B, 40), generator=gen)
    masked = noise.clone()
    masked[torch.rand(B, V, generator=gen) < 0.3] = float("-inf")
    masked[2] = float("-inf")  # one row with three candidates, two of them tied
    masked[2, [5, 40, 41]] = torch.tensor([1.0, 2.0, 2.0])
    logits = {"logits.normal": noise, "logits.ties": ties, "logits.masked": masked}
    histories = {f"history.{t}": long[:, :t].contiguous() for t in (0, 1, 2, 5, 40)}
    return logits, histories


def check_top_p(scores, p):
    """Fails where the last bit of a sum would decide whether a token stays."""
    total = scores.double().sort().values.softmax(-1).cumsum(-1)
    gap = (total - (1 - p)).abs()
    assert p == 1 or gap.min() > 1e-5, f"a cumulative probability is {gap.min()} away from 1-p"


def main(out):
    logits, histories = make_inputs()
    tensors, cases = {**logits, **histories}, []

    def add(name, processors, logits_key, history_key):
        scores, history = logits[logits_key].clone(), histories[history_key]
        for kind, params in processors:
            if kind == "top_p":
                check_top_p(scores, params["p"])
            scores = FACTORY[kind](**params)(history, scores)
        # The processors as a list must give the same.
        whole = LogitsProcessorList([FACTORY[k](**p) for k, p in processors])
        assert torch.equal(whole(history, logits[logits_key].clone()), scores)
        case = ".".join([name, logits_key.split(".")[1], history_key.split(".")[1]])
        tensors["output." + case] = scores
        cases.append({"name": case, "processors": [{"type": k, **p} for k, p in processors],
                      "logits": logits_key, "history": history_key, "output": "output." + case})

    for lk in logits:
        for hk in histories:
            for penalty in (1.2, 0.8):
                add(f"repetition_penalty_{penalty}", [("repetition_penalty", {"penalty": penalty})], lk, hk)
            add("chain", CHAIN, lk, hk)
        for k in (1, 5, 97, 200):
            add(f"top_k_{k}", [("top_k", {"k": k})], lk, "history.0")
        for p in (0.1, 0.5, 0.9, 1.0):
            add(f"top_p_{p}", [("top_p", {"p": p})], lk, "history.0")
        add("temperature_0.1", [("temperature", {"temperature": 0.1})], lk, "history.0")
    for hk in histories:
        for n in (2, 3):
            add(f"no_repeat_ngram_{n}", [("no_repeat_ngram", {"size": n})], "logits.normal", hk)
        add("min_new_tokens_10", [("min_new_tokens", {"min_new_tokens": 10, "eos": EOS})], "logits.normal", hk)

    save(out / "sampling.safetensors", tensors)
    save_json(out / "sampling.json", {"batch": B, "vocab": V, "cases": cases})


if __name__ == "__main__":
    main(output_dir(__doc__))
