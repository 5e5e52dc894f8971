"""Ids and decoded text of 60 strings by the Python `tokenizers` library.

usage: tokenizer_cases.py TOKENIZER_JSON [OUTPUT_DIRECTORY]
"""
import hashlib
import json
import sys
import unicodedata
from pathlib import Path

from tokenizers import Tokenizer

from common import GOLDEN

REPORT = ("The lesion area is in the right frontal and parietal lobes with mixed high and low FLAIR signal "
          "and speckled high signal regions. Edema is mainly around the lesion. Necrosis is possible in the "
          "low signal centre. The right lateral ventricle is compressed, midline shift about 4.5 mm.")

TEXTS = [
    "", " ", "  ", "a", "A", "\n", "\n\n", "\t", "\r\n", " \n ",
    "Generate a radiology report for this brain MRI FLAIR scan",
    "Generate a radiology report for this brain MRI FLAIR scan. \n",
    "The brain parenchyma appears within normal limits on this FLAIR MRI.",
    REPORT, REPORT.upper(), REPORT.lower(), REPORT.replace(" ", "  "), REPORT.replace(" ", "\n"),
    " leading space", "trailing space ", "  two leading", "three   inner   spaces",
    "tab\tseparated\tvalues", "line one\r\nline two\r\nline three", "carriage\rreturn", "a\n\n\nb",
    "hyper-intense", "T2/FLAIR", "(left > right)", "3.5 x 2.1 x 4 cm", "0123456789", "1,234.56", "don't can't won't",
    "e-mail: a.b@example.org; 50% (n=12)", "!!!???...", "__init__ == '__main__'", "{\"key\": [1, 2.5e-3, null]}",
    "caf\u00e9 na\u00efve", unicodedata.normalize("NFD", "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m"),
    "\u00c5 \u212b A\u030a", "\u00b5m \u03bcm \u2264 5 \u00b1 0.3 \u00b0C", "\u2581 real lower block \u2581\u2581",
    "Hirn\u00f6dem, \u00c4u\u00dferung, gro\u00df",
    "\u041e\u043f\u0443\u0445\u043e\u043b\u044c \u043c\u043e\u0437\u0433\u0430",
    "\u8111\u80bf\u7624\u5728\u5de6\u4fa7\u989d\u53f6", "\u3053\u308c\u306f\u8133\u3067\u3059", "\ub1cc\uc885\uc591",
    "\u0648\u0631\u0645 \u0641\u064a \u0627\u0644\u062f\u0645\u0627\u063a", "\u05d2\u05d9\u05d3\u05d5\u05dc",
    "\u0939\u093f\u0928\u094d\u0926\u0940", "\U0001f600", "\U0001f9e0\U0001f3fd",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family", "\U0001f1e9\U0001f1ea\u2764\ufe0f",
    "zero\u200bwidth\u00a0nbsp\u3000wide\ufeffbom", "nul\u0000 and \u0001 and \u007f",
    "<bos>text<eos>", "<start_of_turn>user\nhi<end_of_turn>\n<start_of_image> <pad><unk><mask>",
    "< bos > <BOS> <bo s>",
    " ".join([REPORT] * 12),
]


def main(tokenizer_path, out):
    assert len(TEXTS) == 60 and len(set(TEXTS)) == 60, len(TEXTS)
    tok = Tokenizer.from_file(str(tokenizer_path))
    cases = []
    for text in TEXTS:
        plain = tok.encode(text, add_special_tokens=False).ids
        special = tok.encode(text, add_special_tokens=True).ids
        cases.append({"text": text, "ids": plain, "ids_with_special": special,
                      "decoded": tok.decode(plain, skip_special_tokens=False),
                      "decoded_with_special": tok.decode(special, skip_special_tokens=False),
                      "decoded_skip_special": tok.decode(special, skip_special_tokens=True)})
    # These sequences come from no text: characters cut in the middle, as when generation stops early.
    cut = []
    for text in ("\U0001f600", "a \u8111", "caf\u00e9"):
        ids = tok.encode(text, add_special_tokens=False).ids
        for part in (ids[:-1], ids[1:], ids[:-1] + ids):
            cut.append({"ids": part, "decoded": tok.decode(part, skip_special_tokens=False)})
    # The text is escaped, so that no editor changes the form of a character. The hash tells a stale file from a wrong
    # implementation.
    digest = hashlib.sha256(tokenizer_path.read_bytes()).hexdigest()
    text = json.dumps({"tokenizer_sha256": digest, "vocab_size": tok.get_vocab_size(), "cases": cases,
                       "decode_only": cut})
    (out / "tokenizer_cases.json").write_text(text.replace('{"text"', '\n{"text"') + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else GOLDEN)
