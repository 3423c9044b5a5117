import logging
from contextlib import closing
from pathlib import Path

import pytest

from codex_ml.data_loaders.reading import BadRows, ReadingOptions, TextOptions, read, wrong_columns


def letters(place, bad):
    """One record a letter; a question mark is a bad row."""
    with place.open() as file:
        for number, letter in enumerate(file.read(), 1):
            if letter == "?":
                bad(place, number, "a question", b"?")
            else:
                yield {"letter": letter}


def reading(path, reader=letters, *, on_bad_row=None, **options):
    """The records that a reader of one file gives, one at a time."""

    def batches(place, bad):
        with closing(reader(place, bad)) as records:
            yield records

    return read(path, [".txt"], batches, ReadingOptions(**options), on_bad_row)


def given(path, **options) -> str:
    return "".join(record["letter"] for record in reading(path, **options))


@pytest.fixture
def folder(tmp_path):
    for name, text in (("b.txt", "cd"), ("a.txt", "a?b"), ("c.csv", "no"), (".d.txt", "no")):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_skip_and_limit_count_the_records_of_all_files_together(folder):
    def some(**options):
        return given(folder, on_bad_rows="skip", **options)

    assert some() == "abcd"
    assert [some(skip=1), some(limit=3), some(skip=1, limit=2), some(skip=9)] == ["bcd", "abc", "bc", ""]


def test_a_bad_row_is_an_error_with_its_place(folder):
    records = reading(folder)
    assert next(records) == {"letter": "a"}
    with pytest.raises(ValueError, match=r"a\.txt:2: a question$"):
        next(records)


def test_bad_rows_behind_the_limit_are_nobodys(folder):
    assert given(folder, limit=1) == "a"


@pytest.mark.parametrize("choice", ["skip", "quarantine"])
def test_who_asks_is_told_each_bad_row(folder, choice, caplog):
    told = []
    assert given(folder, on_bad_rows=choice, on_bad_row=told.append) == "abcd"
    assert [(row.place, row.line, row.reason, row.raw) for row in told] == [
        (str(folder / "a.txt"), 2, "a question", b"?")
    ]
    assert not caplog.records


def test_bad_rows_of_which_nobody_is_told_are_logged_once(folder, caplog):
    (folder / "b.txt").write_text("??c")
    with caplog.at_level(logging.WARNING):
        assert given(folder, on_bad_rows="skip") == "abc"
    (message,) = caplog.messages
    assert message == f"3 bad rows were left out; the first: {folder / 'a.txt'}:2: a question"


def test_quarantine_without_anybody_to_keep_the_rows_is_refused(folder):
    with pytest.raises(ValueError, match="on_bad_row"):
        reading(folder, on_bad_rows="quarantine")
    with pytest.raises(ValueError, match="error, skip or quarantine"):
        BadRows("ignore", None)


def test_nothing_is_opened_before_the_first_record_is_asked_for(tmp_path):
    records = reading(tmp_path / "later.txt")
    (tmp_path / "later.txt").write_text("x")
    assert list(records) == [{"letter": "x"}]


def test_closing_the_records_closes_the_file(folder):
    closed = []

    def watched(place, bad):
        try:
            yield from letters(place, bad)
        finally:
            closed.append(place.name)

    records = reading(folder, watched)
    next(records)
    records.close()
    assert closed == ["a.txt"]


def test_a_file_that_vanishes_between_two_of_a_folder_is_an_error_that_names_it(folder):
    records = reading(folder, on_bad_rows="skip")
    next(records)
    (folder / "b.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.txt"):
        list(records)


@pytest.mark.parametrize(
    "options", [{"limit": 0}, {"limit": True}, {"limit": 1.5}, {"skip": -1}, {"skip": None}, {"on_bad_rows": "drop"}]
)
def test_wrong_options_are_refused_by_the_call(folder, options):
    (name,) = options
    with pytest.raises(ValueError, match=rf"^data_loader\.{name} must be"):
        reading(folder, **options)


def test_each_wrong_option_is_told():
    with pytest.raises(ValueError, match=r"limit must .*; .*skip must .*; .*on_bad_rows must "):
        ReadingOptions(limit=0, skip=-1, on_bad_rows="")
    with pytest.raises(ValueError, match=r"encoding.*; .*skip must .*; .*max_row_bytes must "):
        TextOptions(encoding="utf-9", skip=-1, max_row_bytes=1)
    assert not [*ReadingOptions(limit=1, skip=0, on_bad_rows="skip").wrong()]


@pytest.mark.parametrize("columns", ["text", [], ["a", "a"], [1], 5])
def test_a_projection_is_a_list_of_different_names(columns):
    (told,) = wrong_columns(columns)
    assert told.startswith("data_loader.columns")
    assert not [*wrong_columns(["a", "b"]), *wrong_columns(None)]


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "", 1.5, None, "a\0b"])
def test_an_encoding_is_one_of_text(encoding):
    with pytest.raises(ValueError, match=r"^data_loader\.encoding"):
        TextOptions(encoding=encoding)
    assert [TextOptions(encoding=right).encoding for right in ("UTF_8", "cp1252")] == ["UTF_8", "cp1252"]


def test_a_list_is_read_in_its_own_order(folder):
    paths = [folder / "b.txt", str(folder / "c.csv"), Path(folder / "b.txt")]
    assert given(paths) == "cdnocd"
