import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_addons.errors import (
    ApiVersionError,
    CodexAddonsError,
    PluginLoadError,
    UnknownComponentError,
    closest,
)


@pytest.mark.parametrize("typo", ["f2", "ff1", "1f", "f", "F1"])
def test_one_edit_is_found_in_a_short_name(typo):
    assert closest(typo, ["bleu", "f1", "rouge"]) == ["f1"]


def test_letter_case_then_one_edit_then_similar():
    assert closest("Bleu", ["bleu2", "bleurt", "blue", "bleu"], n=4) == ["bleu", "bleu2", "blue", "bleurt"]


def test_a_name_that_is_only_similar_is_found():
    assert closest("bert-base", ["bert_base_uncased", "gpt2", "minilm"]) == ["bert_base_uncased"]


def test_nothing_near_is_nothing():
    assert closest("wav2vec", ["csv", "lines"]) == []
    assert closest("anything", []) == []


def test_at_most_n_are_given():
    assert len(closest("name", [f"name{digit}" for digit in range(9)], n=2)) == 2
    assert closest("name", ["name1"], n=0) == []


@given(st.text(alphabet="abc_", min_size=2, max_size=8), st.data())
def test_any_single_edit_is_found(name, data):
    index = data.draw(st.integers(0, len(name) - 2))
    edits = [
        name[:index] + name[index + 1 :],
        name[:index] + "z" + name[index:],
        name[:index] + "z" + name[index + 1 :],
        name[:index] + name[index + 1] + name[index] + name[index + 2 :],
    ]
    typo = data.draw(st.sampled_from(edits))
    assert closest(typo, [name, "quite_another_one"])[0] == name


def test_an_unknown_name_reads_as_a_sentence_and_is_a_key_error():
    error = UnknownComponentError("metrics", "blue", ["rouge", "bleu"], listing="`metrics list` shows all.")
    assert isinstance(error, KeyError)
    assert isinstance(error, CodexAddonsError)
    assert str(error) == "No component 'blue' of kind 'metrics'. Did you mean 'bleu'? `metrics list` shows all."
    assert (error.kind, error.name, error.matches) == ("metrics", "blue", ("bleu",))


def test_without_a_hint_an_unknown_name_lists_what_there_is():
    assert str(UnknownComponentError("model", "x", ["gpt2", "bert"])).endswith("There are: bert, gpt2.")
    assert str(UnknownComponentError("model", "x", map(str, range(30)))).endswith("and 10 more.")
    assert "none at all" in str(UnknownComponentError("model", "x"))


@pytest.mark.parametrize(
    "error",
    [
        UnknownComponentError("metrics", "blue", ["bleu"]),
        PluginLoadError("broken", name="x", distribution="acme"),
        ApiVersionError(name="x", distribution="acme", declared="v2", required="v1"),
    ],
)
def test_errors_survive_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_load_error_pickles_whatever_its_cause():
    class LocalError(Exception):
        pass

    error = PluginLoadError("broken", name="x", distribution="acme", cause=LocalError())
    assert pickle.loads(pickle.dumps(error)).cause is None
