import json
import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def failure(path: Path, **options: str) -> str:
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


def test_a_folder_is_refused(tmp_path):
    assert "is a folder" in failure(tmp_path)


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
