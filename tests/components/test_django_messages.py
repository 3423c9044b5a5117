import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from difflib import SequenceMatcher
from itertools import combinations, product
from pathlib import Path

import pytest

from codex_ml.samples.django_messages import django_messages

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("django")
    django_messages(folder)
    return folder


@pytest.fixture(scope="module")
def languages(folder):
    """The records of each language and split."""
    return {
        language.name: {
            split: [json.loads(line) for line in (language / f"{split}.jsonl").read_text("utf-8").split("\n")[:-1]]
            for split in SPLITS
        }
        for language in sorted(folder.iterdir())
    }


def every(splits):
    return [record for split in SPLITS for record in splits[split]]


def by_source(splits):
    return {record["source"]: record for record in every(splits)}


def catalogues():
    spec = importlib.util.find_spec("django")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return sorted(Path(spec.submodule_search_locations[0]).glob("**/locale/de/LC_MESSAGES/*.po"))


QUOTED = re.compile(r'^(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?)? ?"(.*)"$')


def entries(path):
    """What a catalogue's text says, as keyword to string; read without the compiled one."""
    for block in re.split(r"\n\n+", path.read_text("utf-8")):
        entry, key = {}, None
        for line in block.splitlines():
            if found := QUOTED.match(line):
                key = found[1] or key
                text = found[2].replace(r"\n", "\n").replace(r"\"", '"').replace("\\\\", "\\")
                entry[key] = entry.get(key, "") + text
        entry["fuzzy"] = bool(re.search(r"^#,.*\bfuzzy\b", block, re.MULTILINE))
        if entry.get("msgid"):
            yield entry


def spoken(text):
    return re.findall(r"\w+", re.sub(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}|<[^<>]*>", " ", text).casefold())


def test_every_german_message_is_there_once_with_its_translations(languages):
    expected = defaultdict(set)
    for path in catalogues():
        for entry in entries(path):
            if entry["fuzzy"]:
                continue
            plural = entry.get("msgid_plural")
            one = entry.get("msgstr[0]") if plural else entry.get("msgstr")
            for source, target in [(entry["msgid"], one), (plural, entry.get("msgstr[1]"))]:
                if source and target and spoken(source):
                    expected[source.strip()].add(target.strip())
    found = {source: set(record["references"]) for source, record in by_source(languages["de"]).items()}
    assert found == expected
    assert len(every(languages["de"])) == len(found) > 800


def test_there_are_languages_by_the_dozen_with_tens_of_thousands_of_pairs(languages):
    assert len(languages) > 90
    assert {"de", "fr", "ru", "ar", "ja", "pt_BR", "zh_Hans"} <= set(languages)
    assert sum(len(every(splits)) for splits in languages.values()) > 60_000
    assert min(len(every(splits)) for splits in languages.values()) >= 100


def test_english_is_no_target(languages):
    assert [name for name in languages if name.startswith("en")] == []


def test_records_have_source_target_references_and_language(languages):
    for language in ("de", "ru", "ja"):
        for record in every(languages[language]):
            assert list(record) == ["id", "source", "target", "references", "language"]
            assert record["language"] == language == record["id"].split("/")[0]
            assert record["target"] == record["references"][0]
            assert len(set(record["references"])) == len(record["references"])
            for text in (record["source"], *record["references"]):
                assert text == text.strip() != ""
        ids = Counter(record["id"] for record in every(languages[language]))
        assert set(ids.values()) == {1}


def test_singular_and_plural_get_the_forms_of_their_numbers(languages):
    german, russian, japanese = (by_source(languages[name]) for name in ("de", "ru", "ja"))
    assert german["%(num)d week"]["references"] == ["%(num)d Woche"]
    assert german["%(num)d weeks"]["references"] == ["%(num)d Wochen"]
    # Two to four take another form than five and more.
    assert russian["%(num)d hour"]["references"] == ["%(num)d час"]
    assert russian["%(num)d hours"]["references"] == ["%(num)d часов", "%(num)d часа"]
    # One form for all numbers.
    assert japanese["%(num)d hour"]["references"] == japanese["%(num)d hours"]["references"]


def test_arabic_plurals_have_the_forms_for_hundreds_two_and_few(languages):
    hundred, two, few = by_source(languages["ar"])["%(counter)s results"]["references"]
    assert "%(counter)s" in hundred
    assert "%(counter)s" not in two
    assert "%(counter)s" in few


def test_placeholders_and_markup_are_kept(languages):
    german = by_source(languages["de"])
    kept = german["Ensure this value is %(limit_value)s (it is %(show_value)s)."]["target"]
    assert "%(limit_value)s" in kept
    assert "%(show_value)s" in kept
    assert "{obj}" in german["The {name} “{obj}” was changed successfully. You may edit it again below."]["target"]
    marked = german['Please ask your administrators to install <a href="%(link)s">docutils</a>.']["target"]
    assert '<a href="%(link)s">docutils</a>' in marked


def test_what_holds_nothing_to_translate_is_left_out(languages):
    sources = {record["source"] for splits in languages.values() for record in every(splits)}
    assert [source for source in sources if not spoken(source)] == []
    assert len(sources) > 900


def test_a_source_is_in_the_same_split_for_every_language(languages):
    places = defaultdict(set)
    for splits in languages.values():
        for split, records in splits.items():
            for record in records:
                places[record["source"]].add(split)
    assert {source: found for source, found in places.items() if len(found) > 1} == {}


def test_the_corpus_of_a_language_has_both_sides_of_its_training_records(folder, languages):
    lines = (folder / "de" / "train.txt").read_text("utf-8").split("\n")[:-1]
    texts = [text for record in languages["de"]["train"] for text in (record["source"], *record["references"])]
    assert lines == [line for text in texts for line in text.splitlines() if line.strip()]


def test_splits_are_near_70_15_15_and_none_is_empty(languages):
    sizes = {split: len(records) / len(every(languages["fr"])) for split, records in languages["fr"].items()}
    assert sizes == pytest.approx({"train": 0.7, "validation": 0.15, "test": 0.15}, abs=0.07)
    assert min(len(records) for splits in languages.values() for records in splits.values()) > 10


def test_the_singular_and_the_plural_of_a_message_are_in_one_split(languages):
    place = {record["source"]: split for split, records in languages["de"].items() for record in records}
    pairs = [
        (entry["msgid"].strip(), entry["msgid_plural"].strip())
        for path in catalogues()
        for entry in entries(path)
        if "msgid_plural" in entry and entry["msgid"].strip() in place
    ]
    assert len(pairs) > 20
    assert [pair for pair in pairs if place[pair[0]] != place[pair[1]]] == []


def test_no_source_of_a_split_is_that_of_another_but_for_a_few_letters(languages):
    """Counted by difflib on the words without placeholders, not by the sample's own measure."""
    sources = {
        split: {" ".join(spoken(record["source"])) for record in records} for split, records in languages["fr"].items()
    }
    near = []
    for one, other in combinations(SPLITS, 2):
        for a, b in product(sources[one], sources[other]):
            if abs(len(a) - len(b)) <= 3 and len(set(a) ^ set(b)) <= 3 and SequenceMatcher(None, a, b).ratio() > 0.93:
                near.append((a, b))
    assert near == []


def test_the_same_bytes_are_written_every_time_in_any_process_without_django(folder, tmp_path):
    program = (
        "import sys; from pathlib import Path; from codex_ml.samples.django_messages import django_messages; "
        "django_messages(Path(sys.argv[1])); print('django' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"})
    assert ended.stdout == "False\n"
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.glob("*/*")}
    assert written == {path.relative_to(folder): path.read_bytes() for path in folder.glob("*/*")}


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=re.escape("pip install 'codex-ml[sample-translation]'")):
        django_messages(tmp_path)


def test_it_declares_what_it_requires():
    assert vars(django_messages)["__codex_meta__"] == {"requires": ("django",)}
