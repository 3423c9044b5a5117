"""The built-in models in sizes of a few thousand numbers."""

import string

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from codex_ml.models.bert_base_uncased import bert_base_uncased
from codex_ml.models.gpt2 import gpt2
from codex_ml.models.minilm import minilm

FACTORIES = {"minilm": minilm, "bert_base_uncased": bert_base_uncased, "gpt2": gpt2}
CLASSES = {"kind": "sequence_classification", "labels": ["no", "yes"], "num_labels": 2}
MASKED = {"kind": "masked_lm"}
CAUSAL = {"kind": "causal_lm"}
PAIRS = [
    *((name, head) for name in ("minilm", "bert_base_uncased") for head in (CLASSES, MASKED)),
    ("gpt2", CAUSAL),
    ("gpt2", CLASSES),
]
"""Each model with each head that it can have."""
WIDE = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES = {
    "minilm": {**WIDE, "intermediate_size": 48},
    "bert_base_uncased": {**WIDE, "intermediate_size": 48},
    "gpt2": {"n_embd": 24, "n_layer": 2, "n_head": 2},
}
VOCABULARY = 100
PADDING = 5


def config(name, head=None, **options):
    """What a factory is called with for a tiny model with weights from the seed and 100 tokens."""
    head = {"vocab_size": VOCABULARY, "pad_token_id": PADDING, **(head or (CAUSAL if name == "gpt2" else MASKED))}
    return {"pretrained": False, "config": SIZES[name], "head": head, **options}


def build(name, head=None, *, seed=0, **options):
    torch.manual_seed(seed)
    return FACTORIES[name](config(name, head, **options))[0]


def load(name, folder, head=None, **options):
    return FACTORIES[name](
        {"model_name": str(folder), "head": head or (CAUSAL if name == "gpt2" else MASKED), **options}
    )


def batch(rows, *, left=False, extra=0, padding=PADDING):
    """Rows of token ids, padded to the longest and `extra` more."""
    width = max(map(len, rows)) + extra
    ids = torch.full((len(rows), width), padding)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        where = slice(width - len(row), width) if left else slice(0, len(row))
        ids[number, where] = torch.tensor(row)
        mask[number, where] = 1
    return {"input_ids": ids, "attention_mask": mask}


ROWS = [[3, 4, 5, 6, 7], [8], [9, 10, 99, 99]]


def logits(model, inputs=None):
    model.eval()
    with torch.no_grad():
        return model(**(inputs or batch(ROWS))).logits


def lively(model):
    """The same model with weights so large that every input makes a difference."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1 and float(weight.std()) > 0:
                weight.mul_((len(weight) / weight.numel()) ** 0.5 / weight.std())
    return model


def tokenizer(**special):
    """A token a printable character, without padding unless it is named."""
    words = [*string.printable.strip(), "<end>", *dict.fromkeys(special.values())]
    inner = Tokenizer(models.BPE({word: number for number, word in enumerate(dict.fromkeys(words))}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>", **special)
