import json
import os
import re
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_ml.data_loaders import json_block
from codex_ml.data_loaders.json_block import record_of, records_of, records_or_none
from codex_ml.data_loaders.jsonl import load_jsonl

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(TEXT, VALUES, max_size=4), max_size=6)


def same(one: object, other: object) -> bool:
    """Equal in value and type, at any depth."""
    return repr(one) == repr(other)


def write(folder: Path, content: bytes) -> Path:
    path = folder / "data.jsonl"
    path.write_bytes(content)
    return path


def failure(path: Path, **options) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        list(load_jsonl(path, **options))
    return str(caught.value)


@settings(deadline=None)
@given(
    records=RECORDS,
    ascii_only=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n", "\n\n \t\n"]),
    last=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
)
def test_gives_back_what_json_dumps_wrote(records, ascii_only, newline, last, encoding):
    lines = [json.dumps(record, ensure_ascii=ascii_only) for record in records]
    text = newline.join(lines) + (newline if last else "")
    with TemporaryDirectory() as folder:
        path = write(Path(folder), text.encode(encoding))
        loaded = list(load_jsonl(path, encoding="utf-8" if encoding == "utf-8-sig" else encoding))
    assert same(loaded, records)


def test_a_line_separator_in_a_string_ends_no_line(tmp_path):
    path = write(tmp_path, '{"a": "x\u2028y\u0085z"}\n'.encode())
    assert list(load_jsonl(path)) == [{"a": "x\u2028y\u0085z"}]


@pytest.mark.parametrize("number", [2**63, 2**64, 2**64 + 1, -(2**63) - 1, 10**30 + 7])
def test_integers_of_any_size_are_exact(tmp_path, number):
    path = write(tmp_path, json.dumps({"id": number, "in": [{"deep": number}], "float": 1e300}).encode())
    assert list(load_jsonl(path)) == [{"id": number, "in": [{"deep": number}], "float": 1e300}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "malformed JSON"),
        (b'{"a": NaN}', "malformed JSON"),
        (b'{"a": 1} {"b": 2}', "malformed JSON"),
        (b"[1]", "an object is needed, this is a list"),
        (b"null", "an object is needed, this is null"),
        (b'"text"', "an object is needed, this is a string"),
        (b"5", "an object is needed, this is a number"),
        (b"true", "an object is needed, this is a boolean"),
        (b'{"a": "\xa35"}', "not UTF-8 text (byte 0xa3 at position 8)"),
    ],
)
def test_a_bad_line_is_named_with_its_reason(tmp_path, line, reason):
    path = write(tmp_path, b'{"a": 0}\r\n\n' + line + b'\n{"a": 2}\n')
    assert failure(path).startswith(f"{path}:3: {reason}")


def test_the_records_before_a_bad_line_are_given(tmp_path):
    records = load_jsonl(write(tmp_path, b'{"a": 0}\n{"a": 1}\n{'))
    assert [next(records), next(records)] == [{"a": 0}, {"a": 1}]
    with pytest.raises(ValueError, match=r":3: malformed"):
        next(records)


def test_text_in_another_encoding_is_read_with_its_name(tmp_path):
    path = write(tmp_path, '{"a": "£"}\n{"a": "€"}'.encode("cp1252"))
    assert list(load_jsonl(path, encoding="cp1252")) == [{"a": "£"}, {"a": "€"}]
    assert failure(path, encoding="ascii").startswith(f"{path}:1: not ascii text")


def test_an_undecodable_line_of_another_encoding_is_named(tmp_path):
    path = write(tmp_path, '{"a": "x"}\n{"a": "'.encode("utf-16-le") + b"\x00\xd8" + '"}\n'.encode("utf-16-le"))
    assert failure(path, encoding="utf-16-le").startswith(f"{path}:2: not utf-16-le text")


def test_an_unknown_encoding_is_refused(tmp_path):
    assert "unknown encoding 'latin-seven'" in failure(write(tmp_path, b"{}"), encoding="latin-seven")


def test_a_missing_file_is_told_when_the_first_record_is_asked_for(tmp_path):
    records = load_jsonl(tmp_path / "none.jsonl")
    with pytest.raises(FileNotFoundError):
        next(records)


def test_an_empty_file_has_no_records(tmp_path):
    assert list(load_jsonl(write(tmp_path, b""))) == []


def test_a_record_is_given_before_the_rest_is_there(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    seen = threading.Event()

    def feed():
        with path.open("w") as pipe:
            pipe.write('{"a": 0}\n')
            pipe.flush()
            pipe.write('{"a": 1}' if seen.wait(20) else "the first record was held back")

    threading.Thread(target=feed).start()
    records = load_jsonl(path)
    assert next(records) == {"a": 0}
    seen.set()
    assert list(records) == [{"a": 1}]


def test_it_declares_its_api_version():
    assert vars(load_jsonl)["__codex_api__"] == "v1"


def left_out(path: Path, choice: str, **options) -> tuple[list, list]:
    """The records, and line, reason and bytes of the rows that were left out."""
    told = []
    records = list(load_jsonl(path, on_bad_rows=choice, on_bad_row=told.append, **options))
    assert {row.place for row in told} <= {str(path)}
    return records, [(row.line, row.reason, row.raw) for row in told]


def with_numpy(patch: pytest.MonkeyPatch, loaded: bool) -> None:
    """Where numpy is loaded it counts, else Python does."""
    if loaded:
        pytest.importorskip("numpy")
        patch.setattr(json_block, "_NUMPY_BYTES", 1)
    else:
        patch.delitem(sys.modules, "numpy", raising=False)


BAD_ROWS = {
    "cut": (b'{"a": 1', "malformed JSON"),
    "empty list": (b"[]", "an object is needed, this is a list"),
    "two objects": (b'{"a": 1}, {"a": 2}', "malformed JSON"),
    "two objects and a number": (b'{"a": 1},0,{"a": 2}', "malformed JSON"),
    "invalid UTF-8": (b'{"a": "\xff"}', "not UTF-8 text (byte 0xff at position 8)"),
    "NUL": (b'{"a": "\0"}', "malformed JSON"),
    "a tab in a string": (b'{"a": "\t"}', "malformed JSON"),
    "twice": (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice in an object"),
    "twice, escaped": (b'{"a": 1, "\\u0061": 3}', "the key 'a' stands twice in an object"),
    "twice, with spaces": (b'{"a" : 1, "a"\t:3}', "the key 'a' stands twice in an object"),
    "twice, inside": (b'{"a": [{"b": 1, "c": {}, "b": {"c": 2}}]}', "the key 'b' stands twice in an object"),
    "twice, beside an escaped colon": (b'{"a": "\\u003a", "b": 1, "b": 2}', "the key 'b' stands twice in an object"),
    "half a pair": (b'{"a": "\\ud800"}', "malformed JSON"),
    "beyond every float": (b'{"a": 1e999}', "malformed JSON"),
    "beyond every float, below zero": (b'{"a": -1e999}', "malformed JSON"),
    "deep": (b'{"a":' * 3000 + b"1" + b"}" * 3000, "the values are nested too deeply"),
    "deep and large": (b'{"a": ' + b"[" * 990 + b"18446744073709551616" + b"]" * 990 + b"}", "the values are nested"),
    "byte order mark within": (b'\xef\xbb\xbf{"a": 1}', "malformed JSON"),
    "Infinity": (b'{"a": Infinity}', "malformed JSON"),
}


@pytest.mark.parametrize("numpy", [True, False])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_an_error_or_left_out(tmp_path, monkeypatch, case, newline, numpy):
    with_numpy(monkeypatch, numpy)
    line, reason = BAD_ROWS[case]
    path = write(tmp_path, newline.join([b'{"a": 0}', line, b'{"a": 2}', b""]))
    told = failure(path)
    assert told.startswith(f"{path}:2: {reason}")
    assert "\n" not in told
    for choice in ("skip", "quarantine"):
        records, rows = left_out(path, choice)
        assert records == [{"a": 0}, {"a": 2}]
        ((number, why, raw),) = rows
        assert (number, raw) == (2, line + newline.removesuffix(b"\n"))
        assert told == f"{path}:2: {why}"


@pytest.mark.parametrize(
    ("lines", "bad"),
    [
        ([b'{"a": 1', b'"b": 2}'], [1, 2]),
        ([b'{"a": [1', b"2]}"], [1, 2]),
        ([b'{"a": "x', b'y"}'], [1, 2]),
        ([b'{"a": [[1', b"2]]}", b'{"a": 1}, {"b": 2}'], [1, 2, 3]),
        ([b'{"a": [{"x": 1}', b'{"y": 2}]}', b'{"a": 1},0,{"b": 2}'], [1, 2, 3]),
        ([b'{"a": 1},', b'{"b": 2}'], [1]),
        ([b",", b"{}"], [1]),
        ([b"{}", b"]", b"["], [2, 3]),
        ([b"{}]", b"[{}"], [1, 2]),
    ],
)
def test_lines_are_read_one_by_one_even_where_they_would_fit_together(tmp_path, lines, bad):
    path = write(tmp_path, b"\n".join([b'{"z": 0}', *lines, b'{"z": 9}']))
    records, rows = left_out(path, "skip")
    assert [number for number, _, _ in rows] == [number + 1 for number in bad]
    assert [records[0], records[-1]] == [{"z": 0}, {"z": 9}]
    assert len(records) + len(rows) == len(lines) + 2


def unique(pairs):
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("twice")
    return made


def expected(line: bytes):
    """What the standard library says."""
    try:
        record = json.loads(line.decode(), object_pairs_hook=unique)
        json.dumps(record, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def found(line: bytes):
    try:
        return record_of(line)
    except ValueError:
        return None


KEYS = st.sampled_from(["a", "b", "a:", '"', "\\", "a\\", "ab", "é", ""])
STRINGS = st.text(st.sampled_from(' ab:"\\,{}[]é猫\u2028!'), max_size=8)
SPACE = st.sampled_from(["", "", " ", "\t", "  ", "\r"])


@st.composite
def written(draw, depth=2):
    """JSON in any spelling, in which keys may stand twice."""
    kind = draw(st.sampled_from(["object", "list", "string", "number", "word"] if depth else ["string", "number"]))
    if kind == "object":
        pairs = draw(st.lists(st.tuples(KEYS, SPACE, written(depth - 1)), max_size=4))
        return "{" + ",".join(f"{spelt(draw, key)}{space}:{space}{value}" for key, space, value in pairs) + "}"
    if kind == "list":
        return "[" + ", ".join(draw(st.lists(written(depth - 1), max_size=3))) + "]"
    if kind == "string":
        return spelt(draw, draw(STRINGS))
    if kind == "number":
        numbers = ["0", "-1", "1.5", "1e300", "18446744073709551616", "-9223372036854775809", "1E2", "9" * 40]
        return draw(st.sampled_from(numbers))
    return draw(st.sampled_from(["true", "null"]))


def spelt(draw, text: str) -> str:
    """A string as JSON, some characters of it as escapes."""
    plain = json.dumps(text, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 3)) == 0:
        plain = plain.replace(":", draw(st.sampled_from(["\\u003a", "\\u003A"])))
    if draw(st.integers(0, 3)) == 0:
        plain = re.sub(r"\\(.)", lambda escape: "\\u0022" if escape[1] == '"' else escape[0], plain)
    return plain


@pytest.mark.parametrize("numpy", [True, False])
@settings(deadline=None, max_examples=400)
@given(values=st.lists(written() | written().map(lambda text: '{"a": ' + text + "}"), min_size=1, max_size=4))
def test_a_block_and_each_line_alone_are_what_the_standard_library_makes_of_them(numpy, values):
    lines = [value.encode() for value in values]
    with pytest.MonkeyPatch.context() as patch:
        with_numpy(patch, numpy)
        alone = [found(line) for line in lines]
        together = records_of(b"\n".join(lines) + b"\n")
        each = records_or_none(lines)
    wanted = [expected(line) for line in lines]
    assert same(alone, wanted)
    assert same(each, wanted)
    assert together is None or same(together, wanted)


@pytest.mark.parametrize("numpy", [True, False])
def test_text_that_looks_like_json_is_not_read_line_by_line(monkeypatch, numpy):
    with_numpy(monkeypatch, numpy)
    texts = [
        '{"key": [1, 2]}',
        'C:\\dir\\"a": \\',
        '{"a\\": "\\d+"}',
        "At 10:30 he said : “no”",
        'a "b": c',
        "https://example.org/?a=b:c",
        "x\u2028: !",
    ]
    for ascii_only in (True, False):
        for separators in ((", ", ": "), (",", ":"), (" , ", " : ")):
            lines = [
                json.dumps({"dc:text": text, "n": more}, ensure_ascii=ascii_only, separators=separators)
                for text in texts
                for more in ([1], {"deep": [2**70, {"x": 0.5}]}, [{"x:": [], "\n": text}])
            ]
            assert records_of("\n".join(lines).encode()) == [json.loads(line) for line in lines]


def test_a_line_that_is_too_long_is_a_bad_row(tmp_path):
    path = write(tmp_path, b'{"a": 1}\n{"a": "' + b"x" * 2**21 + b'"}\n{"a": 3}\n{')
    records, rows = left_out(path, "quarantine", max_row_bytes=2**20)
    assert records == [{"a": 1}, {"a": 3}]
    assert [(number, reason[:23]) for number, reason, _ in rows] == [
        (2, "the line is longer than"),
        (4, "malformed JSON: unexpec"),
    ]
    assert "data_loader.max_row_bytes must be" in failure(path, max_row_bytes=2.0)
