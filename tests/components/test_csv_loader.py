import codecs
import csv
import gzip
import io
import os
import threading
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_ml.data_loaders import csv_arrow, csv_blocks, csv_rows
from codex_ml.data_loaders.byte_counts import byte_counter, line_counter
from codex_ml.data_loaders.csv import load_csv
from codex_ml.data_loaders.csv_quotes import unclosed_quote

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


def failure(path: Path, **options: Any) -> str:
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
        (b'a,b\n1,2\n3,"4\n5,6\n', 3, "the quote that opens in line 3 is never closed; lines 3 to 4 are lost"),
        (b'a,b\n1,2\n"3\n","4\n5,6"\n"",""\n"7', 7, "the quote that opens in line 7 is never closed; line 7 is lost"),
        (b'a,b\n1,2\n"3\n",x"4",\n"3\n","4"",\n5,6', 3, "3 fields"),
        (b'a,b\r\n1,2\r\n"3\r\n","4"",\r\n5,6', 3, "the quote that opens in line 4 is never closed; lines 3 to 5 are"),
        (b'a,b\n1,"2"x\n', 2, "',' expected after '\"'"),
        (b'a,b\n1,"2\n3\n4"x\n', 2, "',' expected after '\"' on line 4"),
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


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"delimiter": ""}, "data_loader.delimiter must be one character"),
        ({"delimiter": ",,"}, "data_loader.delimiter must be one character"),
        ({"delimiter": "\n"}, "data_loader.delimiter must be one character"),
        ({"delimiter": "\\t"}, "data_loader.delimiter must be one character"),
        ({"delimiter": '"'}, "data_loader.delimiter must be another character than data_loader.quotechar"),
        ({"quotechar": "''"}, "data_loader.quotechar must be one character"),
        ({"encoding": "latin-seven"}, "data_loader.encoding: unknown encoding"),
        ({"column_names": ["a", "a"]}, "data_loader.column_names has 'a' twice"),
        ({"columns": []}, "data_loader.columns must name at least one column"),
        ({"types": {"a": "date"}}, "data_loader.types.a must be one of str, int, float, bool"),
        ({"limit": 0}, "data_loader.limit"),
        ({"max_row_bytes": 1000}, "data_loader.max_row_bytes must be a whole number, 1048576 or more"),
        ({"skip": -1}, "data_loader.skip"),
        ({"on_bad_rows": "drop"}, "data_loader.on_bad_rows"),
    ],
)
def test_an_option_that_will_not_do_is_named(tmp_path, options, told):
    assert told in failure(write(tmp_path, b"a\n1\n"), **options)


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


# Bytes that a CSV file is full of, so that all that can go wrong with quotes and newlines does.
MESS = st.text(st.sampled_from([*'"",,\n\r', "a", "é", "\u2028", " ", "\ufeff"]), max_size=40)


def by_the_standard_library(text: str, width: int) -> list[list[str]] | None:
    """The rows of a text without a header; None where one is bad."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True) if row]
    except csv.Error:
        return None
    return rows if all(len(row) == width for row in rows) else None


@pytest.mark.parametrize("size", [1, 7, 2**16])
@pytest.mark.parametrize("arrow", [True, False])
def test_every_text_is_read_as_the_csv_module_reads_it(arrow, size):
    @settings(deadline=None, max_examples=150)
    @given(text=MESS, width=st.integers(1, 3), repeats=st.integers(1, 3), part=st.integers(1, 40))
    def check(text, width, repeats, part):
        text = text * repeats
        expected = by_the_standard_library(text, width)
        names = [str(number) for number in range(width)]
        with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
            patched.setattr(csv_blocks, "_FIRST", size)
            patched.setattr(csv_blocks, "_SIZE", size)
            patched.setattr(csv_rows, "_PART", part)
            patched.setattr(csv_rows, "_PAUSE", part % 2 * 3)
            if not arrow:
                patched.setattr("codex_ml.data_loaders.csv_rows.arrow_parser", lambda *given: None)
            path = write(Path(folder), text.encode())
            if expected is None:
                assert failure(path, column_names=names).startswith(f"{path}:")
                return
            loaded = list(load_csv(path, column_names=names))
        assert [list(record.values()) for record in loaded] == expected

    check()


@settings(deadline=None, max_examples=150)
@given(text=MESS, size=st.integers(1, 99), part=st.integers(1, 30))
def test_a_bad_row_is_left_out_and_all_others_are_given_with_their_bytes(text, size, part):
    """What is given and what is left out is, together, the file, but for empty lines."""
    told = []
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_blocks, "_FIRST", size)
        patched.setattr(csv_blocks, "_SIZE", size)
        patched.setattr(csv_rows, "_PART", part)
        patched.setattr(csv_rows, "_PAUSE", part % 2 * 3)
        path = write(Path(folder), text.encode())
        options: Any = {"column_names": ["a", "b"], "on_bad_rows": "quarantine", "on_bad_row": told.append}
        records = list(load_csv(path, **options))
        lines = io.StringIO(text.removeprefix("\ufeff"), newline="").readlines()
        kept = [line.encode() for line in lines]
        for row in told:
            for number in range(
                row.line - 1, row.line - 1 + len(io.StringIO(row.raw.decode(), newline="").readlines())
            ):
                assert kept[number] in row.raw
                kept[number] = b""
        path.write_bytes(codecs.BOM_UTF8 + b"".join(kept))
        assert list(load_csv(path, column_names=["a", "b"])) == records


def test_pyarrow_is_taken_where_quotes_are_as_rfc_4180_has_them():
    parser = csv_arrow.arrow_parser(",", '"', 2)
    assert parser is not None
    for text in ('1,"a\n""b"""\r\n"",2\n', '"a",b', "é,\u2028\n"):
        assert parser.columns(csv_blocks.Block(text.encode(), len(text.encode()), 1, True)) is not None
    for text in ('1,"2"x\n', '1,2"\n', '1,"2\n', '1, "2"\n', "1\n", '"1"", 2'):
        assert parser.columns(csv_blocks.Block(text.encode(), len(text.encode()), 1, True)) is None


@given(data=st.lists(st.sampled_from([b"\r", b"\n", b"a", b'"'])).map(b"".join), cut=st.integers(0, 5))
def test_lines_and_bytes_are_counted_alike_with_numpy_and_without(data, cut):
    end = max(0, len(data) - cut)
    counts = [(line_counter()(data, end), byte_counter(b'"')(data, end))]
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(__import__("sys").modules, "numpy", None)
        counts.append((line_counter()(data, end), byte_counter(b'"')(data, end)))
    assert counts[0] == counts[1]
    if end == len(data):
        assert counts[0][1] == data.count(b'"')
        assert counts[0][0] == sum(line[-1:] in b"\r\n" for line in data.splitlines(keepends=True))


BAD = [
    (b"x\n", "1 fields where the header has 2"),
    (b"x,y,z\r\n", "3 fields where the header has 2"),
    (b'x,"y"z\n', "',' expected after '\"'"),
    (b'x,"y\n\ny"z\n', "',' expected after '\"' on line 5"),
    (b"x,\0\n", "a NUL character"),
    (b"x,\xff\n", "not utf-8 text"),
    (b'x,"\n\xff"\n', "not utf-8 text"),
    (b"x,1.5\n", "b: '1.5' is no int"),
]


@pytest.mark.parametrize("choice", ["error", "skip", "quarantine"])
@pytest.mark.parametrize(("raw", "reason"), BAD)
def test_a_bad_row_ends_the_reading_is_left_out_or_kept(tmp_path, caplog, choice, raw, reason):
    path = write(tmp_path, b"a,b\n0,1\n" + raw + b'"2",3\n')
    told: list[Any] = []
    options: Any = {"types": {"b": "int"}, "on_bad_rows": choice}
    if choice == "error":
        records = load_csv(path, **options)
        assert next(records) == {"a": "0", "b": 1}
        with pytest.raises(ValueError, match=r"data\.csv:3: ") as caught:
            next(records)
        assert str(caught.value).startswith(f"{path}:3: {reason}")
        return
    if choice == "quarantine":
        options["on_bad_row"] = told.append
    assert list(load_csv(path, **options)) == [{"a": "0", "b": 1}, {"a": "2", "b": 3}]
    if choice == "quarantine":
        assert [(row.place, row.line, row.raw) for row in told] == [(str(path), 3, raw)]
        assert told[0].reason.startswith(reason)
    else:
        assert "1 bad row was left out" in caplog.text


def test_an_unclosed_quote_takes_the_rest_of_the_file_along(tmp_path):
    rest = b'3,"4\n' + b"5,6\n" * 300_000
    told: list[Any] = []
    path = write(tmp_path, b"a,b\n1,2\n" + rest)
    assert list(load_csv(path, on_bad_rows="quarantine", on_bad_row=told.append)) == [{"a": "1", "b": "2"}]
    assert [(row.line, row.raw) for row in told] == [(3, rest)]
    assert told[0].reason == "the quote that opens in line 3 is never closed; lines 3 to 300003 are lost"


@pytest.mark.parametrize("end", [b"5,6\n", b"5,6", b"5,6\n\n"])
def test_a_row_longer_than_the_longest_ends_the_file_and_the_lines_that_are_lost_are_told(tmp_path, end):
    path = write(tmp_path, b'a,b\n1,2\n"3\n","4\n' + b"5,6\n" * 2**20 + end)
    told: list[Any] = []
    options: Any = {"on_bad_rows": "quarantine", "on_bad_row": told.append, "max_row_bytes": 2**20}
    assert list(load_csv(path, **options)) == [{"a": "1", "b": "2"}]
    ((line, reason, size),) = [(row.line, row.reason, len(row.raw)) for row in told]
    assert (line, size) == (3, 2**20 + 1)
    last = 4 + 2**20 + len(end.splitlines())
    assert reason == (
        "the quote that opens in line 4 does not end within the 1048576 bytes of data_loader.max_row_bytes; "
        f"lines 3 to {last} are lost"
    )


def test_a_row_may_have_as_many_bytes_as_the_option_says(tmp_path):
    path = write(tmp_path, b'a,b\n1,"' + b"x" * (2**20 - 4) + b'"\n2,3\n')
    assert [row["a"] for row in load_csv(path, max_row_bytes=2**20)] == ["1", "2"]
    path.write_bytes(b'a,b\n1,"' + b"x" * (2**20 - 3) + b'"\n2,3\n')
    assert failure(path, max_row_bytes=2**20).startswith(f"{path}:2: the ")


def test_an_unclosed_quote_takes_no_many_times_its_size_in_memory(tmp_path):
    size = 2**25
    path = write(tmp_path, b'a,b\n1,2\n3,"4\n' + b"5,6\n" * (size // 4))
    told: list[Any] = []
    tracemalloc.start()
    try:
        assert len(list(load_csv(path, on_bad_rows="quarantine", on_bad_row=told.append))) == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert told[0].reason.endswith(f"lines 3 to {size // 4 + 3} are lost")
    assert peak < 4.5 * size


@settings(deadline=None, max_examples=1000)
@given(text=MESS)
def test_a_quote_is_never_closed_where_the_csv_module_finds_the_end_of_the_data(text):
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, strict=True)
    found = start = None
    while found is None:
        start = reader.line_num
        try:
            next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            found = start if "unexpected end of data" in str(error) else None
    told = unclosed_quote(text.encode(), b",", b'"')
    assert (told is None) == (found is None)
    if told is not None:
        assert told[0] == len("".join(lines[:found]).encode())
        assert text.encode()[told[1] : told[1] + 1] == b'"'


@pytest.mark.parametrize("part", [1, 100, 3000])
@pytest.mark.parametrize("arrow", [True, False])
def test_rows_between_bad_ones_are_read_with_types_columns_and_blank_lines(tmp_path, monkeypatch, arrow, part):
    monkeypatch.setattr(csv_rows, "_PART", part)
    if not arrow:
        monkeypatch.setattr("codex_ml.data_loaders.csv_rows.arrow_parser", lambda *given: None)
    odd = {3: b"x\n", 50: b"1,2,\xff\n", 51: b'1,2,"3"x\n', 70: b"1,no,3\n", 90: b'1,"2\n",3\n'}
    lines = [
        odd.get(number, b"\n" if number % 7 == 0 else f"{number},{number},t{number}\n".encode()) for number in range(99)
    ]
    path = write(tmp_path, b"a,b,c\n" + b"".join(lines))
    told: list[Any] = []
    options: Any = {"columns": ["c", "b"], "types": {"b": "int"}, "on_bad_rows": "quarantine"}
    records = list(load_csv(path, **options, on_bad_row=told.append))
    good = [number for number in range(99) if number % 7 and number not in odd]
    assert records == [{"c": f"t{number}", "b": number} for number in good]
    assert [(row.line, row.raw) for row in told] == [(number + 2, raw) for number, raw in odd.items()]


@pytest.mark.parametrize("choice", ["error", "skip"])
def test_what_stands_before_the_cut_of_a_compressed_file_is_given(tmp_path, choice):
    whole = "id,text\n" + "".join(f'{number},"{os.urandom(20).hex()}"\n' for number in range(5000))
    path = tmp_path / "data.csv.gz"
    packed = gzip.compress(whole.encode())
    path.write_bytes(packed[: len(packed) // 2])
    records = load_csv(path, on_bad_rows=choice)
    given: list[dict[str, Any]] = []
    if choice == "error":
        with pytest.raises(ValueError, match=r"data\.csv\.gz:\d+: the compressed data end too early") as caught:
            given.extend(records)
        assert f":{len(given) + 2}: " in str(caught.value)
    else:
        given.extend(records)
    assert 1000 < len(given) < 5000
    assert given == list(load_csv(write(tmp_path, whole.encode())))[: len(given)]


def test_options_choose_columns_rows_names_and_types(tmp_path):
    path = write(tmp_path, b"1,x,0.5,true\n2,y,-1e3,0\n3,z,nan,FALSE\n")
    names = ["id", "text", "score", "good"]
    types: Any = {"id": "int", "score": "float", "good": "bool"}
    records = list(load_csv(path, column_names=names, types=types, columns=["good", "id"], skip=1, limit=1))
    assert records == [{"good": False, "id": 2}]
    assert list(records[0]) == ["good", "id"]
    assert [each["score"] for each in load_csv(path, column_names=names, types=types)][:2] == [0.5, -1000.0]


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path):
    path = write(tmp_path, b"a,b\n1,2\n")
    assert failure(path, columns=["c"], on_bad_rows="skip").startswith(f"{path}:1: there is no column 'c'")
    assert "it has: a, b" in failure(path, types={"c": "int"})


def test_quotes_are_text_where_there_is_no_quotechar(tmp_path):
    path = write(tmp_path, b'a\tb\n5" pipe\t"x\n')
    assert list(load_csv(path, delimiter="\t", quotechar=None)) == [{"a": '5" pipe', "b": '"x'}]


def test_a_parquet_file_is_told_what_it_is(tmp_path):
    assert "this is a Parquet file; read it with data_loader=parquet" in failure(write(tmp_path, b"PAR1\x15\x04,\n"))


def test_all_files_of_a_folder_are_read_each_with_its_header(tmp_path):
    (tmp_path / "b.csv").write_bytes(codecs.BOM_UTF8 + b"b,a\n2,1\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\r\n3,4\r\n"))
    (tmp_path / "c.txt").write_bytes(b"no data")
    assert list(load_csv(tmp_path)) == [{"a": "3", "b": "4"}, {"b": "2", "a": "1"}]
    records = load_csv(tmp_path)
    next(records)
    (tmp_path / "b.csv").unlink()
    with pytest.raises(FileNotFoundError):
        next(records)


@pytest.mark.parametrize("content", [b"a,b\n", b"a,b", b"\n\na,b\r\n\r\n"])
def test_a_header_alone_has_no_records(tmp_path, content):
    assert list(load_csv(write(tmp_path, content))) == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252"])
def test_the_bytes_of_a_bad_row_in_another_encoding_can_be_decoded(tmp_path, encoding):
    told: list[Any] = []
    path = write(tmp_path, 'a,b\n1,"é\n"x\n3,4\n'.encode(encoding))
    records = list(load_csv(path, encoding=encoding, on_bad_rows="quarantine", on_bad_row=told.append))
    assert records == [{"a": "3", "b": "4"}]
    assert told[0].raw.decode(encoding) == '1,"é\n"x\n'
