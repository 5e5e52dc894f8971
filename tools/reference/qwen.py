"""Two tiny random Qwen 2.5 models: logits, greedy tokens, an adapter, training steps, and their tokenizer's ids.

`qwen` is saved as the published directories are: shards, a head of its own, config.json with `rope_theta`, a window that
is off, and the slow tokenizer's files. `qwen_tied` is one file with a tied head, a window that is on from layer 1, and
tokenizer.json.
"""
import json
import tempfile
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

from brain3d_outputs import MARGIN, decode
from checkpoints import adapt, save_adapter
from common import fill, fresh_dir, generator, output_dir, save, save_json
from roberta import HEALTHY, LEFT
from tokenizer_cases import REPORT, TEXTS
from training import CHECKPOINT, STEPS, lora_sft, make_reports

VOCAB = 320  # rows; the tokenizer has three fewer, as published tables are padded
ADDED = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SIZES = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=4096, rms_norm_eps=1e-6)
SEEDS = {"qwen": 32, "qwen_tied": 50, "adapter": 505}  # no greedy step has a near tie
TEXTS = TEXTS + ["<|im_start|>user\nhi<|im_end|>\n<|endoftext|>", "It'S we'LL I'd  7654321 x", "A\u0301 \u1e9b\u0323"]


def fill_qwen(model, seed):
    """Fills as `common.fill` does, but norms multiply by the stored weight itself."""
    fill(model, seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.add_(1.0)
    return model


def make_models(out):
    untied = fill_qwen(Qwen2ForCausalLM(Qwen2Config(**SIZES, num_hidden_layers=3, rope_parameters={
        "rope_type": "default", "rope_theta": 1e6})), SEEDS["qwen"])
    path = fresh_dir(out / "models" / "qwen")
    untied.save_pretrained(path, max_shard_size="60KB")
    for shard in path.glob("*.safetensors"):
        save(shard, load_file(shard))
    (path / "generation_config.json").unlink(missing_ok=True)
    # The published directories have the fields of transformers 4.4x.
    save_json(path / "config.json", {
        "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 316, "eos_token_id": 318,
        "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 48,
        "max_position_embeddings": 4096, "max_window_layers": 28, "model_type": "qwen2", "num_attention_heads": 4,
        "num_hidden_layers": 3, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
        "sliding_window": 131072, "tie_word_embeddings": False, "torch_dtype": "float32",
        "transformers_version": "4.43.1", "use_cache": True, "use_sliding_window": False, "vocab_size": VOCAB})

    tied = fill_qwen(Qwen2ForCausalLM(Qwen2Config(
        **SIZES, num_hidden_layers=2, tie_word_embeddings=True, use_sliding_window=True, sliding_window=12,
        max_window_layers=1, rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4})),
        SEEDS["qwen_tied"])
    path = fresh_dir(out / "models" / "qwen_tied")
    tied.save_pretrained(path)
    (path / "model.safetensors").chmod(0o644)
    (path / "generation_config.json").unlink(missing_ok=True)
    for name, model in (("qwen", untied), ("qwen_tied", tied)):
        ids = torch.arange(2, 42)[None]
        with torch.no_grad():
            assert torch.allclose(load(out, name)(input_ids=ids).logits, model.eval()(input_ids=ids).logits, atol=1e-4)


def load(out, name):
    return Qwen2ForCausalLM.from_pretrained(out / "models" / name, dtype=torch.float32,
                                            attn_implementation="eager").eval()


def make_tokenizer(out):
    """Trains a byte-level BPE with the parts of the library's own class, and saves it in both layouts."""
    slow, fast = out / "models" / "qwen", out / "models" / "qwen_tied"
    template = Qwen2Tokenizer()._tokenizer
    tok = Tokenizer(models.BPE())
    tok.normalizer, tok.pre_tokenizer = template.normalizer, template.pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=VOCAB - 4, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tok.train_from_iterator([REPORT, HEALTHY, LEFT], trainer)
    model = json.loads(tok.to_str())["model"]
    vocab = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    assert list(vocab.values()) == list(range(VOCAB - 4))
    merges = [" ".join(pair) for pair in model["merges"]]
    (slow / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False) + "\n", encoding="utf-8")
    (slow / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    ids = {content: VOCAB - 4 + i for i, content in enumerate(ADDED)}
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    save_json(slow / "tokenizer_config.json", {
        "add_prefix_space": False, "added_tokens_decoder": {str(i): {"content": c, **flags} for c, i in ids.items()},
        "additional_special_tokens": ADDED[1:], "bos_token": None, "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 4096, "pad_token": "<|endoftext|>",
        "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None})
    save_json(slow / "added_tokens.json", ids)
    tokenizer = Qwen2Tokenizer.from_pretrained(slow)
    assert {c: tokenizer.convert_tokens_to_ids(c) for c in ADDED} == ids, tokenizer.get_added_vocab()
    tokenizer._tokenizer.save(str(fast / "tokenizer.json"))
    cases = []
    for text in TEXTS:
        encoded = tokenizer(text)["input_ids"]
        assert encoded == Tokenizer.from_file(str(fast / "tokenizer.json")).encode(text).ids
        cases.append({"text": text, "ids": encoded,
                      "decoded": tokenizer.decode(encoded, skip_special_tokens=True,
                                                  clean_up_tokenization_spaces=False)})
    text = json.dumps({"vocab_size": len(vocab), "size_with_added": len(vocab) + len(ADDED), "added": ids,
                       "cases": cases})
    (out / "qwen" / "tokenizer_cases.json").write_text(text.replace('{"text"', '\n{"text"') + "\n")


def main(out):
    fresh_dir(out / "qwen")
    make_models(out)
    make_tokenizer(out)
    visual = load_file(out / "brain3d" / f"{CHECKPOINT}.safetensors")["visual_tokens"]
    adapter = out / "qwen" / "adapter"
    save_adapter(adapt(load(out, "qwen"), SEEDS["adapter"]), adapter, "qwen")
    with torch.no_grad():
        for name, cases in (("qwen", ("base", "adapter")), ("qwen_tied", ("base",))):
            tensors = {}
            for case in cases:
                model = load(out, name)
                if case == "adapter":
                    model = PeftModel.from_pretrained(model, adapter).eval()
                results, margin = decode(model, visual)
                assert margin > MARGIN, f"{name}/{case}: near tie {margin}; take another seed"
                print(name, case, margin, [len(set(row.tolist())) for row in results["greedy_plain"]])
                tensors.update({f"{case}.{k}": v for k, v in results.items()})
            save(out / "qwen" / f"{name}.safetensors", tensors)

    weights = load_file(out / "checkpoints" / CHECKPOINT / "brain3d.safetensors")
    pooled = load_file(out / "training" / "samples.safetensors")["pooled"]
    _, reports = make_reports()
    gen = generator(955)
    order = torch.stack([torch.randperm(len(reports), generator=gen)[:4] for _ in range(STEPS)])
    decoder = load(out, "qwen").requires_grad_(False)
    save(out / "qwen" / "lora_sft.safetensors", lora_sft(decoder, adapter, weights, pooled, reports, order))


if __name__ == "__main__":
    main(output_dir(__doc__))
