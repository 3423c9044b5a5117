# The kit's cases are attributes that an author fills with a list.
# ruff: noqa: RUF012

from __future__ import annotations

import copy
import csv
import gzip
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_ml.testing import TokenizerTests
from codex_ml.tokenizers.corpus import corpus_of
from codex_ml.tokenizers.hf import HfTokenizerConfig, hf

LINES = [f"the cat number {number} sat on the mat, naïvely; 猫 {number * 7}" for number in range(200)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokenizers"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n".join(LINES) + "\n\n", encoding="utf-8")
    return path


def trained(corpus, **options):
    return hf({"train_files": str(corpus), "vocab_size": 400, **options})


@pytest.fixture(scope="module")
def bpe(corpus, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return trained(corpus)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2, "text": 3}, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    path = tmp_path_factory.mktemp("words")
    PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(path)
    return path


def test_loads_a_folder(folder):
    tokenizer = hf({"tokenizer_name": str(folder)})
    assert tokenizer(["a text here"])["input_ids"] == [[2, 3, 1]]
    assert tokenizer.padding_side == "right"


def test_padding_side_can_be_chosen(folder):
    tokenizer = hf({"tokenizer_name": str(folder), "padding_side": "left"})
    assert tokenizer(["a text", "a"], padding=True)["input_ids"] == [[2, 3], [0, 2]]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, r"needs tokenizer\.tokenizer_name .* or tokenizer\.train_files .*, and neither is given"),
        ({"tokenizer_name": "a", "train_files": "b"}, "one of the two, and both are given"),
        ({"train_files": []}, "neither is given"),
        ({"train_files": "a", "vocab_size": 0}, r"tokenizer\.vocab_size must be a whole number from 1, not 0"),
        ({"train_files": "a", "algorithm": "bytes"}, r"tokenizer\.algorithm must be bpe or wordpiece, not 'bytes'"),
        ({"tokenizer_name": "missing.json"}, "there is no folder missing.json"),
        ({"tokenizer_name": " "}, "must be a hub id or a folder"),
        ({"tokenizer_name": "/nowhere"}, "there is no folder /nowhere"),
        ({"tokenizer_name": "a", "padding_side": "up"}, "left or right or null"),
        ({"tokenizer_name": "a", "fast": True}, "has no option fast; it has tokenizer_name, revision"),
    ],
)
def test_a_wrong_option_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        hf(config)


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="holds no tokenizer"):
        hf({"tokenizer_name": str(tmp_path)})


def test_a_damaged_tokenizer_is_an_error(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{bad")
    with pytest.raises(ValueError, match=f"cannot load {tmp_path}"):
        hf({"tokenizer_name": str(tmp_path)})


def test_code_beside_the_tokenizer_is_never_run(folder, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    auto = {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["code.Mine", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(auto))
    (tmp_path / "code.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ValueError, match="custom code"):
        hf({"tokenizer_name": str(tmp_path)})


def test_offline_and_not_cached_tells_the_way_out(tmp_path):
    code = "from codex_ml.tokenizers.hf import hf\nhf({'tokenizer_name': 'nobody/nothing'})"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: tokenizer.tokenizer_name: cannot get 'nobody/nothing'")
    assert "local folder" in last


def test_local_files_only_asks_no_network(folder, tmp_path):
    snapshot = tmp_path / "hub" / "models--some--words" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for file in folder.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("a" * 40)
    code = (
        "import os, sys\nasked = ('socket.connect', 'socket.getaddrinfo')\n"
        "sys.addaudithook(lambda event, _: event in asked and os._exit(9))\n"
        "from codex_ml.tokenizers.hf import hf\n"
        "print(hf({'tokenizer_name': 'some/words', 'local_files_only': True})('a text')['input_ids'])\n"
        "hf({'tokenizer_name': 'nobody/nothing', 'local_files_only': True})"
    )
    environment = {"HF_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stdout.strip() == "[2, 3]"
    assert "'nobody/nothing' from the Hugging Face hub or its cache: it is not in the cache" in done.stderr


def test_without_transformers_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "from codex_ml.tokenizers.hf import hf\nhf({'tokenizer_name': 'a'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'codex-ml[train]'" in done.stderr.strip().splitlines()[-1]


def test_declares_its_options():
    assert hf.__codex_api__ == "v1"
    assert hf.__codex_config__ is HfTokenizerConfig
    assert all(each.metadata["help"] for each in HfTokenizerConfig.__dataclass_fields__.values())


@pytest.mark.parametrize("name", ["AutoModel", "pipeline", "BertModel", "os.system", ["a"]])
def test_a_class_that_is_no_tokenizer_is_not_called(folder, tmp_path, name):
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "auto_map": {"AutoModel": "code.Mine"}}))
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    if name == "os.system":  # no such class: transformers reads the files by its own
        assert hf({"tokenizer_name": str(tmp_path)})("a")["input_ids"] == [2]
    else:
        with pytest.raises(ValueError, match="tokenizer"):
            hf({"tokenizer_name": str(tmp_path)})
    assert not (tmp_path / "ran").exists()


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_pickles_and_templates_beside_the_tokenizer_do_nothing(folder, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template, "pad_token": "[PAD]"}))
    for name in ("vocab.pkl", "tokenizer.bin", "vocab.bin", "added_tokens.bin"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    tokenizer = hf({"tokenizer_name": str(tmp_path)})
    assert tokenizer(["a text"])["input_ids"] == [[2, 3]]
    with pytest.raises(Exception, match="unsafe"):
        tokenizer.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False)
    assert not (tmp_path / "ran").exists()


def test_a_lone_tokenizer_json_is_read_with_its_usual_special_tokens(folder, tmp_path):
    (tmp_path / "mine.json").write_bytes((folder / "tokenizer.json").read_bytes())
    tokenizer = hf({"tokenizer_name": str(tmp_path / "mine.json"), "padding_side": "left"})
    assert tokenizer(["a text", "a"], padding=True)["input_ids"] == [[2, 3], [0, 2]]
    assert (tokenizer.pad_token, tokenizer.unk_token, tokenizer.eos_token) == ("[PAD]", "[UNK]", None)


def test_the_file_of_a_whole_folder_is_read_with_the_folder(bpe, tmp_path):
    bpe.save_pretrained(tmp_path)
    tokenizer = hf({"tokenizer_name": str(tmp_path / "tokenizer.json")})
    assert tokenizer.eos_token_id == bpe.eos_token_id is not None
    assert tokenizer.model_input_names == bpe.model_input_names


def test_a_damaged_tokenizer_json_is_an_error(tmp_path):
    (tmp_path / "mine.json").write_text('{"version": "1.0"}')
    with pytest.raises(ValueError, match=r"cannot load .*mine\.json"):
        hf({"tokenizer_name": str(tmp_path / "mine.json")})


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_byte_level_bpe_gives_any_text_back(bpe, text):
    ids = bpe(text, add_special_tokens=False)["input_ids"]
    if "<|endoftext|>" not in text:
        assert bpe.decode(ids, skip_special_tokens=True) == text
    assert bpe.decode(ids) == text


def test_bpe_has_the_special_token_of_gpt2(bpe):
    special = {bpe.bos_token, bpe.eos_token, bpe.pad_token, bpe.unk_token}
    assert special == {"<|endoftext|>"}
    assert len(bpe) == 400
    assert bpe.model_input_names == ["input_ids", "attention_mask"]
    assert len(bpe("the cat")["input_ids"]) == 2


def test_wordpiece_wraps_texts_and_pairs_as_bert_does(corpus):
    tokenizer = trained(corpus, algorithm="wordpiece", vocab_size=150)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert [tokenizer.pad_token_id, tokenizer.unk_token_id, cls, sep, tokenizer.mask_token_id] == [0, 1, 2, 3, 4]
    encoded = tokenizer("The CAT", "the mat")
    assert " ".join(tokenizer.convert_ids_to_tokens(encoded["input_ids"])) == "[CLS] the cat [SEP] the mat [SEP]"
    assert encoded["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]
    assert tokenizer("zzzebra")["input_ids"].count(1) == 1
    assert tokenizer.decode(tokenizer("Naïvely sat")["input_ids"], skip_special_tokens=True) == "naively sat"


def test_wordpiece_keeps_the_case_where_asked(tmp_path):
    (tmp_path / "c.txt").write_text("Cat cat\n" * 9)
    tokenizer = hf(
        {"train_files": str(tmp_path / "c.txt"), "algorithm": "wordpiece", "lowercase": False, "vocab_size": 40}
    )
    assert tokenizer.tokenize("Cat cat") == ["Cat", "cat"]


@pytest.mark.parametrize("algorithm", ["bpe", "wordpiece"])
def test_training_gives_the_same_bytes_with_any_number_of_threads(corpus, tmp_path, algorithm):
    given = {"train_files": str(corpus), "algorithm": algorithm, "vocab_size": 350}
    code = f"from codex_ml.tokenizers.hf import hf; hf({given!r})"
    found = []
    for number, (threads, parallel) in enumerate([("1", "false"), ("4", "true"), ("3", "true")]):
        cache = tmp_path / str(number)
        own = {"RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": parallel, "PYTHONHASHSEED": threads}
        subprocess.run(
            [sys.executable, "-c", code], check=True, env={**os.environ, **own, "CODEX_ML_CACHE_DIR": str(cache)}
        )
        (entry,) = (cache / "tokenizers").iterdir()
        found.append((entry.name, {file.name: file.read_bytes() for file in entry.iterdir()}))
    assert found[0] == found[1] == found[2]
    assert "tokenizer.json" in found[0][1]


def counted(monkeypatch):
    from codex_ml.tokenizers import hf_training

    calls, real = [], hf_training.train
    monkeypatch.setattr(hf_training, "train", lambda *args, **named: (calls.append(1), real(*args, **named))[1])
    return calls


def test_a_second_build_does_not_train(corpus, tmp_path, monkeypatch):
    calls = counted(monkeypatch)
    first, second = trained(corpus), trained(corpus)
    packed = tmp_path / "elsewhere.txt.gz"
    packed.write_bytes(gzip.compress(corpus.read_bytes(), mtime=0))
    third = trained(packed, padding_side="left", model_max_length=5)
    assert len(calls) == 1
    assert first.get_vocab() == second.get_vocab() == third.get_vocab()
    assert (third.padding_side, third.model_max_length) == ("left", 5)
    assert len(third(LINES[0], truncation=True)["input_ids"]) == 5


def test_another_corpus_or_option_trains_again(corpus, tmp_path, monkeypatch):
    calls = counted(monkeypatch)
    other = tmp_path / "corpus.txt"
    other.write_bytes(corpus.read_bytes() + b"one more\n")
    for path, options in [(corpus, {}), (other, {}), (corpus, {"vocab_size": 380}), (corpus, {"min_frequency": 9})]:
        trained(path, **options)
    assert len(calls) == 4


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "no_seal", "file"])
def test_a_broken_cache_entry_is_made_anew(corpus, cache, monkeypatch, damage):
    whole = trained(corpus).get_vocab()
    (entry,) = cache.iterdir()
    content = (entry / "tokenizer.json").read_bytes()
    if damage == "cut":
        (entry / "tokenizer.json").write_bytes(content[:100])
    elif damage == "changed":
        (entry / "tokenizer.json").write_bytes(content.replace(b'"the"', b'"eht"'))
    elif damage == "gone":
        (entry / "tokenizer_config.json").unlink()
    elif damage == "no_seal":
        (entry / "files.json").unlink()
    else:
        for path in entry.iterdir():
            path.unlink()
        entry.rmdir()
        entry.write_text("a file")
    calls = counted(monkeypatch)
    assert trained(corpus).get_vocab() == whole
    assert trained(corpus).get_vocab() == whole
    assert len(calls) == 1
    assert (entry / "tokenizer.json").read_bytes() == content
    assert [path.name for path in cache.iterdir()] == [entry.name]


def test_training_that_fails_leaves_nothing_behind(tmp_path, cache):
    (tmp_path / "c.jsonl").write_text('{"text": "a"}\n' * 5 + "{\n")
    with pytest.raises(ValueError, match=r"c\.jsonl:6: not JSON"):
        trained(tmp_path / "c.jsonl")
    assert list(cache.iterdir()) == []


def rows_in(folder, ending, rows):
    """A file of rows, written by the library that is usual for its format."""
    path = folder / f"rows{ending}"
    if ending == ".parquet":
        from pyarrow import Table, parquet

        parquet.write_table(Table.from_pylist(rows), path, row_group_size=7)
    elif ending in {".csv", ".tsv"}:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="," if ending == ".csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


FORMATS = [".jsonl", ".ndjson", ".csv", ".tsv", ".parquet"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.fixed_dictionaries(dict.fromkeys("qxa", st.text(st.characters(exclude_categories=["Cs"])))), min_size=1
    )
)
@pytest.mark.parametrize("ending", FORMATS)
def test_the_texts_of_columns_are_read_from_every_format(tmp_path, ending, rows):
    path = rows_in(tmp_path, ending, rows)
    wanted = [row[name] for row in rows for name in ("a", "q") if row[name].strip()]
    if wanted:
        assert list(corpus_of(path, ["a", "q"]).texts()) == wanted
    else:
        with pytest.raises(ValueError, match="there is no text"):
            list(corpus_of(path, ["a", "q"]).texts())


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_a_list_of_texts_counts_as_several_and_a_missing_one_as_none(tmp_path, ending):
    path = rows_in(tmp_path, ending, [{"text": ["a", "b"]}, {"text": None}, {"text": []}, {"text": ["c", None]}])
    assert list(corpus_of(path, "text").texts()) == ["a", "b", "c"]


def test_a_value_of_parquet_that_is_no_text_is_told_by_its_row(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "c.parquet"
    for column, message in [
        (pa.array([1, 2]), r"c\.parquet:1: .* the row has int"),
        (pa.array([b"a", b"\xff"]).view(pa.string()), r"c\.parquet:2: not UTF-8: invalid start byte at byte 1"),
    ]:
        parquet.write_table(pa.table({"text": column, "text.a": column}), path)
        with pytest.raises(ValueError, match=message):
            corpus_of(str(path), "text")
        with pytest.raises(ValueError, match=r"there is no column 'body', .* there are: text, text\.a"):
            corpus_of(str(path), "body")


def test_parquet_behind_a_url_is_the_corpus_that_it_is_here(tmp_path):
    import fsspec

    path = rows_in(tmp_path, ".parquet", [{"text": line} for line in LINES])
    with fsspec.open("memory://corpus/rows.parquet", "wb") as file:
        file.write(Path(path).read_bytes())  # type: ignore[union-attr]
    there = corpus_of("memory://corpus/", "text")
    assert list(there.texts()) == LINES
    assert there.key == corpus_of(path, "text").key != corpus_of(path, ["text"] * 2).key


def test_without_pyarrow_the_error_names_the_extra(tmp_path):
    path = rows_in(tmp_path, ".parquet", [{"text": "a"}])
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        f"from codex_ml.tokenizers.hf import hf\nhf({{'train_files': {path!r}}})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: tokenizer.train_files: ")
    assert "pip install 'codex-ml[data]'" in last


def test_old_line_ends_and_marks_of_csv_are_read(tmp_path):
    (tmp_path / "c.csv").write_bytes(b'\xef\xbb\xbftext,b\r"a\r\nb",1\r\n\r\nc,2')
    assert list(corpus_of(str(tmp_path / "c.csv"), "text").texts()) == ["a\r\nb", "c"]


def test_every_format_gives_the_tokenizer_of_its_texts(corpus, tmp_path):
    rows = [{"number": number, "body": line} for number, line in enumerate(LINES)]
    wanted = trained(corpus).get_vocab()
    for ending in FORMATS:
        path = rows_in(tmp_path, ending, rows)
        assert trained(path, train_column="body").get_vocab() == wanted
        assert trained(path, train_column=["body"]).get_vocab() == wanted


@pytest.mark.parametrize("ending", [".txt", ".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("algorithm", ["bpe", "wordpiece"])
def test_a_corpus_that_changes_while_it_is_read_is_told_and_not_cached(tmp_path, cache, monkeypatch, ending, algorithm):
    from codex_ml.tokenizers import hf_training

    def rows(text):
        return [{"text": text}] * 40

    path = rows_in(tmp_path, ending, rows("the cat"))
    real = hf_training.train

    def late(texts, folder, **options):
        rows_in(tmp_path, ending, rows("the dog"))
        real(texts, folder, **options)
        rows_in(tmp_path, ending, rows("the cat"))

    monkeypatch.setattr(hf_training, "train", late)
    with pytest.raises(ValueError, match=rf"train_files: .*rows\{ending} changed while it was read"):
        trained(path, algorithm=algorithm)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("make", [list, tuple])
@pytest.mark.parametrize("wrong", [[], [""], ["a", "a"], [1], ""])
def test_columns_that_are_no_names_are_refused(make, wrong):
    wrong = make(wrong) if isinstance(wrong, list) else wrong
    with pytest.raises(ValueError, match=r"tokenizer\.train_column must be a column's name, or a list of different"):
        HfTokenizerConfig(train_files="a.txt", train_column=wrong)


def test_what_is_not_there_or_not_read_is_told_before_anything_is_built(tmp_path):
    (tmp_path / "c.xlsx").write_bytes(b"a")
    (tmp_path / "empty").mkdir()
    for pattern in ("c.xlsx", "*.xlsx"):
        with pytest.raises(ValueError, match=r"c\.xlsx is not read: a corpus's files end in \.txt"):
            HfTokenizerConfig(train_files=["later.txt", str(tmp_path / pattern)])
    for name in ("./no/such", "~nobody-at-all/x", "../no", "a/b/c", "no.json", "/" + "x" * 5000):
        with pytest.raises(ValueError, match=r"tokenizer\.tokenizer_name: "):
            HfTokenizerConfig(tokenizer_name=name)
    with pytest.raises(ValueError, match="holds no tokenizer"):
        HfTokenizerConfig(tokenizer_name=str(tmp_path / "empty"))
    for name in ("gpt2", "some/words", "sample://words/tokenizer.json"):
        assert HfTokenizerConfig(tokenizer_name=name).tokenizer_name == name


def test_without_a_place_for_the_cache_it_is_trained_all_the_same(corpus, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert len(trained(corpus)) == 400
    assert "set CODEX_ML_CACHE_DIR" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.txt", b"", r"tokenizer\.train_files: there is no text in .*c\.txt"),
        ("c.txt", b" \n\n", "there is no text in"),
        ("c.txt", b"a\n\xff\n", r"c\.txt:2: not UTF-8: invalid start byte at byte 1 of the line"),
        ("c.jsonl", b'{"text": "a"}\n[1]\n', r"c\.jsonl:2: the row is no JSON object"),
        ("c.jsonl", b'{"body": "a"}\n', r"c\.jsonl:1: there is no column 'text', .* names; there are: body"),
        ("c.jsonl", b'{"text": 1}\n', r"c\.jsonl:1: .* the row has int"),
        ("c.jsonl", b'{"text": "\xff"}\n', r"c\.jsonl:1: not UTF-8"),
        ("c.txt.gz", gzip.compress(b"a b c\n" * 999, mtime=0)[:30], r"cannot read .*c\.txt\.gz: .* cut short"),
        ("c.csv", b"a,b\n1,2\n", r"c\.csv:1: there is no column 'text', .*train_column names; there are: a, b"),
        ("c.csv", b"text,b\n1,2\n\n3\n", r"c\.csv:4: the row has 1 fields, and the header 2"),
        ("c.csv", b'text\n"a\nb"\n"c\nd\n', r"c\.csv:4: a quote in the row that starts here is never closed"),
        ("c.csv", b"text\n\xff\n", r"c\.csv:2: not UTF-8"),
        ("c.csv", b"text,text\na,b\n", r"c\.csv:1: two columns are called 'text'"),
        ("c.csv.gz", gzip.compress(b"text\n" * 999, mtime=0)[:30], r"^tokenizer\.train_files: cannot read .*cut short"),
        ("c.tsv", b"text,b\n1,2\n", r"c\.tsv:1: there is no column 'text', .* there are: text,b"),
        ("c.parquet", b"PAR1 and no more", r"c\.parquet is no Parquet file, or damaged"),
        ("c.yaml", b"text: a\n", r"train_files: .*c\.yaml is not read: a corpus's files end in \.txt, \.jsonl,"),
        ("corpus", b"a\n", r"corpus is not read: a corpus's files end in"),
        ("c.parquet.gz", b"a\n", r"c\.parquet\.gz is not read"),
    ],
)
def test_a_corpus_that_cannot_be_read_is_told_by_its_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        trained(tmp_path / name)


def test_a_missing_corpus_is_told():
    with pytest.raises(ValueError, match=r"tokenizer\.train_files: there is no file /nowhere\.txt"):
        trained("/nowhere.txt")


def test_a_vocabulary_too_small_for_the_characters_is_told(corpus):
    with pytest.raises(ValueError, match=r"tokenizer\.vocab_size=100 is less than the 257 "):
        trained(corpus, vocab_size=100)


def test_lists_columns_and_folders_are_the_same_corpus(tmp_path):
    (tmp_path / "corpus").mkdir()
    for number in range(3):
        rows = [json.dumps({"body": line}, ensure_ascii=False) for line in LINES[number::3]]
        (tmp_path / "corpus" / f"{number}.jsonl").write_text("\n".join(rows))
    files = [str(tmp_path / "corpus" / f"{number}.jsonl") for number in range(3)]
    listed = hf({"train_files": files, "train_column": "body"})
    foldered = hf({"train_files": str(tmp_path / "corpus"), "train_column": "body"})
    assert listed.get_vocab() == foldered.get_vocab()


def test_it_can_be_copied_pickled_and_loaded_by_transformers_alone(bpe, tmp_path):
    bpe.save_pretrained(tmp_path)
    code = (
        "import sys, json; sys.modules['codex_ml'] = None\nfrom transformers import AutoTokenizer\n"
        f"print(json.dumps(AutoTokenizer.from_pretrained({str(tmp_path)!r})(['a 猫', 'the cat'])['input_ids']))"
    )
    alone = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    for other in (copy.deepcopy(bpe), pickle.loads(pickle.dumps(bpe))):
        assert other(["a 猫", "the cat"])["input_ids"] == bpe(["a 猫", "the cat"])["input_ids"] == alone


def test_what_it_was_trained_from_tells_it_from_others(bpe, corpus):
    from codex_ml.launch.examples import tokenizer_identity

    identities = [tokenizer_identity(each, None) for each in (bpe, trained(corpus), trained(corpus, vocab_size=300))]  # type: ignore[arg-type]
    assert identities[0] == identities[1] != identities[2]


class TestTrainedBpe(TokenizerTests):
    name = "hf"
    takes_empty_texts = False
    round_trips = ["the cat sat", "naïve 猫  spaces", "\ttabs\nand lines"]
    bad_options = [{"vocab_size": 0}, {"train_files": "./nowhere"}, {"algorithm": "char"}]

    @pytest.fixture(autouse=True)
    def trained(self, corpus):
        self.options = {"train_files": str(corpus), "vocab_size": 400}


class TestTrainedWordPiece(TestTrainedBpe):
    takes_empty_texts = True
    round_trips = ["the cat sat"]

    @pytest.fixture(autouse=True)
    def trained(self, corpus):
        self.options = {"train_files": str(corpus), "vocab_size": 200, "algorithm": "wordpiece"}
