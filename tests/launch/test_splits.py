import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_run import assembly, component, write_records

from codex_ml.errors import CodexError, DataError
from codex_ml.launch.assembly import DataFiles
from codex_ml.launch.splits import splits


def lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def of(folder, **data):
    whole = assembly(folder)
    return splits(replace(whole, data=replace(whole.data, **data)))


def with_loader(folder, loader, **data):
    path = folder / "x.any"
    path.touch()
    parts = assembly(
        folder, data_loader=component("data_loader", "mine", loader), data=DataFiles(train=(path,), **data)
    )
    return splits(parts)["train"]


def test_there_are_as_many_splits_as_there_are_files_for(tmp_path):
    assert list(of(tmp_path)) == ["train", "validation", "test"]
    assert list(of(tmp_path, validation=(), test=())) == ["train"]
    assert list(of(tmp_path, validation=(), validation_fraction=0.2)) == ["train", "validation", "test"]


def test_records_are_read_anew_each_time_and_counted(tmp_path):
    train = of(tmp_path)["train"]
    assert train.records is None
    first, second = list(train), list(train)
    assert first == second
    assert len(first) == 40
    assert train.records == 40


def test_every_record_gets_an_id(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"text": "x", "label": "l"}, {"text": "y", "label": "l", "id": 7})
    assert [record["id"] for record in of(tmp_path, train=(path,))["train"]] == ["a.jsonl#1", "7"]


def test_ids_tell_files_of_one_name_apart(tmp_path):
    paths = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        paths.append(lines(tmp_path / name / "a.jsonl", {"text": "x", "label": "l"}))
    assert [record["id"] for record in of(tmp_path, train=tuple(paths))["train"]] == ["one/a.jsonl#1", "two/a.jsonl#1"]


def test_columns_are_renamed_and_others_kept(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"body": "x", "topic": "l", "label": "old", "note": 1})
    (record,) = of(tmp_path, train=(path,), columns={"text": "body", "label": "topic"})["train"]
    assert record == {"text": "x", "label": "l", "note": 1, "id": "a.jsonl#1"}
    path = lines(tmp_path / "b.jsonl", {"text": "l", "label": "x"})
    (record,) = of(tmp_path, train=(path,), columns={"text": "label", "label": "text"})["train"]
    assert (record["text"], record["label"]) == ("x", "l")


def test_a_missing_column_is_told_with_the_record_and_the_way_out(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"text": "x", "label": 1}, {"a": "x", "b": 1})
    with pytest.raises(DataError) as told:
        list(of(tmp_path, train=(path,))["train"])
    assert str(told.value) == (
        f"{path}: record 2 has no columns 'text' and 'label' (it has: a, b); "
        "set data.columns.text=<column> data.columns.label=<column>"
    )
    with pytest.raises(DataError, match=r"record 1 has no column 'topic'.*set data\.columns\.label=<column>"):
        list(of(tmp_path, train=(path,), columns={"label": "topic"})["train"])


def test_the_limit_counts_for_each_split(tmp_path):
    found = of(tmp_path, limit=3, validation=(), validation_fraction=0.5)
    assert {name: len(list(split)) for name, split in found.items()} == {"train": 3, "validation": 3, "test": 3}
    assert found["train"].records == 3


def test_the_limit_reads_no_further_than_it_must(tmp_path):
    closed = []

    def endless(path):
        try:
            while True:
                yield {"text": "x", "label": "l"}
        finally:
            closed.append(path)

    assert len(list(with_loader(tmp_path, endless, limit=5))) == 5
    assert closed


def test_an_empty_file_among_others_is_told_and_ends_nothing(tmp_path, caplog):
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    full = write_records(tmp_path / "full.jsonl", 2)
    assert len(list(of(tmp_path, train=(full, empty))["train"])) == 2
    assert f"{empty} holds no records" in caplog.text
    with pytest.raises(DataError, match=r"the train split holds no records \(.*empty\.jsonl"):
        list(of(tmp_path, train=(empty, empty))["train"])


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_a_fraction_that_leaves_one_side_empty_is_told(tmp_path, fraction):
    empty = "validation" if fraction < 0.5 else "train"
    split = of(tmp_path, validation=(), validation_fraction=fraction)[empty]
    with pytest.raises(DataError, match=f"validation_fraction leaves no record for the {empty} split"):
        list(split)


def sides(folder, path, **data):
    found = of(folder, train=(path,), validation=(), validation_fraction=0.3, **data)
    return {name: {record["text"] for record in found[name]} for name in ("train", "validation")}


def test_what_is_set_aside_depends_on_the_text_alone(tmp_path):
    records = [{"text": f"text {number}", "label": "a"} for number in range(300)]
    forward = sides(tmp_path, lines(tmp_path / "a.jsonl", *records))
    backward = sides(tmp_path, lines(tmp_path / "b.jsonl", *({**record, "label": "b"} for record in records[::-1])))
    assert forward == backward
    assert not forward["train"] & forward["validation"]
    assert len(forward["train"] | forward["validation"]) == 300
    assert 60 < len(forward["validation"]) < 120


def test_equal_texts_stand_on_one_side_whatever_their_labels_and_ids(tmp_path):
    records = [
        {"text": f"{space}text {number % 50}", "label": number % 3, "id": number}
        for number in range(200)
        for space in ("", "  ")
    ]
    found = sides(tmp_path, lines(tmp_path / "a.jsonl", *records))
    stripped = {name: {text.strip() for text in texts} for name, texts in found.items()}
    assert not stripped["train"] & stripped["validation"]


def test_validation_files_win_over_the_fraction(tmp_path):
    found = of(tmp_path, validation_fraction=0.5)
    assert len(list(found["train"])) == 40
    assert len(list(found["validation"])) == 20


def test_a_loader_s_complaint_is_a_data_error_with_the_file(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "x", "label": 1}\nnonsense\n')
    with pytest.raises(DataError, match=r"bad\.jsonl:2"):
        list(of(tmp_path, train=(path,))["train"])
    with pytest.raises(DataError, match="gone"):
        list(of(tmp_path, train=(Path(tmp_path / "gone.jsonl"),))["train"])

    def vague(path):
        raise ValueError("bad line")
        yield

    with pytest.raises(DataError, match=r"x\.any: bad line"):
        list(with_loader(tmp_path, vague))


@pytest.mark.parametrize("loader", [lambda path: 1 / 0, lambda path: None, lambda path, **o: iter([1]).nothing])
def test_a_broken_loader_is_named_with_its_distribution(tmp_path, loader):
    with pytest.raises(CodexError, match=r"data_loader=mine \(tiny-plugin 1\.2\)"):
        list(with_loader(tmp_path, loader))


def test_a_record_that_is_no_dict_is_told(tmp_path):
    with pytest.raises(DataError, match=r"record 1 is of type list; data_loader=mine \(tiny-plugin 1\.2\)"):
        list(with_loader(tmp_path, lambda path: [[1, 2]]))


def test_a_record_without_a_value_that_the_task_needs_is_told(tmp_path):
    path = lines(tmp_path / "a.jsonl", {"text": "x", "label": 1, "id": None}, {"text": "x", "label": None})
    with pytest.raises(DataError) as told:
        list(of(tmp_path, train=(path,))["train"])
    assert str(told.value) == (
        f"{path}: record 2 has no value in the column 'label' (null); give it one, or leave the record out"
    )


def test_a_file_that_another_loader_is_for_says_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\nx,1\n")
    with pytest.raises(DataError, match=r"a\.csv:1: .*; for a file like this one there is data_loader=csv$"):
        list(of(tmp_path, train=(path,))["train"])
