"""Where a key came from."""

import pytest

from codex_ml.errors import Problem
from codex_ml.launch.paths import shown
from codex_ml.launch.sources import line_of, line_of_choice, ordered

YAML = """\
# a comment
defaults:
  - override /model: minlm
  - /trainer@somewhere: slow
  - optional data: files
  - override /metric: [accuracy,
      f1]
  - f1@_here_
  - _self_

trainer:
  lr: 1  # not the first lr
  deep: {a: 1, b:
    {c: 2}}
lr: 3
1: one
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(YAML, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("trainer", 11),
        ("trainer.lr", 12),
        ("trainer.deep.b.c", 14),
        ("trainer.lr.below", 12),
        ("lr", 15),
        ("1", 16),
        ("nothing", None),
        ("trainer.nothing", None),
    ],
)
def test_a_key_stands_at_its_line(file, key, line):
    assert line_of(file, key.split(".")) == line


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ({"group": "model"}, 3),
        ({"group": "model", "name": "minlm"}, 3),
        ({"group": "trainer", "name": "slow"}, 4),
        ({"group": "data", "name": "files"}, 5),
        ({"group": "metric", "name": "f1"}, 7),
        ({"name": "f1"}, 7),
        ({"name": "_self_"}, 9),
        ({"group": "model", "name": "slow"}, None),
    ],
)
def test_a_choice_stands_at_its_line(file, wanted, line):
    assert line_of_choice(file, **wanted) == line


@pytest.mark.parametrize("text", ["", "- 1\n", "defaults: 3\n", "defaults:\n", "a: [1\n", "just text\n", b"\xff"])
def test_a_file_that_says_nothing_has_no_lines(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert line_of(path, ["nothing"]) is None
    assert line_of_choice(path, name="nothing") is None


def test_a_path_is_shown_as_short_as_it_is_clear(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.yaml") == "a/b.yaml"
    assert shown(tmp_path.parent / "b.yaml") == str(tmp_path.parent / "b.yaml")


def test_problems_stand_in_the_order_of_their_sources_each_once():
    first, second = Problem("x", "b=1"), Problem("x", "a=1")
    early, late, nowhere = Problem("x", "f.yaml:9"), Problem("x", "f.yaml:10"), Problem("x")
    assert ordered([late, nowhere, second, early, first, second], ["b=1", "a=1"]) == [
        first,
        second,
        nowhere,
        early,
        late,
    ]
