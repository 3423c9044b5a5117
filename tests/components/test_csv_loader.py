import csv
import io
import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_ml.data_loaders.csv import load_csv

FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.tuples(
        st.lists(FIELD, min_size=width, max_size=width, unique=True),
        st.lists(st.lists(FIELD, min_size=width, max_size=width), max_size=6),
    )
)


def write(folder: Path, content: bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(content)
    return path


def failure(path: Path, **options: str) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        list(load_csv(path, **options))
    return str(caught.value)


@settings(deadline=None)
@given(
    table=TABLES,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8-sig", "utf-16"]),
)
def test_gives_back_what_csv_writer_wrote(table, delimiter, quoting, encoding):
    header, rows = table
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([header, *rows])
    with TemporaryDirectory() as folder:
        path = write(Path(folder), text.getvalue().encode(encoding))
        named = "utf-8" if encoding == "utf-8-sig" else encoding
        loaded = list(load_csv(path, delimiter=delimiter, encoding=named))
    assert loaded == [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_values_stay_the_text_they_are(tmp_path, newline):
    text = newline.join(["id,a,b,c", "007,NA,null,", '" x ",1e5, true,"a ""b"""', ""])
    assert list(load_csv(write(tmp_path, text.encode()))) == [
        {"id": "007", "a": "NA", "b": "null", "c": ""},
        {"id": " x ", "a": "1e5", "b": " true", "c": 'a "b"'},
    ]


def test_newlines_in_quotes_are_kept_and_empty_lines_skipped(tmp_path):
    path = write(tmp_path, b'\xef\xbb\xbfa,b\r\n\r\n"one\r\n\r\ntwo\n",x\r\n')
    assert list(load_csv(path)) == [{"a": "one\r\n\r\ntwo\n", "b": "x"}]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "no header"),
        (b"\n\n", 1, "no header"),
        (b"a,b,a\n1,2,3\n", 1, "the header has 'a' twice"),
        (b"a,b\n1,2\n3\n", 3, "1 fields where the header has 2"),
        (b"a,b\n1,2\n3,4,5\n", 3, "3 fields where the header has 2"),
        (b'a,b\n"1\n1",2\n3\n', 4, "1 fields where the header has 2"),
        (b'a,b\n1,2\n3,"4\n5,6\n', 3, "a quote in the row that starts here is never closed"),
        (b'a,b\n1,"2"x\n', 2, "',' expected after '\"'"),
        (b'a,b\n1,"2\n3\n4"x\n', 4, "',' expected after '\"' (the row starts on line 2)"),
        (b"a,b\n1,2\n1,\x002\n", 3, "a NUL character"),
        (b"a,b\n1,2\n\n1,\xa32\n", 4, "not utf-8 text"),
    ],
)
def test_a_bad_row_is_named_with_its_reason(tmp_path, content, line, reason):
    path = write(tmp_path, content)
    assert failure(path).startswith(f"{path}:{line}: {reason}")


def test_an_undecodable_line_far_down_is_named(tmp_path):
    path = write(tmp_path, b"a,b\n" + b"1,2\n" * 10_000 + b"\xff,2\n" + b"1,2\n" * 10_000)
    assert failure(path).startswith(f"{path}:10002: not utf-8 text")


@pytest.mark.parametrize(("encoding", "bad"), [("cp1252", b"\x81"), ("utf-16-le", b"\x00\xd8"), ("shift_jis", b"\xff")])
def test_an_undecodable_line_of_another_encoding_is_named(tmp_path, encoding, bad):
    path = write(tmp_path, "a,b\n1,".encode(encoding) + bad + "\n1,2\n".encode(encoding))
    assert failure(path, encoding=encoding).startswith(f"{path}:2: not {encoding} text")


def test_text_in_another_encoding_is_read_with_its_name(tmp_path):
    assert list(load_csv(write(tmp_path, "a\n£\n".encode("cp1252")), encoding="cp1252")) == [{"a": "£"}]


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\\t"])
def test_a_delimiter_that_cannot_be_one_is_refused(tmp_path, delimiter):
    assert "the delimiter must be one character" in failure(write(tmp_path, b"a\n1\n"), delimiter=delimiter)


def test_an_unknown_encoding_is_refused(tmp_path):
    assert "unknown encoding" in failure(write(tmp_path, b"a\n1\n"), encoding="latin-seven")


def test_a_folder_is_refused(tmp_path):
    assert "is a folder" in failure(tmp_path)


def test_a_missing_file_is_told_when_the_first_record_is_asked_for(tmp_path):
    rows = load_csv(tmp_path / "none.csv")
    with pytest.raises(FileNotFoundError):
        next(rows)


@pytest.mark.parametrize("big", ["x" * 1_000_000, "line\n" * 200_000])
def test_a_field_may_be_of_any_size(tmp_path, big):
    rows = load_csv(write(tmp_path, f'a,b\n1,"{big}"\n2,y\n'.encode()))
    for expected in ({"a": "1", "b": big}, {"a": "2", "b": "y"}):
        assert next(rows) == expected


def test_threads_read_big_fields_at_once(tmp_path):
    value = "some text\n" * 20_000
    path = write(tmp_path, ("a,b\n" + f'1,"{value}"\n' * 20).encode())
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(sum(row["b"] == value for row in load_csv(path))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [20] * 4


def test_a_record_is_given_before_the_rest_is_there(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    seen = threading.Event()

    def feed():
        with path.open("w") as pipe:
            pipe.write("a\n0\n")
            pipe.flush()
            pipe.write("1" if seen.wait(20) else "the first record was held back")

    threading.Thread(target=feed).start()
    records = load_csv(path)
    assert next(records) == {"a": "0"}
    seen.set()
    assert list(records) == [{"a": "1"}]


def test_it_declares_its_api_version():
    assert vars(load_csv)["__codex_api__"] == "v1"


def test_another_delimiter_is_thought_of(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text;label\n"a, b";x\n')
    with pytest.raises(ValueError, match=r"a\.csv:2: .*; is `delimiter` another character here\?$"):
        list(load_csv(path))
