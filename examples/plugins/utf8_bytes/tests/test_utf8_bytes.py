import pytest
from utf8_bytes.factory import utf8_bytes
from utf8_bytes.tokenizer import Utf8Bytes

from codex_ml.testing import TokenizerTests


class TestUtf8Bytes(TokenizerTests):
    name = "utf8_bytes"
    round_trips = ["plain", "ä: 漢字 🎈", "two\nlines\t"]
    bad_options = [{"padding_side": "top"}, {"model_max_length": 0}, {"folder": "nowhere"}]


class TestUtf8BytesPaddedLeft(TokenizerTests):
    name = "utf8_bytes"
    options = {"padding_side": "left"}


@pytest.fixture
def tokenizer():
    return utf8_bytes({})


def test_the_ids_are_those_of_byt5(tokenizer):
    # As the tokenizer of google/byt5-small gives them.
    assert tokenizer("hé")["input_ids"] == [107, 198, 172, 1]
    assert len(tokenizer) == len(tokenizer.get_vocab()) == 259
    assert tokenizer.get_vocab()["<0x68>"] == 107


@pytest.mark.parametrize("text", ["", "ä"])
def test_special_tokens_are_decoded_unless_they_are_skipped(tokenizer, text):
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == f"{text}</s>"
    assert tokenizer.batch_decode([ids], skip_special_tokens=True) == [text]


def test_a_character_cut_in_the_middle_is_marked(tokenizer):
    ids = tokenizer.encode("aé", truncation=True, max_length=3)
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a\ufffd"


@pytest.mark.parametrize(
    ("limit", "ended", "plain"),
    [
        (99, "abcdefgh</s>xy</s>", "abcdefghxy"),
        (8, "abcd</s>xy</s>", "abcdefxy"),
        (5, "ab</s>x</s>", "abcxy"),
        (2, "</s></s>", "ax"),
        (1, "</s>", "a"),
    ],
)
def test_the_longer_text_of_a_pair_is_cut_first(tokenizer, limit, ended, plain):
    options = {"truncation": True, "max_length": limit}
    assert tokenizer.decode(tokenizer("abcdefgh", "xy", **options)["input_ids"]) == ended
    assert tokenizer.decode(tokenizer("abcdefgh", "xy", add_special_tokens=False, **options)["input_ids"]) == plain


@pytest.mark.parametrize(
    ("side", "ids", "mask"),
    [
        ("right", [[100, 101, 1], [102, 1, 0]], [[1, 1, 1], [1, 1, 0]]),
        ("left", [[100, 101, 1], [0, 102, 1]], [[1, 1, 1], [0, 1, 1]]),
    ],
)
def test_short_texts_are_padded_on_the_chosen_side(side, ids, mask):
    tokenizer = utf8_bytes({"padding_side": side})
    assert tokenizer(["ab", "c"], padding=True) == {"input_ids": ids, "attention_mask": mask}
    tensors = tokenizer(["ab", "c"], padding=True, return_tensors="pt")
    assert tensors["attention_mask"].tolist() == mask
    assert len(tokenizer("c", padding="max_length", max_length=5, return_tensors="pt")["input_ids"][0]) == 5


def test_its_settings_are_saved_and_loaded(tmp_path):
    (path,) = utf8_bytes({"padding_side": "left", "model_max_length": 4}).save_pretrained(tmp_path / "saved")
    loaded = utf8_bytes({"folder": str(tmp_path / "saved")})
    assert isinstance(loaded, Utf8Bytes)
    assert (loaded.padding_side, loaded.model_max_length) == ("left", 4)
    assert loaded("abcdefgh", truncation=True)["input_ids"] == [100, 101, 102, 1]
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"tokenizer_class": "BertTokenizer"}')
    with pytest.raises(ValueError, match="another tokenizer"):
        utf8_bytes({"folder": str(tmp_path / "saved")})


@pytest.mark.parametrize("config", [{"folder": "nowhere"}, {"padding_side": "top"}, {"model_max_length": 0}, {"x": 1}])
def test_a_wrong_config_is_refused(config):
    with pytest.raises(ValueError, match=r"nowhere|padding_side|model_max_length|'x'"):
        utf8_bytes(config)


def test_wrong_texts_are_refused(tokenizer):
    with pytest.raises(TypeError, match="a text is a string, not None"):
        tokenizer([None])
    with pytest.raises(ValueError, match="2 texts but 1"):
        tokenizer(["a", "b"], ["c"])
