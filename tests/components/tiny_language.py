"""Language models of a few thousand numbers, and tokenizers for them."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from codex_ml.testing.tiny_parts import tiny_tokenizer


def decoder(*, vocabulary=259, positions=64, seed=0, **sizes):
    torch.manual_seed(seed)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "initializer_range": 0.5, **sizes}
    config = GPT2Config(vocab_size=vocabulary, n_positions=positions, bos_token_id=1, eos_token_id=1, **sizes)
    return GPT2LMHeadModel(config).eval()


def encoder(*, vocabulary=259, positions=64):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertForMaskedLM(BertConfig(vocab_size=vocabulary, max_position_embeddings=positions, **sizes)).eval()


def wrapping_tokenizer(**changes):
    """One token a byte, `[CLS]` before each text, `[SEP]` behind it, a mask token in the midst of the vocabulary."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*special, *alphabet[:100], "[MASK]", *alphabet[100:]]
    inner = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", **changes}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **names)


def without(name, **changes):
    """The kit's tokenizer without one of its special tokens."""
    tokenizer = tiny_tokenizer({})
    setattr(tokenizer, name, None)
    for key, value in changes.items():
        setattr(tokenizer, key, value)
    return tokenizer


def record(number, **columns):
    return {"id": f"a.jsonl#{number}", **columns}
