import os

import pytest

from codex_ml.errors import CodexError
from codex_ml.launch.data_files import places, with_samples
from codex_ml.places import Url

ENDINGS = (".jsonl",)


@pytest.fixture
def tree(project):
    for name in ("b.jsonl", "a.jsonl.gz", "deep/c.jsonl", "notes.txt", ".hidden.jsonl"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("{}\n")
    return project


def names(found):
    return [os.path.relpath(place) for place in found]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("b.jsonl", ["b.jsonl"]),
        ("notes.txt", ["notes.txt"]),
        (".", ["a.jsonl.gz", "b.jsonl", "deep/c.jsonl"]),
        ("*.jsonl", ["b.jsonl"]),
        ("**/*.jsonl", ["b.jsonl", "deep/c.jsonl"]),
        ("deep", ["deep/c.jsonl"]),
    ],
)
def test_a_file_a_folder_and_a_glob(tree, name, expected):
    found, wrong = places(name, ENDINGS)
    assert not wrong
    assert names(found) == expected
    assert all(place.is_absolute() for place in found)


def test_an_empty_part_is_left_out_and_an_empty_file_alone_is_told(tree):
    (tree / "deep" / "d.jsonl").touch()
    assert names(places("deep", ENDINGS)[0]) == ["deep/c.jsonl"]
    assert places("deep/d.jsonl", ENDINGS) == ([], "deep/d.jsonl is empty")


def test_a_loader_that_does_not_say_how_its_files_end_gets_the_folder(tree):
    assert places("deep", ()) == ([tree / "deep"], "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("c.jsonl", "there is no file c.jsonl; did you mean 'b.jsonl'?"),
        ("*.csv", "no file matches *.csv"),
        ("empty", "the folder empty holds no file whose name ends in .jsonl"),
        ("nope://x/y", "nope://x/y: data are not read by the protocol 'nope'"),
        ("reference://x", "reference://x: data are not read by the protocol 'reference'"),
        ("memory://nowhere/a.jsonl", "there is no file memory://nowhere/a.jsonl"),
        ("sample://nothing/a", "nothing"),
    ],
)
def test_what_is_not_there_is_told(tree, name, told):
    (tree / "empty").mkdir()
    found, wrong = places(name, ENDINGS)
    assert found == []
    assert told in wrong


def test_a_url_is_looked_up(tree):
    import fsspec

    store = fsspec.filesystem("memory")
    for name in ("one.jsonl", "two.jsonl", "three.csv"):
        store.pipe(f"/data_files/{name}", b"{}")
    both = [Url("memory:///data_files/one.jsonl"), Url("memory:///data_files/two.jsonl")]
    assert places("memory://data_files", ENDINGS) == (both, "")
    assert places("memory://data_files/*.jsonl", ENDINGS) == (both, "")
    assert places("memory://data_files/three.csv", ENDINGS) == ([Url("memory://data_files/three.csv")], "")


def test_samples_in_options_become_paths():
    found = with_samples(
        {"files": ["sample://bbc_news/train.jsonl", "b"], "size": 3, "one": "sample://bbc_news/test.jsonl"}
    )
    assert found["size"] == 3
    assert found["files"][1] == "b"
    assert found["files"][0].endswith("/train.jsonl")
    assert os.path.isfile(found["one"])
    with pytest.raises(CodexError, match=r"has no file 'no\.jsonl'"):
        with_samples("sample://bbc_news/no.jsonl")
