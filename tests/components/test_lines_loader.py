import bz2
import gzip
import lzma
import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_ml.data_loaders.lines import LinesConfig, load_lines

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), max_size=12)


def write(folder: Path, content: bytes) -> Path:
    path = folder / "data.txt"
    path.write_bytes(content)
    return path


def texts(path: object, **options) -> list[str]:
    return [record["text"] for record in load_lines(path, **options)]


def left_out(path: Path, choice: str, **options) -> tuple[list, list]:
    told = []
    given = texts(path, on_bad_rows=choice, on_bad_row=told.append, **options)
    assert {row.place for row in told} <= {str(path)}
    return given, [(row.line, row.reason, row.raw) for row in told]


@settings(deadline=None)
@given(
    lines=st.lists(LINE.filter(lambda line: not line.endswith("\r")), max_size=8),
    newline=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
    keep_empty=st.booleans(),
)
def test_gives_back_the_lines_that_were_written(lines, newline, last, encoding, keep_empty):
    # A mark at the start of the file is none of the text.
    lines = [line.removeprefix("\ufeff") for line in lines]
    text = newline.join(lines) + (newline if last and lines else "")
    with TemporaryDirectory() as folder:
        path = write(Path(folder), text.encode(encoding))
        loaded = texts(path, keep_empty=keep_empty, encoding=encoding)
    if lines and not last and not lines[-1]:
        # What follows the last newline is no line where nothing does.
        lines = lines[:-1]
    assert loaded == [line for line in lines if keep_empty or (line and not line.isspace())]


def test_only_a_newline_ends_a_line(tmp_path):
    line = "a\u2028b\u0085c\vd\fe\rf\x1cg"
    assert texts(write(tmp_path, f"{line}\r\n{line}\r\r\n".encode())) == [line, f"{line}\r"]


def test_blank_lines_are_left_out_unless_asked_for(tmp_path):
    path = write(tmp_path, "\n  \na \n\u3000\n\n".encode())
    assert texts(path) == ["a "]
    assert texts(path, keep_empty=True) == ["", "  ", "a ", "\u3000", ""]


def test_the_column_has_the_name_asked_for(tmp_path):
    assert list(load_lines(write(tmp_path, b"x"), column="sentence")) == [{"sentence": "x"}]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"caf\xe9", "not UTF-8 text (byte 0xe9 at position 4); set `encoding`"),
        (b"a\0b", "a NUL character; is the file in another encoding?"),
        (b"\xed\xa0\x80", "not UTF-8 text (byte 0xed at position 1); set `encoding`"),
    ],
)
def test_a_bad_line_is_an_error_or_left_out(tmp_path, line, reason, newline):
    path = write(tmp_path, newline.join([b"\xef\xbb\xbfa", b"", line, b"c", b""]))
    lines = load_lines(path)
    assert next(lines) == {"text": "a"}
    with pytest.raises(ValueError, match=r"\S") as caught:
        next(lines)
    assert str(caught.value) == f"{path}:3: {reason}"
    for choice in ("skip", "quarantine"):
        assert left_out(path, choice) == (["a", "c"], [(3, reason, line + newline.removesuffix(b"\n"))])
        assert left_out(path, choice, keep_empty=True)[0] == ["a", "", "c"]


def test_text_in_another_encoding_is_read_with_its_name(tmp_path):
    path = write(tmp_path, b"\xa35\n\x81\nx")
    assert left_out(path, "skip", encoding="cp1252") == (
        ["£5", "x"],
        [(2, "not cp1252 text (byte 0x81 after 0 characters); set `encoding`", b"\x81")],
    )


def test_a_character_cut_in_two_by_the_end_of_a_read_is_whole(tmp_path):
    text = "猫" * 2**17
    for encoding in ("utf-8", "utf-16", "shift_jis"):
        assert texts(write(tmp_path, f"x{text}\n{text}".encode(encoding)), encoding=encoding) == [f"x{text}", text]


def test_an_empty_file_has_no_records(tmp_path):
    for content in (b"", b"\xef\xbb\xbf", b"\n"):
        assert texts(write(tmp_path, content)) == []


def test_a_line_of_50_megabytes_is_a_record_or_a_bad_row(tmp_path):
    long = b"x" * (50 * 2**20)
    given, rows = left_out(write(tmp_path, b"a\n" + long + b"\nb\n" + long + b"\xff\nc"), "skip")
    assert [len(text) for text in given] == [1, len(long), 1, 1]
    assert [(number, len(raw)) for number, _, raw in rows] == [(4, len(long) + 1)]


@pytest.mark.parametrize("end", [b"\nb\n\xff\n", b"", b"\n"])
def test_a_line_that_is_too_long_is_a_bad_row_and_the_next_is_read(tmp_path, end):
    path = write(tmp_path, b"a\n" + "é".encode() * 2**20 + end)
    given, rows = left_out(path, "skip", max_row_bytes=2**20)
    assert given == ["a", "b"][: 1 + end.count(b"b")]
    assert (rows[0][0], len(rows[0][2])) == (2, 2**20)
    assert rows[0][1] == "the line is longer than the 1048576 bytes of data_loader.max_row_bytes"
    assert [number for number, _, _ in rows[1:]] == [4] * end.count(b"\xff")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_of_a_packed_file_that_is_cut_short_what_stands_before_the_cut_is_given(tmp_path, pack):
    lines = [os.urandom(40).hex() for _ in range(40_000)]
    whole = pack("\n".join(lines).encode())
    path = write(tmp_path, whole[: len(whole) // 2])
    given, ((number, reason, raw),) = left_out(path, "skip")
    assert given == lines[: len(given)]
    assert len(given) > 1000
    assert number == len(given) + 1
    assert lines[len(given)].encode().startswith(raw)
    with pytest.raises(ValueError, match="cut short") as caught:
        texts(path)
    assert str(caught.value) == f"{path}:{number}: {reason}"


def test_files_of_a_folder_are_read_in_order(tmp_path):
    (tmp_path / "b.txt").write_bytes(b"b")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a\n"))
    (tmp_path / "c.csv").write_bytes(b"c")
    assert texts(tmp_path) == ["a", "b"]
    assert texts(str(tmp_path / "*.csv")) == ["c"]
    assert texts([tmp_path / "c.csv", tmp_path]) == ["c", "a", "b"]
    assert texts(tmp_path, skip=1, limit=1) == ["b"]


def test_another_kind_of_file_is_an_error_whatever_becomes_of_bad_rows(tmp_path):
    path = write(tmp_path, b"PAR1\x15\x04")
    with pytest.raises(ValueError, match=r":1: this is a Parquet file: data_loader=parquet"):
        texts(path, on_bad_rows="skip")


def test_a_line_is_given_before_the_rest_is_there(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    seen = threading.Event()

    def feed():
        with path.open("w") as pipe:
            pipe.write("a longer first line\n")
            pipe.flush()
            pipe.write("b" if seen.wait(20) else "the first record was held back")

    threading.Thread(target=feed).start()
    lines = load_lines(path)
    assert next(lines) == {"text": "a longer first line"}
    seen.set()
    assert list(lines) == [{"text": "b"}]


@pytest.mark.parametrize(
    "options",
    [
        {"column": ""},
        {"column": 1},
        {"keep_empty": 1},
        {"encoding": "x"},
        {"limit": 0},
        {"skip": -1},
        {"max_row_bytes": 9},
    ],
)
def test_wrong_options_are_refused(options):
    (name,) = options
    for use in (lambda: LinesConfig(**options), lambda: load_lines("x", **options)):
        with pytest.raises(ValueError, match=rf"^data_loader\.{name}"):
            use()
