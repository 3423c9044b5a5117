"""DataLoaderTests: a right loader passes, each kind of wrong one fails the check that is meant for it."""

import gzip
import json
from pathlib import Path

import pytest

from codex_ml.testing import DataLoaderTests


def right(path, *, separator: str = "="):
    """Reads `key=value` lines."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            key, found, value = line.rstrip("\n").partition(separator)
            if not found:
                raise ValueError(f"{path}:{number}: no {separator!r} in {line!r}")
            yield {key: value}


def returns_a_list(path):
    """Reads all at once."""
    return list(right(path))


def opens_at_once(path):
    """Opens the file before it is asked for a record."""
    lines = open(path, encoding="utf-8").read().splitlines()  # noqa: SIM115
    Path(path).exists()
    return (dict([line.split("=")]) for line in lines)


def yields_pairs(path):
    """Gives no dicts."""
    for record in right(path):
        yield tuple(record.items())


def one_dict(path):
    """Gives the same dict again and again."""
    record = {}
    for each in right(path):
        record.clear()
        record.update(each)
        yield record


def wants_a_path(path):
    """Takes no string."""
    with path.open() as file:
        file.read()
    yield from right(path)


def numbers_as_keys(path):
    """Its keys are no strings."""
    for number, record in enumerate(right(path)):
        yield {number: next(iter(record.values()))}


def empty_when_missing(path):
    """Gives no records of a file that is not there."""
    if Path(path).exists():
        yield from right(path)


def other_error_when_missing(path):
    """Raises something else."""
    if not Path(path).exists():
        raise ValueError("no file")
    yield from right(path)


def skips_bad_lines(path):
    """Leaves out what it does not understand."""
    for line in Path(path).read_text().splitlines():
        if "=" in line:
            yield dict([line.split("=")])


def tells_no_line(path):
    """Does not say where."""
    for line in Path(path).read_text().splitlines():
        if "=" not in line:
            raise ValueError("malformed")
        yield dict([line.split("=")])


def counts_from_zero(path):
    """Names the line before."""
    for number, line in enumerate(Path(path).read_text().splitlines()):
        if "=" not in line:
            raise ValueError(f"{path}:{number}: malformed")
        yield dict([line.split("=")])


def gives_no_reason(path):
    """Says where, not what."""
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if "=" not in line:
            raise ValueError(f"{path}:{number}: ")
        yield dict([line.split("=")])


def reads_all_at_first(path):
    """Reads the whole file when the first record is asked for."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        yield dict([line.split("=")])


def checks_all_at_first(path):
    """Makes all records before it gives the first."""
    yield from list(right(path))


def reads_bytes_at_first(path):
    """Reads the whole file as bytes, without a buffer."""
    with open(path, "rb", 0) as file:
        for line in file.read().decode().splitlines():
            yield dict([line.split("=")])


def unpacks(path):
    """Reads a compressed file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield dict([line.rstrip("\n").split("=")])


def json_document(path):
    """Reads a list in JSON, which ends before anything else can begin."""
    with open(path, encoding="utf-8") as file:
        yield from json.load(file)


_open_files = {}


def shares_its_place(path):
    """Keeps one open file for all who read it."""
    path = str(path)
    if path not in _open_files:
        _open_files[path] = open(path, encoding="utf-8")  # noqa: SIM115
    for line in _open_files[path]:
        yield dict([line.rstrip("\n").split("=")])
    del _open_files[path]


READS, STREAMS = "it_reads_the_records", "it_streams"
MISSING, MALFORMED = "a_missing_file_raises_file_not_found_error", "malformed_data_raise_value_error_with_the_line"
FIRST = "the_first_record_comes_before_the_rest_is_read"
APART = "readings_of_one_file_do_not_disturb_each_other"
WRONG = [
    ("returns_a_list", STREAMS, "opens the file when it is called"),
    ("opens_at_once", STREAMS, "opens the file when it is called"),
    ("yields_pairs", READS, "of type tuple; a record is a dict"),
    ("one_dict", READS, "is expected"),
    ("wants_a_path", READS, "AttributeError"),
    ("numbers_as_keys", READS, "is expected"),
    ("empty_when_missing", MISSING, "must raise FileNotFoundError, and gives []"),
    ("other_error_when_missing", MISSING, "and raises ValueError: no file"),
    ("skips_bad_lines", MALFORMED, "must raise ValueError, and gives"),
    ("tells_no_line", MALFORMED, ":2: reason', and reads 'malformed'"),
    ("counts_from_zero", MALFORMED, ":1: malformed'"),
    ("gives_no_reason", MALFORMED, ":2: reason'"),
    ("reads_all_at_first", FIRST, "bytes of 41943"),
    ("checks_all_at_first", FIRST, "for the first record; yield each record once it is read"),
    ("reads_bytes_at_first", FIRST, "bytes of 41943"),
    ("shares_its_place", APART, "reads less of a file"),
]
COMPONENTS = {"data_loader": ["right", "unpacks", "json_document", *(name for name, _, _ in WRONG)]}
SUITE = {"cases": [("a=1\nb=2\nc=3\n", [{"a": "1"}, {"b": "2"}, {"c": "3"}])], "malformed": [("a=1\nb\n", 2)]}


def test_a_right_loader_passes(failures):
    cases = [*SUITE["cases"], (b"a:1\n", [{"a": "1"}], {"separator": ":"})]
    assert failures(DataLoaderTests, name="right", **{**SUITE, "cases": cases}) == {}


@pytest.mark.parametrize(("name", "check", "message"), WRONG)
def test_a_wrong_loader_fails(failures, name, check, message):
    found = failures(DataLoaderTests, shared=False, name=name, **SUITE)
    assert message in found[check], found


def test_a_compressed_file_streams_as_well(failures):
    cases = [(gzip.compress(b"a=1\nb=2\n"), [{"a": "1"}, {"b": "2"}])]
    assert failures(DataLoaderTests, name="unpacks", cases=cases) == {}


def test_one_record_alone_need_not_end_before_the_file_does(failures):
    assert failures(DataLoaderTests, name="right", cases=[("a=1", [{"a": "1"}])]) == {}
    assert failures(DataLoaderTests, name="json_document", cases=[('[{"a": 1}]', [{"a": 1}])]) == {}


def test_a_format_that_must_be_read_whole_says_so(failures):
    cases = [('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}])]
    told = failures(DataLoaderTests, name="json_document", cases=cases)[FIRST]
    assert "for what stands behind it: Extra data" in told
    assert "set `streams = False`" in told
    assert failures(DataLoaderTests, name="json_document", cases=cases, streams=False) == {}


def test_what_an_author_expects_wrongly_fails(failures):
    assert "is expected" in failures(DataLoaderTests, name="right", cases=[("a=1\n", [{"a": 1}])])[READS]
    found = failures(DataLoaderTests, name="right", cases=SUITE["cases"], malformed=[("a=1\nb\n", 1)])
    assert set(found) == {MALFORMED}
    assert "set `cases` to [(contents, records), ...]" in failures(DataLoaderTests, name="right")[READS]


def test_a_format_without_lines_names_the_file_alone(failures):
    suite = {"cases": SUITE["cases"], "malformed": [("a=1\nb\n", None)]}
    assert failures(DataLoaderTests, name="right", **suite) == {}
    assert set(failures(DataLoaderTests, name="tells_no_line", **suite)) >= {MALFORMED}
