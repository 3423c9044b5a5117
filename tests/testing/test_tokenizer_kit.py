"""TokenizerTests: a right tokenizer passes, each kind of wrong one fails the check that is meant for it."""

import json
from pathlib import Path
from typing import Literal
from zlib import crc32

import pytest

from codex_ml.testing import TokenizerTests

TEXTS = ("the cat sat on the mat", "a dog and a bone", "cats and dogs and birds and fish")
KNOWN = tuple(sorted({word for text in TEXTS for word in text.split()}))


class Words:
    """A token a word."""

    pad_token_id = 0
    padding_side = "right"

    def __init__(self, words=KNOWN):
        self.words = ["[PAD]", "[UNK]", *words]

    def __len__(self):
        return len(self.words)

    def rows(self, texts, limit):
        known = {word: index for index, word in enumerate(self.words)}
        return [[known.get(word, 1) for word in text.split() or [""]][:limit] for text in texts]

    def __call__(self, text, *, truncation=False, max_length=None, padding=False):
        rows = self.rows([text] if isinstance(text, str) else text, max_length if truncation else None)
        masks = [[1] * len(row) for row in rows]
        if padding:
            rows, masks = self.padded(rows, masks)
        if isinstance(text, str):
            return {"input_ids": rows[0], "attention_mask": masks[0]}
        return {"input_ids": rows, "attention_mask": masks}

    def padded(self, rows, masks):
        width = max(map(len, rows))
        fill = [[0] * (width - len(row)) for row in rows]
        if self.padding_side == "left":
            return [a + b for a, b in zip(fill, rows, strict=True)], [a + b for a, b in zip(fill, masks, strict=True)]
        filled = [[self.pad_token_id] * len(each) for each in fill]
        return [a + b for a, b in zip(rows, filled, strict=True)], [a + b for a, b in zip(masks, fill, strict=True)]

    def decode(self, ids, *, skip_special_tokens=False):
        return " ".join(self.words[each] for each in ids if each or not skip_special_tokens)


class Saved(Words):
    def save_pretrained(self, folder):
        with open(f"{folder}/words.json", "w") as file:
            json.dump(self.words[2:], file)

    @classmethod
    def from_pretrained(cls, folder):
        with open(f"{folder}/words.json") as file:
            return cls(json.load(file))


class NoBatches(Words):
    def __call__(self, text, **options):
        return super().__call__(text, **options)["input_ids"]


class OneRow(Words):
    def __call__(self, text, **options):
        return super().__call__([text] if isinstance(text, str) else [" ".join(text)], **options)


class Strings(Words):
    def rows(self, texts, limit):
        return [text.split()[:limit] for text in texts]


class ShortMask(Words):
    def __call__(self, text, **options):
        encoded = super().__call__(text, **options)
        return {**encoded, "attention_mask": [mask[1:] for mask in encoded["attention_mask"]]}


class Counts(Words):
    calls = 0

    def rows(self, texts, limit):
        self.calls += 1
        return [[self.calls % 5 + 1, *row[1:]] for row in super().rows(texts, limit)]


class OtherEachTime(Words):
    made = 0

    def __init__(self, words=KNOWN):
        type(self).made += 1
        super().__init__(words[self.made % 3 :])


class MindsTheList(Words):
    def __call__(self, text, **options):
        return super().__call__(text + " ." if isinstance(text, str) else text, **options)


class NoTokens(Words):
    def rows(self, texts, limit):
        return [[] for _ in texts]


class NoLength(Words):
    __len__ = None

    def __getattribute__(self, name):
        if name == "__len__":
            raise AttributeError(name)
        return super().__getattribute__(name)


class TooShort(Words):
    def __len__(self):
        return 3


class NeverCuts(Words):
    def rows(self, texts, limit):
        return super().rows(texts, None)


class CutsTooMuch(Words):
    def rows(self, texts, limit):
        return super().rows(texts, limit - 1 if limit else None)


class NoPadding(Words):
    pad_token_id = None


class PadsWithOnes(Words):
    def padded(self, rows, masks):
        width = max(map(len, rows))
        return [row + [1] * (width - len(row)) for row in rows], super().padded(rows, masks)[1]


class ForgetsTheMask(Words):
    def padded(self, rows, masks):
        rows, masks = super().padded(rows, masks)
        return rows, [[1] * len(row) for row in rows]


class SaysLeft(Words):
    padding_side = "left"

    def padded(self, rows, masks):
        self.padding_side = "right"
        padded = super().padded(rows, masks)
        self.padding_side = "left"
        return padded


class Joins(Words):
    def decode(self, ids, *, skip_special_tokens=False):
        return super().decode(ids).replace(" ", "")


class SavesNothing(Saved):
    def save_pretrained(self, folder):
        pass


class CannotLoad(Words):
    def save_pretrained(self, folder):
        Saved.save_pretrained(self, folder)


class LoadsAnother(Saved):
    @classmethod
    def from_pretrained(cls, folder):
        return cls(["other"])


class OtherByProcess(Words):
    def rows(self, texts, limit):
        return [[abs(hash(word)) % len(self) for word in text.split() or [""]][:limit] for text in texts]


class OneTooMany(Words):
    def __len__(self):
        return 500

    def rows(self, texts, limit):
        return [[crc32(word.encode()) % 501 for word in text.split() or [""]][:limit] for text in texts]


class PadsBeyond(Words):
    pad_token_id = len(KNOWN) + 2


class NothingForNothing(Words):
    def rows(self, texts, limit):
        return [row if text.split() else [] for text, row in zip(texts, super().rows(texts, limit), strict=True)]


CLASSES = {
    each.__name__: each for each in globals().copy().values() if isinstance(each, type) and each.__mro__[-2] is Words
}


def _factory(chosen):
    def build(config):
        if config.get("words") == []:
            raise ValueError("words must not be empty")
        return chosen()

    build.__doc__ = f"Builds {chosen.__name__}."
    build.__qualname__ = build.__name__ = f"build_{chosen.__name__}"
    return build


globals().update({f"build_{name}": _factory(chosen) for name, chosen in CLASSES.items()})


class Optional(Saved):
    """A word's letters may be made small, and texts padded on the left; the folder holds what `kept` names."""

    kept = ("lowercase", "padding_side", "least")

    def __init__(self, *, lowercase=True, padding_side="right", least=1):
        super().__init__()
        self.lowercase, self.padding_side, self.least = lowercase, padding_side, least

    def rows(self, texts, limit):
        return super().rows([text.lower() if self.lowercase else text for text in texts], limit)

    def __len__(self):
        return super().__len__() + self.least

    def save_pretrained(self, folder):
        (Path(folder) / "kept.json").write_text(json.dumps({name: getattr(self, name) for name in self.kept}))

    @classmethod
    def from_pretrained(cls, folder):
        return cls(**json.loads((Path(folder) / "kept.json").read_text()))


class LosesTheCase(Optional):
    kept = ("padding_side", "least")


class LosesTheSide(Optional):
    kept = ("lowercase", "least")


class LosesANumber(Optional):
    kept = ("lowercase", "padding_side")


def _with_options(chosen):
    def build(
        config, *, lowercase: bool = True, padding_side: Literal["left", "right"] = "right", least: int | None = None
    ):
        if least == 7:
            raise ValueError("7 is too much")
        return chosen(lowercase=lowercase, padding_side=padding_side, least=least or 1)

    build.__doc__ = f"Builds {chosen.__name__}."
    build.__qualname__ = build.__name__ = f"build_{chosen.__name__}"
    return build


LOSING = {each.__name__: each for each in (Optional, LosesTheCase, LosesTheSide, LosesANumber)}
globals().update({f"build_{name}": _with_options(chosen) for name, chosen in LOSING.items()})


def not_a_tokenizer(config):
    """Builds a list."""
    return ["a"]


BATCH, LENGTH, CUT = "a_batch_gives_token_ids", "ids_are_below_its_length", "truncation_keeps_to_the_length"
PROCESS, EMPTY = "it_gives_the_same_ids_in_every_process", "a_text_without_words_has_a_token"
PADDING, DECODE, SAVE = (
    "padding_fills_with_its_padding_token",
    "decoding_gives_the_text_back",
    "it_can_be_saved_and_loaded",
)
WRONG = [
    ("NoBatches", BATCH, "it must hold `input_ids`"),
    ("OneRow", BATCH, "gives 1 lists of ids for 3 texts"),
    ("Strings", BATCH, "gives the token id ['the']; ids are whole numbers from 0"),
    ("ShortMask", BATCH, "gives an attention mask of 5 for 6 tokens"),
    ("Counts", BATCH, "gives other ids for the same texts"),
    ("OtherEachTime", BATCH, "gives other ids when it is built again"),
    ("MindsTheList", BATCH, "for a text alone and"),
    ("NoTokens", BATCH, "gives no token for a text"),
    ("NoLength", LENGTH, "has no length"),
    ("TooShort", LENGTH, "and its length is 3"),
    ("OtherByProcess", PROCESS, "and in another process"),
    ("OneTooMany", LENGTH, "gives the id 500 for"),
    ("PadsBeyond", LENGTH, "has the pad_token_id 15, and its length is 15"),
    ("NothingForNothing", EMPTY, "gives no token for ''"),
    ("NeverCuts", CUT, "gives 7 tokens where max_length=3"),
    ("CutsTooMuch", CUT, "gives at most 2 tokens of a longer text, not 3"),
    ("NoPadding", PADDING, "has neither a pad_token_id nor an eos_token_id"),
    ("PadsWithOnes", PADDING, "pads"),
    ("ForgetsTheMask", PADDING, "gives the attention mask [1, 1, 1, 1, 1, 1, 1]"),
    ("SaysLeft", PADDING, "pads"),
    ("Joins", DECODE, "decodes the ids of 'the cat sat' to 'thecatsat'"),
    ("SavesNothing", SAVE, "writes nothing"),
    ("CannotLoad", SAVE, "its class no from_pretrained"),
    ("LoadsAnother", SAVE, "gives other ids once it is saved and loaded"),
]
COMPONENTS = {"tokenizer": [*((name, f"{__name__}:build_{name}") for name in (CLASSES | LOSING)), "not_a_tokenizer"]}
SUITE = {"texts": TEXTS, "round_trips": ["the cat sat", "a bone"]}


@pytest.mark.parametrize("name", ["Words", "Saved"])
def test_a_right_tokenizer_passes(failures, name):
    assert failures(TokenizerTests, name=name, bad_options=[{"words": []}], **SUITE) == {}


@pytest.mark.parametrize(("name", "check", "message"), WRONG)
def test_a_wrong_tokenizer_fails(failures, name, check, message):
    found = failures(TokenizerTests, shared=False, name=name, **SUITE)
    assert message in found[check], found
    assert check in (BATCH, CUT) or set(found) - {DECODE} == {check} - {DECODE}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Optional", {}, None),
        ("Optional", {"lowercase": False, "padding_side": "left", "least": 2}, None),
        ("LosesTheCase", {}, "with {'lowercase': False} gives other ids once it is saved and loaded"),
        ("LosesTheSide", {}, "with {'padding_side': 'left'} gives other ids of padded texts once"),
        ("LosesTheSide", {"padding_side": "left"}, "gives other ids of padded texts once it is saved"),
        ("LosesANumber", {}, None),
        ("LosesANumber", {"least": 1}, "with {'least': 2} gives other __len__ once it is saved and loaded"),
    ],
)
def test_an_option_that_is_lost_when_it_is_saved_is_told(failures, name, options, message):
    found = failures(TokenizerTests, shared=False, name=name, options=options, **SUITE)
    assert set(found) == ({SAVE} if message else set())
    assert (message or "") in found.get(SAVE, "")


def test_a_tokenizer_may_say_that_it_gives_nothing_for_an_empty_text(failures):
    assert failures(TokenizerTests, name="NothingForNothing", takes_empty_texts=False, **SUITE) == {}


def test_what_cannot_be_called_is_no_tokenizer(failures):
    assert "which is no tokenizer: it cannot be called" in failures(TokenizerTests, name="not_a_tokenizer")[BATCH]


def test_texts_of_one_length_are_told(failures):
    found = failures(TokenizerTests, name="Words", texts=["the cat sat on a", "a dog and a bone"])
    assert "choose `texts` of different lengths" in found[PADDING]
