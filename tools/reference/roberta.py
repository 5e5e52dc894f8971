"""A tiny random RoBERTa with a byte-level BPE tokenizer, its hidden states, token ids, and BERTScores."""
import json

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import RobertaConfig, RobertaForMaskedLM, RobertaModel

from common import fresh_dir, generator, normal, output_dir, save
from tokenizer_cases import REPORT

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]  # ids 0 to 4
BOS, PAD, EOS = 0, 1, 2
VOCAB, LAYERS, MAX_TOKENS = 384, 3, 512

HEALTHY = ("There is no lesion. The ventricles and sulci are of normal size and symmetric. No edema, no necrosis, "
           "no midline shift.")
LEFT = ("The lesion area is in the left temporal lobe with high FLAIR signal. Edema surrounds the lesion. The left "
        "lateral ventricle is slightly compressed.")
TEXTS = [
    "", "   ", "\n\t ", "a", REPORT, HEALTHY, LEFT, "  " + LEFT + " \n", "\u00a0\u3000stripped\u2003\x1c\x85",
    "\ufeffnot stripped\ufeff", "two  spaces,\nlines and\ttabs", "don't, it's 3.5 x 2.1 cm; T2/FLAIR (n=12)",
    "caf\u00e9 cafe\u0301 \u00b5m \u2264 5 \u00b0C", "Hirn\u00f6dem, gro\u00df", "\u8111\u80bf\u7624 \U0001f9e0\U0001f3fd",
    "before </s> after <s> end", "a <mask> lesion", "a<mask>lesion", "pad <pad> inside", "</s>",
    " ".join([REPORT] * 12),
]
# Pairs of hypothesis and reference, as indices of TEXTS.
PAIRS = [(4, 4), (4, 5), (5, 4), (5, 6), (6, 7), (6, 4), (3, 4), (0, 5), (5, 1), (0, 0), (20, 4), (4, 20), (15, 6),
         (18, 16), (17, 16), (14, 12), (19, 5), (11, 12), (7, 5), (9, 8)]


def make_tokenizer(path):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tok.train_from_iterator([" " + REPORT, " " + HEALTHY, " " + LEFT], trainer)
    tok.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])  # as in the published files
    tok.post_processor = processors.RobertaProcessing(("</s>", EOS), ("<s>", BOS), add_prefix_space=False)
    assert [tok.token_to_id(t) for t in SPECIAL] == [0, 1, 2, 3, 4] and tok.get_vocab_size() == VOCAB
    tok.save(str(path / "tokenizer.json"))
    return tok


def make_model(path):
    config = RobertaConfig(vocab_size=VOCAB, hidden_size=24, num_hidden_layers=LAYERS, num_attention_heads=3,
                           intermediate_size=40, max_position_embeddings=MAX_TOKENS + 2, type_vocab_size=1,
                           layer_norm_eps=1e-5, bos_token_id=BOS, pad_token_id=PAD, eos_token_id=EOS)
    model = RobertaForMaskedLM(config)
    gen = generator(21)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            norm = "LayerNorm" in name or "layer_norm" in name
            if name.endswith("bias"):
                # The norms have a large shift: hidden states share a direction, as those of trained models do.
                p.copy_(normal(gen, p.shape, 0.6 if norm else 0.1))
            else:
                p.copy_(normal(gen, p.shape, 0.2, 1.0) if norm else normal(gen, p.shape, 0.3))
    model.save_pretrained(path)  # roberta.* and lm_head.*
    (path / "generation_config.json").unlink(missing_ok=True)


def encode(tok, text):
    """bert-score's sent_encode: stripped, with a prefix space, cut to 512 tokens with the last one </s>."""
    text = text.strip()
    tok.enable_truncation(MAX_TOKENS)
    return tok.encode(" " + text if text else "").ids


def pad(rows):
    longest = max(map(len, rows))
    ids = torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


def greedy_cos_idf(ref, ref_mask, ref_idf, hyp, hyp_mask, hyp_idf):
    """bert_score.utils.greedy_cos_idf for one layer, line by line (the package is not needed to run this)."""
    ref = ref / torch.norm(ref, dim=-1).unsqueeze(-1)
    hyp = hyp / torch.norm(hyp, dim=-1).unsqueeze(-1)
    sim = torch.bmm(hyp, ref.transpose(1, 2))
    sim = sim * torch.bmm(hyp_mask.unsqueeze(2).to(sim), ref_mask.unsqueeze(1).to(sim))
    word_precision = sim.max(dim=2)[0]
    word_recall = sim.max(dim=1)[0]
    # Padding has a cosine of 0. It must not decide, or a score would depend on its batch.
    assert (word_precision[hyp_mask == 1] > 0).all() and (word_recall[ref_mask == 1] > 0).all()
    hyp_idf = hyp_idf / hyp_idf.sum(dim=1, keepdim=True)
    ref_idf = ref_idf / ref_idf.sum(dim=1, keepdim=True)
    p = (word_precision * hyp_idf).sum(dim=1)
    r = (word_recall * ref_idf).sum(dim=1)
    f = 2 * p * r / (p + r)
    for zero in (hyp_mask.sum(dim=1).eq(2), ref_mask.sum(dim=1).eq(2)):
        p, r = p.masked_fill(zero, 0.0), r.masked_fill(zero, 0.0)
        f = f.masked_fill(zero, 0.0)
    # Here the package leaves NaN in p or r of a text that is all special tokens ("</s>" written out); F is 0.
    p, r = torch.nan_to_num(p), torch.nan_to_num(r)
    return p, r, f.masked_fill(torch.isnan(f), 0.0)


def hidden_states(model, ids, mask):
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states


def idf(ids, mask):
    """Returns the weights of idf=False: 1 for every token but <s> and </s>, 0 for padding."""
    return ((ids != BOS) & (ids != EOS) & (mask == 1)).to(torch.float32)


def bert_scores(model, rows, layer):
    hyp_ids, hyp_mask = pad([rows[h] for h, _ in PAIRS])
    ref_ids, ref_mask = pad([rows[r] for _, r in PAIRS])
    hyp = hidden_states(model, hyp_ids, hyp_mask)[layer]
    ref = hidden_states(model, ref_ids, ref_mask)[layer]
    return torch.stack(greedy_cos_idf(ref, ref_mask, idf(ref_ids, ref_mask).to(ref), hyp, hyp_mask,
                                      idf(hyp_ids, hyp_mask).to(hyp)), 1)


def main(out):
    path = fresh_dir(out / "models" / "roberta")
    tok = make_tokenizer(path)
    make_model(path)
    model = RobertaModel.from_pretrained(path, attn_implementation="eager", add_pooling_layer=False).eval()

    rows = [encode(tok, text) for text in TEXTS]
    assert len(rows[-1]) == MAX_TOKENS and rows[-1][-1] == EOS and rows[0] == [BOS, EOS] == rows[1]
    ids, mask = pad([rows[i] for i in (6, 5, 18, 3, 0)])
    states = {f"hidden.{layer}": h for layer, h in enumerate(hidden_states(model, ids, mask))}
    save(out / "roberta" / "hidden.safetensors", {"input_ids": ids, "lengths": mask.sum(1), **states})

    scores = {layer: bert_scores(model, rows, layer) for layer in range(LAYERS + 1)}
    double = RobertaModel.from_pretrained(path, attn_implementation="eager", add_pooling_layer=False,
                                          dtype=torch.float64).eval()
    error = max((scores[n] - bert_scores(double, rows, n)).abs().max().item() for n in scores)
    print(f"BERTScore in float32 against float64: at most {error:.1e}")
    assert error < 5e-7
    # The text is escaped, so that no editor changes the form of a character.
    text = json.dumps({
        "texts": [{"text": text, "ids": row} for text, row in zip(TEXTS, rows)],
        "pairs": [{"hypothesis": h, "reference": r,
                   "layers": [[float(f"{v:.9g}") for v in scores[n][i].tolist()] for n in scores]}
                  for i, (h, r) in enumerate(PAIRS)]})
    (out / "roberta" / "cases.json").write_text(
        text.replace('{"text"', '\n{"text"').replace('{"hypothesis"', '\n{"hypothesis"') + "\n")


if __name__ == "__main__":
    main(output_dir(__doc__))
