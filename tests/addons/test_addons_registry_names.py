import pytest

from codex_addons.registry_names import ALL_REGISTRY_NAMES, get_all_stable_names, get_description, is_stable_name

PROMISED = {
    "metrics": ["token_accuracy", "ppl", "exact_match", "f1", "bleu", "rouge"],
    "models": ["minilm", "bert_base_uncased", "gpt2"],
    "data_loaders": ["lines", "jsonl", "csv", "parquet"],
    "tokenizers": ["hf", "sentencepiece"],
    "trainers": ["functional", "hf_trainer"],
}


def test_no_stable_name_disappears():
    assert get_all_stable_names() == PROMISED


def test_the_copy_can_be_damaged_without_harm():
    names = get_all_stable_names()
    names["metrics"].clear()
    names.clear()
    assert get_all_stable_names() == PROMISED


def test_the_original_cannot_be_changed():
    with pytest.raises(TypeError):
        ALL_REGISTRY_NAMES["metrics"] = ()
    with pytest.raises(AttributeError):
        ALL_REGISTRY_NAMES["metrics"].append("x")


def test_every_stable_name_has_a_one_line_description():
    for kind, names in PROMISED.items():
        for name in names:
            assert is_stable_name(kind, name)
            description = get_description(kind, name)
            assert description
            assert "\n" not in description


@pytest.mark.parametrize(("kind", "name"), [("metrics", "accuracy"), ("metrics", "F1"), ("nothing", "f1"), ("", "")])
def test_other_names_are_not_stable_and_have_no_description(kind, name):
    assert not is_stable_name(kind, name)
    assert get_description(kind, name) is None
