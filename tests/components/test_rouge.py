# Letters of other scripts are what is tested here.
# ruff: noqa: RUF001

from __future__ import annotations

import logging
import subprocess
import sys
import unicodedata

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resampled import brute_force
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.scoring import BootstrapAggregator
from rouge_score.tokenizers import DefaultTokenizer

from codex_ml.metrics.rouge import rouge
from codex_ml.metrics.unicode_words import unicode_words
from codex_ml.testing import MetricTests

VARIANTS = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
WORDS = st.sampled_from(["the", "The", "cats", "cat", "running", "runs", "ran.", "naïve", "猫", "3", "\n", ""])
TEXTS = st.lists(WORDS, max_size=10).map(" ".join)
SINGLE = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)
SEVERAL = st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=5)


class TestRouge(MetricTests):
    name = "rouge"
    cases = (
        (["the cat sat"], ["the cat sat"], 1.0),
        (["the cat", "dog"], ["The cat!", "cat"], 0.5),
        (["cat"], ["the cat"], 2 / 3),
        (["cat the"], ["the cat"], 0.5),
        (["cat the"], ["the cat"], 1.0, {"variant": "rouge1"}),
        (["cat the"], ["the cat"], 0.0, {"variant": "rouge2"}),
        # Lines may stand in another order.
        (["a cat sat\nthe dog ran"], ["the dog ran\na cat sat"], 1.0, {"variant": "rougeLsum"}),
        (["a cat sat\nthe dog ran"], ["the dog ran\na cat sat"], 0.5),
        (["dog"], [["cat", "the dog", "a big dog"]], 2 / 3),
        ([""], [""], 0.0),
        (["running cats"], ["run cat"], 1.0, {"use_stemmer": True}),
        (["猫が好き"], ["猫が嫌い"], 0.5, {"tokenizer": "unicode"}),
    )
    bad_inputs = (([], []), (["a"], [None]), ([1], ["a"]), (["a"], [[]]), (["a"], [[1]]))
    bad_options = ({"variant": "rouge3"}, {"variant": None}, {"tokenizer": "words"}, {"use_stemer": True})


@pytest.mark.parametrize("use_stemmer", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
@given(pairs=SINGLE)
def test_equals_the_plain_mean_of_rouge_score(pairs, variant, use_stemmer):
    predictions, labels = map(list, zip(*pairs, strict=True))
    scorer = RougeScorer([variant], use_stemmer=use_stemmer)
    expected = [scorer.score(label, text)[variant].fmeasure for text, label in pairs]
    score = rouge(predictions, labels, variant=variant, use_stemmer=use_stemmer)
    assert score == pytest.approx(sum(expected) / len(expected), abs=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
@given(pairs=SEVERAL)
def test_of_several_references_the_best_counts_as_in_score_multi(pairs, variant):
    predictions, labels = map(list, zip(*pairs, strict=True))
    scorer = RougeScorer([variant])
    expected = [scorer.score_multi(each, text)[variant].fmeasure for text, each in pairs]
    assert rouge(predictions, labels, variant=variant) == pytest.approx(sum(expected) / len(expected), abs=1e-9)


@given(st.text(), st.text())
def test_equals_rouge_score_on_any_text(prediction, label):
    expected = RougeScorer(["rouge1"]).score(label, prediction)["rouge1"].fmeasure
    assert rouge([prediction], [label], variant="rouge1") == pytest.approx(expected, abs=1e-9)


def test_all_variants_are_those_that_are_checked_against_rouge_score():
    with pytest.raises(ValueError, match=f"rouge: variant must be one of {', '.join(VARIANTS)}, not 'rougeX'"):
        rouge(["a"], ["a"], variant="rougeX")  # type: ignore[arg-type]


def test_is_the_same_every_time_where_rouge_scores_aggregate_is_drawn():
    predictions, labels = ["the cat", "a dog ran", "x", "the big cat"], ["the cat sat", "the dog ran", "y", "a cat"]
    middles = set()
    for seed in (0, 1):
        numpy.random.seed(seed)
        scorer, aggregator = RougeScorer(["rougeL"]), BootstrapAggregator(n_samples=25)
        for text, label in zip(predictions, labels, strict=True):
            aggregator.add_scores(scorer.score(label, text))
        middles.add(aggregator.aggregate()["rougeL"].mid.fmeasure)
    assert len(middles) == 2
    assert len({rouge(predictions, labels) for _ in range(3)}) == 1


@pytest.mark.parametrize(
    "text", ["Кошка спит", "猫が寝ている", "Η γάτα κοιμάται", "القطة نائمة", "बिल्ली सोती है", "แมวหลับ"]
)
def test_other_scripts_score_nothing_by_default_with_a_warning_and_right_when_asked(text, caplog):
    assert RougeScorer(["rougeL"]).score(text, text)["rougeL"].fmeasure == 0
    with caplog.at_level(logging.WARNING):
        assert rouge([text, "cat"], [text, "cat"]) == 0.5
    assert "rouge: in 1 of 2 records" in caplog.text
    assert "tokenizer=unicode serves every script" in caplog.text
    caplog.clear()
    assert rouge([text, "cat"], [text, "cat"], tokenizer="unicode") == 1.0
    assert not caplog.records


def test_no_warning_where_a_score_of_nothing_has_other_reasons(caplog):
    assert rouge(["", "...", "dog", "naïve café"], ["cat", "cat", "cat", "cat"]) == 0.0
    assert not caplog.records


def test_the_warning_looks_at_the_references_too(caplog):
    rouge(["cat", "cat"], [["dog", "кошка"], ["cat", "кошка"]])
    assert "in 1 of 2 records" in caplog.text


@given(st.text(st.characters(max_codepoint=127)))
def test_of_ascii_text_the_words_are_rouge_scores_own(text):
    assert unicode_words(text) == DefaultTokenizer().tokenize(text)


@given(st.lists(st.sampled_from(["was", "his", "ties", "Running", "relational", "flies", "as", "ponies!", "x-rays"])))
def test_of_english_text_the_stems_are_rouge_scores_own(words):
    text, label = " ".join(words), " ".join(reversed(words))
    for variant in ("rouge1", "rouge2"):
        own, others = (
            rouge([text, "wa"], [label, "was"], variant=variant, use_stemmer=True, tokenizer=each)
            for each in ("default", "unicode")
        )
        assert own == others


def test_words_of_other_languages_are_not_stemmed():
    assert rouge(["cafés"], ["café"], tokenizer="unicode", use_stemmer=True) == 0.0


@given(st.text())
def test_words_hold_no_spaces_and_do_not_depend_on_how_accents_are_encoded(text):
    words = unicode_words(text)
    assert all(word and not any(map(str.isspace, word)) for word in words)
    assert unicode_words(unicodedata.normalize("NFD", text)) == words
    assert unicode_words(unicodedata.normalize("NFKC", text)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ça va, l'été?", ["ça", "va", "l", "été"]),
        ("e\u0301te\u0301", ["été"]),
        ("हिन्दी भाषा।", ["हिन्दी", "भाषा"]),
        ("می\u200cخواهم", ["میخواهم"]),
        ("Straße ΣΊΣΥΦΟΣ", ["strasse", "σίσυφοσ"]),
        ("日本語とEnglish混じり", ["日", "本", "語", "と", "english", "混", "じ", "り"]),
        ("１２３ ﾈｺ", ["123", "ネ", "コ"]),
        ("5㎒", ["5mhz"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("a_b-c 🙂", ["a", "b", "c"]),
        ("\u2764\ufe0f ok 1\ufe0f\u20e3", ["ok", "1"]),
        ("", []),
    ],
)
def test_words_of_any_script(text, words):
    assert unicode_words(text) == words


def test_the_stemmer_serves_the_english_words_among_others():
    score = rouge(["running кошки"], ["run кошки"], tokenizer="unicode", use_stemmer=True)
    assert score == 1.0
    assert rouge(["running кошки"], ["run кошки"], tokenizer="unicode") == 0.5


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="rouge: record 2 of 2: the label is None"):
        rouge(["a", "b"], ["a", None])
    with pytest.raises(ValueError, match="rouge: 1 predictions but 2 labels"):
        rouge(["a"], ["a", "b"])


def test_the_standard_error_is_that_of_resampled_records():
    predictions = ["the cat", "a dog ran", "x", "the big cat", "кошка"] * 8
    labels = ["the cat sat", ["the dog ran", "dogs"], "y", "a cat", "кошка"] * 8

    def score(predicted, true):
        return rouge(predicted, true, variant="rouge1", tokenizer="unicode")

    error = rouge.__codex_standard_error__(predictions, labels, seed=3, variant="rouge1", tokenizer="unicode")
    assert error == pytest.approx(brute_force(score, predictions, labels), rel=0.12)
    assert error == rouge.__codex_standard_error__(predictions, labels, seed=3, variant="rouge1", tokenizer="unicode")
    assert rouge.__codex_standard_error__(["a"], ["a"]) is None


def test_without_rouge_score_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['rouge_score'] = None\nfrom codex_ml.metrics.rouge import rouge\nrouge(['a'], ['a'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: rouge needs rouge-score: pip install 'codex-ml[metrics]'" in done.stderr
