# SPDX-License-Identifier: MIT
"""Trains a small BPE tokenizer that treats text as Gemma's does, and writes it in Hugging Face format."""

import json

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>")  # ids 0 to 3, as in Gemma
BYTE_TOKENS = tuple(f"<0x{byte:02X}>" for byte in range(256))
SPACE = "\u2581"
MAX_VOCABULARY_SIZE = 2048  # reached only if the texts have that many distinct pieces
ALPHABET = [chr(code) for code in range(0x21, 0x7F)] + ["\n", SPACE]

# Words of brain MRI reports that the grammar does not use. They give the tokenizer whole-word tokens for text written
# by people; the language model has not been trained on them.
GLOSSARY = """
abnormal abscess acquisition adjacent ambient anterior apparent aqueduct arachnoid artery artifact aspect astrocytoma
asymmetric atrophy attenuated axial basal bilaterally blood blurred boundary brain butterfly calcification callosum
capsule caudate cavities cerebral cerebrum cervical changes choroid chronic cingulate circumscribed cisterns
coefficient coefficients collapse comparison compatible component compress compressing compression consider consistent
convexity coronal corona corpus correlation cortical cranial crossing cyst cysts deep deformation degree demyelination
density diagnosis diameter differential diffuse diffusion dilated displacement distinct distribution dura dural
effaced effacement elongated encephalomalacia enlarged enhancing ependymal evaluation evident examination expansion
extending extension exterior extra falx features fissure fluid focal follow foramen fossa fourth fluctuating fullness
gadolinium ganglia general genu glioblastoma glioma gliosis grade gray grey ground hemorrhage hemorrhagic herniation
heterogeneity high-grade hippocampus hydrocephalus hyperintense hyperintensities hyperintensity hypointense
hypointensity images imaging impression inclusion indicating infarct inferior infiltrating infiltration infiltrative
inner insula insular intact intensities interior internal intracranial invasion involved involvement irregularly
isointense ischemic junction larger lateral lentiform lesions leukoaraiosis likely limits lining lobar local localized
low-grade lower magnetic mainly majority marginal margins masses measures medial median membrane meningeal meningioma
mesial metastasis microangiopathy middle minimal minor motor multifocal multiple narrowing nearby necrotic neoplasm
nodular nodule noted nucleus observed obstruction occupying oligodendroglioma optic outer oval paracentral
parahippocampal partially patient periphery peritumoral periventricular pons posterior postoperative precentral
predominantly previous primary primarily probable prominent pronounced proton putamen radiata recommended recurrence
reduced regional regions resection resonance respectively restricted reveal revealed ring rounded sagittal scattered
secondary semiovale sequences series severe shape shifted sinus size slight small solid space speckled splenium spot
spots stable standard stretched striatum structural subacute subarachnoid subcortical subdural subfalcine sulcal
superior suprasellar susceptibility surrounding suspicious sylvian symmetrical tentorium thalamus thickening third
tissue tissues trigone tumoral uncal unclear uniform unilateral upper vascular vasogenic ventricular vermis vessels
visible visualized volume weighted whereas widened within
""".split()


def word_splitter():
    """Keeps merges inside words. Gemma's own pre-tokenizer would let a merge span a whole sentence."""
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(SPACE, "merged_with_next"),
        pre_tokenizers.Punctuation("isolated"),
        pre_tokenizers.Split("\n", "isolated"),
    ])


def learn_merges(texts):
    """Returns (vocabulary, merges): special tokens, byte tokens, characters, then merged pieces by rank."""
    learner = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    learner.normalizer = normalizers.Replace(" ", SPACE)
    learner.pre_tokenizer = word_splitter()
    trainer = trainers.BpeTrainer(
        vocab_size=MAX_VOCABULARY_SIZE,
        min_frequency=1,
        special_tokens=[*SPECIAL_TOKENS, *BYTE_TOKENS],
        initial_alphabet=ALPHABET,
        limit_alphabet=len(ALPHABET),
        show_progress=False,
    )
    learner.train_from_iterator([*texts, *(f" {word}" for word in GLOSSARY)], trainer)
    learned = json.loads(learner.to_str())["model"]
    return learned["vocab"], [tuple(pair) for pair in learned["merges"]]


def build_tokenizer(texts):
    vocabulary, merges = learn_merges(texts)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", vocabulary["<bos>"])]
    )
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS])
    return tokenizer


def tokenizer_config():
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "eos_token": "<eos>",
        "bos_token": "<bos>",
        "unk_token": "<unk>",
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
    }


def save_tokenizer(tokenizer, directory):
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    config = json.dumps(tokenizer_config(), indent=2) + "\n"
    (directory / "tokenizer_config.json").write_text(config, encoding="utf-8")
