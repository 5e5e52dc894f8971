"""Records how transformers reads a config.json in which fields of an older and of a newer version stand side by side."""
import json
import tempfile
import warnings
from pathlib import Path

import transformers
from transformers import AutoConfig

from common import output_dir, save_json

LINEAR8 = {"rope_type": "linear", "factor": 8.0}
LINEAR4 = {"rope_type": "linear", "factor": 4.0}
FULL = {"rope_type": "linear", "factor": 8.0, "rope_theta": 500000.0}
LOCAL = {"rope_type": "default", "rope_theta": 20000.0}
BASE = {"model_type": "gemma3_text", "num_hidden_layers": 4}
CASES = {
    "nothing": {},
    "old rotary fields": {"rope_theta": 3e5, "rope_local_base_freq": 5e3, "rope_scaling": LINEAR8},
    "new rotary fields": {"rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL}},
    "rope_scaling beside rope_parameters": {"rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL},
                                            "rope_scaling": LINEAR4},
    "a default rope_scaling beside rope_parameters": {
        "rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL}, "rope_scaling": {"rope_type": "default"}},
    "a factor alone beside rope_parameters": {
        "rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL}, "rope_scaling": {"factor": 2.0}},
    "the same rope_scaling beside rope_parameters": {
        "rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL}, "rope_scaling": LINEAR8},
    "a theta in rope_scaling": {"rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL},
                                "rope_scaling": {**LINEAR4, "rope_theta": 7e5}},
    "a null rope_scaling": {"rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL}, "rope_scaling": None},
    "bases beside rope_parameters that have them": {
        "rope_parameters": {"full_attention": FULL, "sliding_attention": LOCAL}, "rope_theta": 1e3,
        "rope_local_base_freq": 2e3},
    "bases beside rope_parameters that lack them": {
        "rope_parameters": {"full_attention": LINEAR8, "sliding_attention": {"rope_type": "default"}}, "rope_theta": 1e3,
        "rope_local_base_freq": 2e3},
    "one kind of rope_parameters": {"rope_parameters": {"full_attention": FULL}, "rope_local_base_freq": 2e3},
    "the other kind of rope_parameters": {"rope_parameters": {"sliding_attention": LOCAL}, "rope_theta": 1e3},
    "null kinds": {"rope_parameters": {"full_attention": None, "sliding_attention": None}},
    "a pattern": {"sliding_window_pattern": 2},
    "layer_types beside a pattern": {"sliding_window_pattern": 2,
                                     "layer_types": ["full_attention"] + ["sliding_attention"] * 3},
    "a null pattern beside layer_types": {"layer_types": ["full_attention"] * 4},
    "another name of the activation": {"hidden_act": "silu"},
    "dtypes": {"torch_dtype": "float16", "dtype": "float32"},
    "untied": {"tie_word_embeddings": False},
}


def read(config):
    with tempfile.TemporaryDirectory() as tmp:
        (Path(tmp) / "config.json").write_text(json.dumps(config))
        return AutoConfig.from_pretrained(tmp)


def text_case(title, fields):
    config = {**BASE, **fields}
    got = read(config)
    full, local = got.rope_parameters["full_attention"], got.rope_parameters["sliding_attention"]
    assert local["rope_type"] == "default"
    return {"title": title, "config": config,
            "global_theta": full["rope_theta"], "local_theta": local["rope_theta"],
            "global_factor": full["factor"] if full["rope_type"] == "linear" else 1.0,
            "is_sliding": [kind == "sliding_attention" for kind in got.layer_types],
            "tie_word_embeddings": got.tie_word_embeddings}


def main(out):
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    save_json(out / "gemma_configs.json", [text_case(title, fields) for title, fields in CASES.items()])


if __name__ == "__main__":
    main(output_dir(__doc__))
