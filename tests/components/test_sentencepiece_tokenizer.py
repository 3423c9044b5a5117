# The kit's cases are attributes that an author fills with a list.
# ruff: noqa: RUF012

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_ml.testing import TokenizerTests
from codex_ml.tokenizers.sentencepiece import SentencePieceConfig, sentencepiece

spm = pytest.importorskip("sentencepiece")

LINES = [f"the cat number {number} sat on the mat, naïvely; 猫 {number * 7} <tag>" for number in range(300)]
KINDS = {
    "unigram": {"vocab_size": 80},
    "bytes": {"vocab_size": 400, "model_type": "bpe", "byte_fallback": True, "normalization": "identity"},
    "unigram_bytes": {"vocab_size": 330, "byte_fallback": True},
    "char": {"vocab_size": 50, "model_type": "char"},
    "word": {"vocab_size": 60, "model_type": "word"},
}
# Letters it knows, special names, byte pieces, what is normalized, what is unknown, and any character.
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(["the", "cat", " ", "  ", "▁", "\n", "\t", "</s>", "<unk>", "<pad>", "<mask>", "<0x41>"]),
        st.sampled_from(["ﬁ", "①", "A\u0301", "\u200b", "\x00", "猫", "🎈", "👩‍👩‍👧", "<tag>", "\u3000"]),
        st.text(max_size=4),
    ),
    max_size=12,
).map("".join)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokenizers"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


def trained(corpus, **options):
    return sentencepiece({"train_files": str(corpus), **options})


@pytest.fixture(scope="module")
def built(corpus, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return {kind: trained(corpus, **options) for kind, options in KINDS.items()}


@pytest.fixture(scope="module")
def exact(corpus, tmp_path_factory):
    """One of each type that gives texts back."""
    options = {"vocab_size": 330, "byte_fallback": True, "normalization": "identity"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return {each: trained(corpus, **options, model_type=each) for each in ("bpe", "unigram", "char")}


@pytest.fixture(scope="module")
def reference(built):
    """SentencePiece's own processor of each."""
    return {kind: processor_of(tokenizer) for kind, tokenizer in built.items()}


@pytest.fixture(scope="module")
def reread(built, tmp_path_factory):
    """Each as transformers alone reads what was saved."""
    from transformers import AutoTokenizer, SentencePieceBackend

    found = {}
    for kind, tokenizer in built.items():
        folder = tmp_path_factory.mktemp(kind)
        tokenizer.save_pretrained(folder)
        found[kind] = AutoTokenizer.from_pretrained(folder)
        assert type(found[kind]) is SentencePieceBackend
    return found


def processor_of(tokenizer):
    processor = spm.SentencePieceProcessor()
    processor.LoadFromSerializedProto(tokenizer.sp_model.serialized_model_proto())
    return processor


def model_file(folder, lines=LINES, **options):
    """A model as others train theirs."""
    written = io.BytesIO()
    given = {"vocab_size": 80, "minloglevel": 2, **options}
    spm.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=written, **given)
    path = folder / "other.model"
    path.write_bytes(written.getvalue())
    return path


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=200)
@given(text=TEXTS)
def test_ids_and_texts_are_those_of_sentencepiece(built, reference, reread, kind, text):
    wanted = reference[kind].encode(text)
    assert built[kind](text, add_special_tokens=False)["input_ids"] == wanted
    ids = built[kind](text)["input_ids"]
    assert ids == [*wanted, reference[kind].eos_id()]
    assert built[kind].decode(ids, skip_special_tokens=True) == reference[kind].decode(wanted)
    assert reread[kind](text)["input_ids"] == ids


@pytest.mark.parametrize("model_type", ["bpe", "unigram", "char"])
@settings(deadline=None, max_examples=200)
@given(text=st.one_of(TEXTS, st.text(), st.text(" \n\ta▁"), st.just("def f():\n    return  1 ")))
def test_byte_fallback_without_normalization_gives_texts_back(exact, model_type, text):
    tokenizer = exact[model_type]
    # SentencePiece writes a space as "▁".
    wanted = text.replace("▁", " ")
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == wanted
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == wanted


def test_a_part_of_a_text_loses_the_space_that_it_begins_with(exact):
    tokenizer = exact["char"]
    ids = tokenizer("a b", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["▁", "a", "▁", "b"]
    assert tokenizer.decode(ids[:2]) + tokenizer.decode(ids[2:]) == "ab"


def test_normalization_joins_spaces_and_drops_those_at_the_ends(built):
    assert built["unigram_bytes"].decode(built["unigram_bytes"](" the  cat ")["input_ids"]) == "the cat</s>"


def test_unknown_characters_that_read_like_a_special_token_are_unknown(tmp_path):
    path = model_file(tmp_path, ["aaa bbb ab ba aab"] * 50, vocab_size=10)
    tokenizer = sentencepiece({"model_file": str(path)})
    processor = processor_of(tokenizer)
    for text in ("a </s> b", "</s>", "<unk>"):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == processor.encode(text)
        assert processor.eos_id() not in processor.encode(text)


def test_special_tokens_have_their_usual_ids(built):
    tokenizer = built["unigram"]
    ids = [getattr(tokenizer, f"{name}_token_id") for name in ("unk", "bos", "eos", "pad", "mask")]
    assert ids == [0, 1, 2, 3, 4]
    assert len(tokenizer) == 80
    assert tokenizer.convert_ids_to_tokens(ids) == ["<unk>", "<s>", "</s>", "<pad>", "<mask>"]


def test_texts_are_padded_cut_and_paired(built, corpus):
    tokenizer = built["unigram"]
    long, short = "the cat sat on the mat", "the"
    row, other = tokenizer([long, short])["input_ids"]
    padded = tokenizer([long, short], padding=True)
    assert padded["input_ids"][1] == other + [3] * (len(row) - len(other))
    assert padded["attention_mask"][1] == [1] * len(other) + [0] * (len(row) - len(other))
    assert tokenizer(long, truncation=True, max_length=4)["input_ids"] == [*row[:3], 2]
    assert tokenizer(long, short)["input_ids"] == row + other
    assert set(tokenizer(long)) == {"input_ids", "attention_mask"}
    left = trained(corpus, **KINDS["unigram"], padding_side="left", truncation_side="left", model_max_length=4)
    assert left(long, truncation=True)["input_ids"] == row[-4:]
    assert left([long, short], padding=True)["input_ids"][1] == [3] * (len(row) - len(other)) + other
    assert left.model_max_length == 4


@pytest.mark.parametrize(
    ("begin", "end", "wrapped"), [(False, False, "{}"), (True, False, "<s>{}"), (True, True, "<s>{}</s>")]
)
def test_begin_and_end_tokens_can_be_chosen(corpus, tmp_path, begin, end, wrapped):
    tokenizer = trained(corpus, **KINDS["unigram"], add_bos_token=begin, add_eos_token=end)
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer.decode(tokenizer("the cat")["input_ids"]) == wrapped.format("the cat")
    again = type(tokenizer).from_pretrained(tmp_path)
    assert again("the cat")["input_ids"] == tokenizer("the cat")["input_ids"]


def test_special_tokens_in_a_text_count_where_asked(corpus):
    tokenizer = trained(corpus, **KINDS["unigram"], split_special_tokens=False, add_eos_token=False)
    assert 2 in tokenizer("the</s>cat")["input_ids"]
    assert 4 in tokenizer("the <mask> cat")["input_ids"]


def test_a_model_without_padding_and_mask_is_given_them(tmp_path):
    path = model_file(tmp_path)
    tokenizer = sentencepiece({"model_file": str(path), "mask_token": "[M]"})
    assert (tokenizer.pad_token_id, tokenizer.mask_token_id) == (80, 81) or (
        tokenizer.mask_token_id,
        tokenizer.pad_token_id,
    ) == (80, 81)
    assert len(tokenizer) == 82
    ids = tokenizer(["the cat", "the"], padding=True)["input_ids"]
    assert tokenizer.decode(ids[1], skip_special_tokens=True) == "the"
    assert sentencepiece({"model_file": str(path)}).mask_token_id is None


def test_tokens_that_are_added_later_are_decoded(built):
    tokenizer = copy.deepcopy(built["bytes"])
    assert tokenizer.add_tokens(["<new>"]) == 1
    ids = [*tokenizer("the 猫", add_special_tokens=False)["input_ids"], 400, *tokenizer("cat")["input_ids"]]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "the 猫<new>cat"
    assert tokenizer.decode(ids) == "the 猫<new>cat</s>"
    assert tokenizer.batch_decode([ids, [400]], skip_special_tokens=True) == ["the 猫<new>cat", "<new>"]


def test_the_models_own_special_tokens_are_found(tmp_path):
    path = model_file(tmp_path, unk_id=2, eos_id=1, bos_id=-1, pad_id=0, control_symbols=["[MASK]", "[CLS]", "[SEP]"])
    tokenizer = sentencepiece({"model_file": str(path)})
    ids = {name: getattr(tokenizer, f"{name}_token_id") for name in ("pad", "eos", "unk", "mask", "cls", "sep", "bos")}
    assert ids == {"pad": 0, "eos": 1, "unk": 2, "mask": 3, "cls": 4, "sep": 5, "bos": None}
    assert len(tokenizer) == 80
    with pytest.raises(ValueError, match=r"has no bos token: set tokenizer\.add_bos_token=false"):
        sentencepiece({"model_file": str(path), "add_bos_token": True})


def test_what_it_was_made_from_tells_it_from_others(tmp_path):
    from codex_ml.launch.examples import tokenizer_identity

    def identity(path, **options):
        given = {"model_file": str(path), **options}
        case = type("Case", (TokenizerTests,), {"name": "sentencepiece", "options": given})()
        return tokenizer_identity(sentencepiece(given), case.chosen())

    path = model_file(tmp_path)
    first = identity(path)
    assert identity(path) == first
    assert identity(path, add_eos_token=False) != first
    assert identity(model_file(tmp_path, LINES[:200])) != first


def test_a_folder_stands_for_the_model_in_it(built, tmp_path):
    built["unigram"].save_pretrained(tmp_path)
    assert sentencepiece({"model_file": str(tmp_path)}).get_vocab() == built["unigram"].get_vocab()


def test_what_is_saved_is_the_model_in_use(tmp_path):
    path = model_file(tmp_path)
    tokenizer = sentencepiece({"model_file": str(path)})
    whole = path.read_bytes()
    path.write_bytes(b"another")
    (tmp_path / "saved").mkdir()
    tokenizer.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "tokenizer.model").read_bytes() == whole


@pytest.mark.parametrize("kind", ["unigram", "bytes"])
def test_it_can_be_copied_pickled_and_loaded_by_transformers_alone(built, tmp_path, kind):
    tokenizer, texts = built[kind], ["a 猫 </s>", "the cat", "", "  x  "]
    tokenizer.save_pretrained(tmp_path)
    code = (
        "import sys, json; sys.modules['codex_ml'] = None\nfrom transformers import AutoTokenizer\n"
        f"t = AutoTokenizer.from_pretrained({str(tmp_path)!r})\n"
        f"print(json.dumps([t({texts!r})['input_ids'], len(t), t.pad_token_id, t.decode(t('the cat')['input_ids'])]))"
    )
    alone = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    wanted = tokenizer(texts)["input_ids"]
    assert alone == [wanted, len(tokenizer), 3, "the cat</s>"]
    for other in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert other(texts)["input_ids"] == wanted
        assert other.decode(wanted[0]) == tokenizer.decode(wanted[0])


def test_the_tokenizer_hf_reads_what_was_saved(built, tmp_path):
    from codex_ml.tokenizers.hf import hf

    built["bytes"].save_pretrained(tmp_path)
    tokenizer = hf({"tokenizer_name": str(tmp_path)})
    ids = tokenizer("ein Bär 🎈")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ein Bär 🎈"


@pytest.mark.parametrize("kind", ["unigram", "bytes"])
def test_training_gives_the_same_bytes_in_every_process(corpus, tmp_path, kind):
    given = {"train_files": str(corpus), "train_texts": 150, **KINDS[kind]}
    code = f"from codex_ml.tokenizers.sentencepiece import sentencepiece as make; make({given!r})"
    found = []
    for number, threads in enumerate(["1", "5"]):
        own = {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads, "CODEX_ML_CACHE_DIR": str(tmp_path / str(number))}
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **own})
        (entry,) = (tmp_path / str(number) / "tokenizers").iterdir()
        found.append((entry.name, (entry / "tokenizer.model").read_bytes()))
    assert found[0] == found[1]


def test_a_second_build_does_not_train_and_another_corpus_does(corpus, cache, tmp_path):
    trained(corpus, **KINDS["unigram"])
    (entry,) = cache.iterdir()
    before = (entry / "tokenizer.model").stat()
    trained(corpus, **KINDS["unigram"], padding_side="left", add_bos_token=True)
    assert [path.name for path in cache.iterdir()] == [entry.name]
    assert (entry / "tokenizer.model").stat().st_mtime_ns == before.st_mtime_ns
    (tmp_path / "corpus.txt").write_bytes(corpus.read_bytes() + b"\nmore")
    trained(tmp_path / "corpus.txt", **KINDS["unigram"])
    assert len(list(cache.iterdir())) == 2


def test_a_broken_cache_entry_is_made_anew(corpus, cache):
    trained(corpus, **KINDS["unigram"])
    (entry,) = cache.iterdir()
    content = (entry / "tokenizer.model").read_bytes()
    (entry / "tokenizer.model").write_bytes(content[:-1])
    assert len(trained(corpus, **KINDS["unigram"])) == 80
    assert (entry / "tokenizer.model").read_bytes() == content


def test_a_corpus_that_changes_while_it_is_read_is_told_and_not_cached(corpus, cache, tmp_path, monkeypatch):
    from codex_ml.tokenizers import sentencepiece as module

    path, real = tmp_path / "c.txt", module.train
    path.write_bytes(corpus.read_bytes())

    def late(texts, folder, **options):
        path.write_bytes(corpus.read_bytes().replace(b"cat", b"dog"))
        real(texts, folder, **options)

    monkeypatch.setattr(module, "train", late)
    with pytest.raises(ValueError, match=r"train_files: .*c\.txt changed while it was read"):
        trained(path, **KINDS["unigram"])
    assert list(cache.iterdir()) == []


def test_columns_of_questions_and_answers_are_learnt_from(tmp_path):
    rows = [f'"who, {number}",the cat' for number in range(60)]
    (tmp_path / "c.csv").write_text("\n".join(["q,a", *rows]))
    for columns, known in [(["q", "a"], True), ("q", False)]:
        given = {"train_files": str(tmp_path / "c.csv"), "train_column": columns, "vocab_size": 24}
        assert (0 not in sentencepiece(given)("cat")["input_ids"]) is known


def test_long_texts_are_learnt_from_too(tmp_path):
    # SentencePiece leaves out what is longer than 4,192 bytes unless told otherwise.
    (tmp_path / "c.txt").write_text("a b\n" * 20 + "quokka " * 2000)
    tokenizer = sentencepiece({"train_files": str(tmp_path / "c.txt"), "vocab_size": 13})
    assert 0 not in tokenizer("quokka")["input_ids"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 50_000}, r"tokenizer\.vocab_size=50000 does not fit the corpus: Vocabulary size too high"),
        ({"vocab_size": 6}, r"vocab_size=6 .* smaller than required_chars.* decrease tokenizer\.character_coverage\."),
    ],
)
def test_a_vocabulary_that_the_corpus_cannot_give_is_told(corpus, options, message):
    with pytest.raises(ValueError, match=message) as told:
        trained(corpus, **options)
    assert ".cc(" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.txt", b"\n", r"tokenizer\.train_files: there is no text in"),
        ("c.txt", b"a\nb\n\xff\n", r"c\.txt:3: not UTF-8"),
        ("c.jsonl", b'{"text": "a"}\n{"text"\n', r"c\.jsonl:2: not JSON"),
    ],
)
def test_a_corpus_that_cannot_be_read_is_told_by_its_line(tmp_path, cache, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        trained(tmp_path / name)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "tokenizer.model_file or tokenizer.train_files, one of the two, and neither is given"),
        ({"model_file": "a", "train_files": "b"}, "and both are given"),
        ({"model_file": "a", "vocab_size": 0}, r"tokenizer\.vocab_size must be at least 1, not 0"),
        ({"model_file": "a", "model_type": "tree"}, r"tokenizer\.model_type must be unigram, bpe, char, word"),
        ({"model_file": "a", "character_coverage": 0.5}, "must be from 0.98 to 1"),
        ({"model_file": "a", "fast": True}, "has no option fast; it has model_file, train_files"),
    ],
)
def test_a_wrong_option_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        sentencepiece(config)


def test_a_file_that_is_missing_or_no_model_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"tokenizer\.model_file: there is no file /nowhere\.model"):
        sentencepiece({"model_file": "/nowhere.model"})
    with pytest.raises(ValueError, match=r"holds no tokenizer\.model"):
        sentencepiece({"model_file": str(tmp_path)})
    for content in (b"", b"text", b"\x80\x04K\x01."):
        (tmp_path / "no.model").write_bytes(content)
        with pytest.raises(ValueError, match="is no SentencePiece model"):
            sentencepiece({"model_file": str(tmp_path / "no.model")})


@pytest.mark.parametrize("missing", ["sentencepiece", "transformers"])
def test_without_its_libraries_the_error_names_the_extra(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from codex_ml.tokenizers.sentencepiece import sentencepiece as make\nmake({'model_file': 'a'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'codex-ml[sentencepiece]'" in done.stderr.strip().splitlines()[-1]


def test_declares_its_options():
    assert sentencepiece.__codex_api__ == "v1"
    assert sentencepiece.__codex_config__ is SentencePieceConfig
    assert all(each.metadata["help"] for each in SentencePieceConfig.__dataclass_fields__.values())


class TestUnigram(TokenizerTests):
    name = "sentencepiece"
    round_trips = ["the cat sat", "number 7"]
    bad_options = [{"vocab_size": 0}, {"model_file": "a"}, {"padding_side": "up"}, {"train_files": "./nowhere"}]

    @pytest.fixture(autouse=True)
    def trained(self, corpus):
        self.options = {"train_files": str(corpus), "vocab_size": 80}


class TestBytes(TestUnigram):
    round_trips = ["the cat sat", "naïve 猫 🎈", "\ttabs\nand lines"]

    @pytest.fixture(autouse=True)
    def trained(self, corpus):
        self.options = {"train_files": str(corpus), **KINDS["bytes"]}


class TestModelFile(TestUnigram):
    round_trips = ["the cat sat"]
    bad_options = [{"model_file": "./nowhere"}, {"train_files": "a"}]

    @pytest.fixture(autouse=True)
    def trained(self, tmp_path):
        self.options = {"model_file": str(model_file(tmp_path)), "mask_token": "[M]"}
