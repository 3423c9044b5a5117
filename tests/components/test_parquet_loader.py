import datetime
import gzip
import json
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_ml.data_loaders import parquet_file
from codex_ml.data_loaders.arrow_values import values
from codex_ml.data_loaders.parquet import load_parquet

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
MOMENTS = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
# Arrow types with what Python values they take.
FLAT: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.string(), TEXT),
    (pa.large_string(), TEXT),
    (pa.string_view(), TEXT),
    (pa.binary(), st.binary(max_size=4)),
    (pa.binary(2), st.binary(min_size=2, max_size=2)),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.bool_(), st.booleans()),
    (pa.null(), st.none()),
    (pa.decimal128(12, 3), st.decimals(-1000, 1000, places=3)),
    (pa.date32(), st.dates()),
    (pa.timestamp("us"), MOMENTS),
    (
        pa.timestamp("ms", "Europe/Zurich"),
        st.datetimes(datetime.datetime(1980, 1, 1)).map(lambda t: t.replace(microsecond=0)),
    ),
    (pa.time64("us"), st.times()),
    (pa.duration("us"), st.timedeltas(datetime.timedelta(-9999), datetime.timedelta(9999))),
    (pa.dictionary(pa.int32(), pa.string()), TEXT),
]


def nested(inner: tuple[pa.DataType, st.SearchStrategy[Any]]) -> st.SearchStrategy[tuple[pa.DataType, Any]]:
    kind, items = inner
    some = st.one_of(st.none(), items)
    return st.sampled_from(
        [
            (pa.list_(kind), st.lists(some, max_size=3)),
            (pa.large_list(kind), st.lists(some, max_size=3)),
            (pa.list_(kind, 2), st.lists(some, min_size=2, max_size=2)),
            (pa.struct([("x", kind), ("y", pa.string())]), st.fixed_dictionaries({"x": some, "y": TEXT})),
            (pa.map_(pa.string(), kind), st.lists(st.tuples(TEXT, some), max_size=3)),
        ]
    )


KINDS = (
    st.sampled_from(FLAT)
    | st.sampled_from(FLAT).flatmap(nested)
    | st.sampled_from(FLAT).flatmap(nested).flatmap(nested)
)
ARRAYS = KINDS.flatmap(
    lambda kind: st.lists(st.one_of(st.none(), kind[1]), max_size=8).map(lambda items: pa.array(items, kind[0]))
)


@settings(deadline=None, max_examples=300)
@given(array=ARRAYS, start=st.integers(0, 3), length=st.integers(0, 8))
def test_values_are_those_of_to_pylist_for_every_type_and_slice(array, start, length):
    part = array.slice(min(start, len(array)), length)
    found, expected = values(part), part.to_pylist()
    assert found == expected
    assert repr(found) == repr(expected)


def write(folder: Path, table: pa.Table, **options: Any) -> Path:
    path = folder / "data.parquet"
    pq.write_table(table, path, **options)
    return path


def table_of_texts(rows: int) -> pa.Table:
    return pa.table({"id": list(range(rows)), "text": [f"text {row} é" for row in range(rows)]})


def failure(path: Path, **options: Any) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        list(load_parquet(path, **options))
    return str(caught.value)


@pytest.mark.parametrize("rows_in_a_group", [1, 7, 1000, 100_000])
def test_rows_are_those_of_to_pylist_whatever_the_row_groups(tmp_path, rows_in_a_group):
    table = table_of_texts(3000)
    path = write(tmp_path, table, row_group_size=rows_in_a_group)
    assert list(load_parquet(path)) == table.to_pylist()
    assert list(load_parquet(path, skip=10, limit=5)) == table.slice(10, 5).to_pylist()


def test_nested_columns_are_lists_and_dicts(tmp_path):
    rows = [
        {
            "tags": ["a", None],
            "meta": {"n": 1, "when": datetime.datetime(2020, 1, 2, 3, 4, 5, 6)},
            "price": Decimal("1.50"),
        },
        {"tags": None, "meta": None, "price": None},
        {"tags": [], "meta": {"n": None, "when": None}, "price": Decimal("0.00")},
    ]
    assert list(load_parquet(write(tmp_path, pa.Table.from_pylist(rows)))) == rows


def test_only_the_columns_that_are_wanted_are_read_in_their_order(tmp_path):
    table = pa.table({"a": [{"b": 1}], "a.b": [2], "c": [3]})
    path = write(tmp_path, table)
    assert list(load_parquet(path, columns=["c", "a.b"])) == [{"c": 3, "a.b": 2}]
    assert list(next(load_parquet(path, columns=["c", "a.b"]))) == ["c", "a.b"]
    assert list(load_parquet(path, columns=["a"])) == [{"a": {"b": 1}}]
    told = failure(path, columns=["b"], on_bad_rows="skip")
    assert told == f"{path}: there is no column 'b', which data_loader.columns names; it has: a, a.b, c"


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert failure(write(tmp_path, table), on_bad_rows="skip").endswith(": two columns are called 'a'")


def not_utf8(rows: int, bad: int) -> pa.Table:
    texts = [b"x\xff" if row == bad else b"good" for row in range(rows)]
    array = pa.array(texts, pa.binary()).view(pa.string())
    return pa.table({"id": list(range(rows)), "text": array})


@pytest.mark.parametrize("choice", ["error", "skip", "quarantine"])
def test_a_row_whose_text_is_not_utf8_ends_the_reading_is_left_out_or_kept(tmp_path, caplog, choice):
    path = write(tmp_path, not_utf8(2000, 1500), row_group_size=600)
    told: list[Any] = []
    options: Any = {"on_bad_rows": choice} | ({"on_bad_row": told.append} if choice == "quarantine" else {})
    given_: list[dict[str, Any]] = []
    reason = "text: not UTF-8 text (byte 0xff at position 2)"
    if choice == "error":
        with pytest.raises(ValueError, match=r"not UTF-8") as caught:
            given_.extend(load_parquet(path, **options))
        assert str(caught.value) == f"{path}:1501: {reason}"
        return
    given_.extend(load_parquet(path, **options))
    assert [record["id"] for record in given_] == [row for row in range(2000) if row != 1500]
    if choice == "skip":
        assert "1 bad row was left out" in caplog.text
    else:
        assert [(row.place, row.line, row.reason) for row in told] == [(str(path), 1501, reason)]
        text = json.loads(told[0].raw)
        assert text["id"] == 1500
        assert text["text"].encode("utf-8", "surrogateescape") == b"x\xff"


def test_bad_text_in_a_column_that_is_not_wanted_is_no_matter(tmp_path):
    assert len(list(load_parquet(write(tmp_path, not_utf8(5, 2)), columns=["id"]))) == 5


@pytest.mark.parametrize("choice", ["error", "skip"])
def test_damaged_data_are_a_bad_row_and_reading_goes_on_at_the_next_row_group(tmp_path, choice):
    path = write(tmp_path, table_of_texts(300), row_group_size=100, compression="gzip", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(1).column(1)
    content = bytearray(path.read_bytes())
    middle = column.data_page_offset + column.total_compressed_size // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(content)
    if choice == "error":
        assert failure(path).startswith(f"{path}:101: the data from this row to row 200 are damaged (")
    else:
        ids = [record["id"] for record in load_parquet(path, on_bad_rows=choice)]
        assert ids == [*range(100), *range(200, 300)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "an empty file is no Parquet file"),
        (b'{"text": "a"}\n', "no Parquet file"),
        (b"PARE" + bytes(20), "encrypted"),
        (gzip.compress(b"PAR1", mtime=0), "compressed by gzip; Parquet compresses its own columns: unpack it first"),
        (b"PAR1" + bytes(100), "no Parquet file, or cut short"),
        (b"PAR1" + bytes(20) + struct.pack("<I", 10) + b"PAR1", "no Parquet file, or cut short"),
    ],
)
@pytest.mark.parametrize("choice", ["error", "skip"])
def test_a_file_that_is_none_is_told_what_it_is_also_when_bad_rows_are_skipped(tmp_path, content, told, choice):
    path = tmp_path / "data.parquet"
    path.write_bytes(content)
    message = failure(path, on_bad_rows=choice)
    assert message.startswith(f"{path}: ")
    assert told in message


def test_contents_decide_whatever_the_file_is_called(tmp_path):
    path = write(tmp_path, table_of_texts(2))
    renamed = path.rename(tmp_path / "data.txt")
    assert len(list(load_parquet(renamed))) == 2


def test_a_file_without_rows_has_no_records(tmp_path):
    assert list(load_parquet(write(tmp_path, table_of_texts(0)))) == []


def test_all_files_of_a_folder_are_read_and_one_that_vanishes_is_told(tmp_path):
    for name in ("b", "a"):
        pq.write_table(pa.table({"name": [name]}), tmp_path / f"{name}.parquet")
    assert list(load_parquet(tmp_path)) == [{"name": "a"}, {"name": "b"}]
    records = load_parquet(tmp_path)
    next(records)
    (tmp_path / "b.parquet").unlink()
    with pytest.raises(FileNotFoundError):
        next(records)


def test_a_url_is_read_like_a_path(tmp_path):
    import fsspec

    table = table_of_texts(2000)
    content = write(tmp_path, table).read_bytes()
    with fsspec.open("memory://parquet-loader/data.parquet", "wb") as file:
        file.write(content)
    assert (
        list(load_parquet("memory://parquet-loader/data.parquet", columns=["text"]))
        == table.select(["text"]).to_pylist()
    )


def test_memory_does_not_grow_with_a_row_group(tmp_path):
    sizes = {}
    for rows in (2_000, 40_000):
        texts = [f"{row:010}" * 200 for row in range(rows)]
        path = write(tmp_path, pa.table({"text": texts}), row_group_size=rows, use_dictionary=False)
        del texts
        pool = pa.default_memory_pool()
        before = pool.bytes_allocated()
        most = 0
        for number, _ in enumerate(load_parquet(path)):
            if number % 100 == 0:
                most = max(most, pool.bytes_allocated() - before)
        sizes[rows] = most
    assert sizes[40_000] < 1.5 * sizes[2_000] + 2**20
    assert sizes[40_000] < 40_000 * 2_000 / 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"columns": []}, "data_loader.columns must name at least one column"),
        ({"columns": "text"}, "data_loader.columns must be a list"),
        ({"limit": 0}, "data_loader.limit"),
        ({"skip": True}, "data_loader.skip"),
        ({"on_bad_rows": "quarantine"}, "on_bad_row"),
    ],
)
def test_an_option_that_will_not_do_is_named(tmp_path, options, told):
    assert told in failure(write(tmp_path, table_of_texts(1)), **options)


def test_a_missing_library_is_told_with_what_installs_it(tmp_path, monkeypatch):
    path = write(tmp_path, table_of_texts(1))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'codex-ml\[data\]'"):
        parquet_file.ParquetBatches(path, None)


def test_the_file_is_closed_with_the_iterator(tmp_path):
    records = load_parquet(write(tmp_path, table_of_texts(5000)))
    next(records)
    records.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(records)
