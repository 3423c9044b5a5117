import importlib.util
import json
import re
import subprocess
import sys
from collections import defaultdict
from difflib import SequenceMatcher
from itertools import combinations, product
from pathlib import Path

import pytest
import yaml

from codex_ml.samples.chatterbot import chatterbot

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chatterbot")
    chatterbot(folder)
    return folder


@pytest.fixture(scope="module")
def splits(folder):
    return {
        split: [json.loads(line) for line in (folder / f"{split}.jsonl").read_text("utf-8").split("\n")[:-1]]
        for split in SPLITS
    }


@pytest.fixture(scope="module")
def records(splits):
    return {record["id"]: record for split in SPLITS for record in splits[split]}


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def source() -> dict[str, list[list[str]]]:
    """The conversations of each file."""
    spec = importlib.util.find_spec("chatterbot_corpus")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    data = Path(spec.submodule_search_locations[0]) / "data" / "english"
    files = {path.stem: yaml.safe_load(path.read_text("utf-8"))["conversations"] for path in data.glob("*.yml")}
    return {name: [lines for lines in found if isinstance(lines, list)] for name, found in files.items()}


def test_every_question_is_there_once(records):
    asked = {words(lines[0]) for found in source().values() for lines in found}
    kept = [words(record["question"]) for record in records.values()]
    assert len(kept) == 747
    assert sorted(kept) == sorted(asked)


def test_every_first_answer_is_there_with_its_question(records):
    answers = {words(record["question"]): record["answers"] for record in records.values()}
    for found in source().values():
        for question, answer, *_ in found:
            assert answer.strip() in answers[words(question)]


def test_records_have_question_answers_and_category(records):
    assert {record["category"] for record in records.values()} == set(source())
    for name, record in records.items():
        assert list(record) == ["id", "question", "answers", "category"]
        assert re.fullmatch(record["category"] + r"/\d{3}", name)
        assert record["question"] == record["question"].strip() != ""
        assert len(set(record["answers"])) == len(record["answers"]) > 0
        assert all(isinstance(answer, str) and answer == answer.strip() != "" for answer in record["answers"])


def by_question(records, text):
    (found,) = [record for record in records.values() if record["question"] == text]
    return found


def test_several_answers_to_a_question_are_references_of_one_record(records):
    assert by_question(records, "Are you sapient?")["answers"] == [
        "In all probability, I am not.  I'm not that sophisticated.",
        "Do you think I am?",
        "How would you feel about me if I told you I was?",
        "No.",
    ]


def test_lists_of_answers_are_taken_whole_and_dialogues_for_their_first_two_lines(records):
    assert len(by_question(records, "What is a super computer?")["answers"]) == 3
    assert by_question(records, "Have you heard the news?")["answers"] == ["What good news?"]
    assert by_question(records, "How is your health?")["answers"] == ["I'm not feeling well"]
    assert by_question(records, "Good morning, how are you?")["answers"] == ["I am doing well, how about you?"]


def test_programs_keep_their_lines(records):
    (answer, *_) = by_question(records, "can you write a sorting algorithm?")["answers"]
    assert "\ndef quicksort(arr):\n    if len(arr) <= 1:\n        return arr\n" in answer


def test_the_entry_that_is_no_list_is_left_out(records):
    assert not any("two little ducks" in record["question"] for record in records.values())


def test_the_corpus_holds_the_training_records_and_no_other(folder, splits):
    lines = (folder / "train.txt").read_text("utf-8").split("\n")[:-1]
    texts = [text for record in splits["train"] for text in (record["question"], *record["answers"])]
    assert lines == [line for text in texts for line in text.splitlines() if line.strip()]


def test_splits_are_near_70_15_15(splits):
    sizes = {split: len(records) / 747 for split, records in splits.items()}
    assert sizes == pytest.approx({"train": 0.7, "validation": 0.15, "test": 0.15}, abs=0.04)


def places_of(splits, keys):
    """The splits of each of the keys of a record."""
    places = defaultdict(set)
    for split, records in splits.items():
        for record in records:
            for key in keys(record):
                places[key].add(split)
    return places


def bare(text):
    return " ".join(word for word in words(text).split() if word not in ("a", "an", "the", "hi", "do"))


def long_answers(record):
    return {words(answer) for answer in record["answers"] if len(words(answer).split()) > 3}


@pytest.mark.parametrize(
    "keys",
    [
        lambda record: [words(record["question"])],
        lambda record: [bare(record["question"])],
        long_answers,
    ],
    ids=["question", "question without articles", "answer of four words"],
)
def test_nothing_stands_in_two_splits(splits, keys):
    assert {text: places for text, places in places_of(splits, keys).items() if len(places) > 1} == {}


def test_no_question_of_a_split_is_that_of_another_but_for_a_few_letters(splits):
    """Counted by difflib, not by the sample's own measure."""
    questions = {split: [words(record["question"]) for record in records] for split, records in splits.items()}
    near = []
    for one, other in combinations(SPLITS, 2):
        for a, b in product(questions[one], questions[other]):
            if abs(len(a) - len(b)) <= 3 and len(set(a) ^ set(b)) <= 3 and SequenceMatcher(None, a, b).ratio() > 0.92:
                near.append((a, b))
    assert near == []


def test_the_same_bytes_are_written_every_time_in_any_process(folder, tmp_path):
    program = (
        "import sys; from pathlib import Path; from codex_ml.samples.chatterbot import chatterbot; "
        "chatterbot(Path(sys.argv[1])); print('chatterbot_corpus' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"})
    assert ended.stdout == "False\n"
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(written) == ["test.jsonl", "train.jsonl", "train.txt", "validation.jsonl"]


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=re.escape("pip install 'codex-ml[sample-qa]'")):
        chatterbot(tmp_path)


def test_it_declares_what_it_requires():
    assert vars(chatterbot)["__codex_meta__"] == {"requires": ("chatterbot-corpus",)}
