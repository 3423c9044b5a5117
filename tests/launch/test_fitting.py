"""A metric that a task cannot feed is refused with the command that works."""

import re
import shlex

import pytest

from codex_ml.launch.assembly import Component
from codex_ml.launch.data_files import files_of, unreadable
from codex_ml.launch.identity import component_identity

TASKS = {
    "causal_lm": ["model=gpt2_tiny", "tokenizer=bpe"],
    "masked_lm": ["model=bert_tiny", "tokenizer=bpe"],
    "generation": ["model=gpt2_tiny", "tokenizer=bpe", "data.columns.prompt=text", "data.columns.target=label"],
    "classification": [],
}


@pytest.mark.parametrize("task", TASKS)
def test_the_command_that_is_named_works(codex_run, records, task):
    wrong = "metric=[bleu,ppl]" if task == "classification" else "metric=[accuracy,f1]"
    ended = codex_run("mode=check", *records, f"task={task}", *TASKS[task], wrong)
    assert ended.code == 2
    assert len(ended.problems) == 2
    for line in ended.problems:
        (command,) = re.findall(r"those that it can feed: (.*)$", line)
        named = shlex.split(command)
        assert named[0] == f"task={task}"
        right = codex_run("mode=check", *records, *TASKS[task], *named)
        assert (right.code, right.err) == (0, "")


def test_files_that_a_component_names_are_looked_for_and_count_by_their_content(codex_run, records, project):
    arguments = ["mode=check", *records, "tokenizer=hf", "tokenizer.train_files=[a.txt,b.txt]"]
    (project / "a.txt").write_text("the ball")
    (line,) = codex_run(*arguments).problems
    assert line.startswith("tokenizer.train_files=[a.txt,b.txt]: there is no file b.txt")
    (project / "b.txt").write_text("the goal")
    first = codex_run(*arguments)
    assert first.code == 0
    assert codex_run(*arguments).out == first.out
    (project / "b.txt").write_text("the team")
    assert codex_run(*arguments).out != first.out


def test_a_folder_of_files_counts_by_what_is_in_it(project):
    from codex_ml import registries

    (project / "texts").mkdir()
    (project / "texts" / "a.txt").write_text("a")
    entry, factory = registries.find("tokenizer", "hf"), registries.load("tokenizer", "hf")
    options = {"train_files": ["texts"]}
    chosen = Component("tokenizer", "hf", "hf", options, factory, entry, factory.__codex_meta__)
    assert files_of(chosen) == {"train_files": ([project / "texts" / "a.txt"], [])}
    assert unreadable(chosen) == []
    before = component_identity(chosen)
    (project / "texts" / "b.txt").write_text("b")
    assert component_identity(chosen) != before
