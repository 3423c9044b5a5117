import base64
import json
from dataclasses import replace

import pytest
from tiny_run import FUNCTIONAL, assembly, component, read

from codex_ml.errors import DataError
from codex_ml.interfaces import BadRow
from codex_ml.launch.execute import execute
from codex_ml.launch.left_out import Quarantine
from codex_ml.launch.splits import splits


def loader(path, *, on_bad_rows="error", on_bad_row=None):
    """Every line is a record but those that hold the word bad."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if b"bad" not in line:
            yield json.loads(line)
        elif on_bad_rows == "error":
            raise ValueError(f"{path}:{number}: it is bad")
        else:
            on_bad_row(BadRow(str(path), number, "it is bad", line))


def with_bad_rows(folder, choice, **changes):
    parts = assembly(folder, **changes)
    for (path,) in (parts.data.train, parts.data.test):
        first, *rest = path.read_bytes().splitlines()
        path.write_bytes(b"\n".join([first, b"a bad one", *rest, b"\xff bad as well", b""]))
    mine = component("data_loader", "mine", loader, meta={"bad_rows": True}, on_bad_rows=choice)
    return replace(parts, data_loader=mine)


def test_what_is_left_out_is_counted_at_each_reading(tmp_path):
    train = splits(with_bad_rows(tmp_path, "skip"))["train"]
    assert train.skipped is None
    for _ in range(2):
        assert len(list(train)) == 40
        assert train.skipped == 2
        assert train.first_skipped == f"{tmp_path}/train.jsonl:2: it is bad"


def test_a_loader_without_bad_rows_gets_no_function(tmp_path):
    def plain(path):
        yield {"text": "a", "label": "b"}

    train = splits(replace(assembly(tmp_path), data_loader=component("data_loader", "plain", plain)))["train"]
    assert len(list(train)) == 1
    assert train.skipped == 0


def test_a_split_that_loses_every_row_says_why(tmp_path):
    parts = with_bad_rows(tmp_path, "skip")
    parts.data.train[0].write_text("bad\nbad\n")
    with pytest.raises(DataError, match=r"holds no records.*2 rows were left out, the first: .*:1: it is bad"):
        list(splits(parts)["train"])


@pytest.mark.parametrize("choice", ["skip", "quarantine"])
def test_a_run_records_what_was_left_out_and_keeps_it_where_it_was_asked_to(
    tmp_path, choice, caplog, token_cache_folder
):
    folder = tmp_path / "run"
    folder.mkdir()
    parts = with_bad_rows(tmp_path, choice, trainer=replace(FUNCTIONAL, options={**FUNCTIONAL.options, "epochs": 1}))
    final = execute(parts, folder=folder, run_id="abc")
    assert {name: (told["records"], told["skipped"]) for name, told in final["data"].items()} == {
        "train": (40, 2),
        "validation": (20, 0),
        "test": (20, 2),
    }
    assert read(folder)["data"]["train"]["skipped"] == 2
    assert "train: 2 rows left out, the first:" in caplog.text
    kept = folder / "quarantine.jsonl"
    assert kept.exists() == (choice == "quarantine")
    if choice == "quarantine":
        # Each once, however often the files were read.
        rows = [json.loads(line) for line in kept.read_text().splitlines()]
        train, test = f"{tmp_path}/train.jsonl", f"{tmp_path}/test.jsonl"
        assert [(row["path"], row["line"]) for row in rows] == [(train, 2), (train, 42), (test, 2), (test, 22)]
        assert rows[0] == {"path": train, "line": 2, "reason": "it is bad", "raw": "a bad one"}
        assert base64.b64decode(rows[1]["raw_base64"]) == b"\xff bad as well"


def test_records_set_aside_share_their_file_and_its_rows_are_kept_once(tmp_path, token_cache_folder):
    parts = with_bad_rows(tmp_path, "quarantine")
    parts = replace(parts, data=replace(parts.data, validation=(), validation_fraction=0.3))
    quarantine = Quarantine(tmp_path)
    found = splits(parts, quarantine=quarantine)
    for name in ("train", "validation"):
        list(found[name])
    assert len(quarantine.path.read_text().splitlines()) == 2


def test_an_earlier_attempts_rows_are_replaced(tmp_path):
    (tmp_path / "quarantine.jsonl").write_text("{}\n")
    Quarantine(tmp_path).take(BadRow("a", 1, "r", b"x"))
    assert (tmp_path / "quarantine.jsonl").read_text() == '{"path":"a","line":1,"reason":"r","raw":"x"}\n'
