from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resampled import brute_force
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers import tokenizer_spm

from codex_ml.launch.schema import read_schema
from codex_ml.metrics.bleu import bleu
from codex_ml.testing import MetricTests

WORDS = st.sampled_from(["the", "The", "cat", "sat", "on", "a", "mat", ".", ",", "naïve", "猫", "3.5", "&amp;", "-"])
TEXTS = st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.just(""), st.just("the cat sat on a mat ."))
SINGLE = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8)
SEVERAL = st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=4)), min_size=1, max_size=6)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "tokenize": st.sampled_from(["13a", "intl", "zh", "char", "none"]),
        "lowercase": st.booleans(),
        "max_ngram_order": st.integers(1, 6),
        "effective_order": st.booleans(),
    },
)
SMOOTHING = st.one_of(
    st.sampled_from(["exp", "none", "floor", "add-k"]).map(lambda method: {"smooth_method": method}),
    st.fixed_dictionaries({"smooth_method": st.just("floor"), "smooth_value": st.floats(0.01, 1)}),
    st.fixed_dictionaries({"smooth_method": st.just("add-k"), "smooth_value": st.floats(0.01, 5)}),
)
MAT = "the cat sat on the mat"


class TestBleu(MetricTests):
    name = "bleu"
    cases = (
        ([MAT], [MAT], 100.0),
        ([MAT, MAT], [["something else entirely", MAT], MAT], 100.0),
        ([""], [MAT], 0.0),
        (["a"], ["b"], 0.0),
        ([""], [""], 0.0),
        # One of two lengths of references is as near as the other: the shorter one counts, and nothing is too short.
        (["a b c d e"], [["a b c d e f", "a b c d"]], 100.0),
        (["a b c d"], ["a b c d e f g h"], 100 * 2.718281828459045**-1),
        (["猫は寝る"], ["猫は寝る"], 100.0, {"tokenize": "char"}),
        (["THE CAT SAT ON THE MAT"], [MAT], 100.0, {"lowercase": True}),
        (["cat"], ["cat"], 100.0, {"effective_order": True}),
    )
    bad_inputs = (([], []), (["a"], [None]), ([1], ["a"]), (["a"], [[]]), (["a"], [[1]]))
    bad_options = (
        {"tokenize": "moses"},
        {"tokenize": None},
        {"smooth_method": "exponential"},
        {"smooth_value": 0.5},
        {"smooth_method": "floor", "smooth_value": 1.5},
        {"smooth_method": "add-k", "smooth_value": -1.0},
        {"smooth_method": "add-k", "smooth_value": float("inf")},
        {"smooth_method": "add-k", "smooth_value": float("nan")},
        {"max_ngram_order": 0},
        {"lower_case": True},
    )


def streams(labels):
    """The references as sacreBLEU's readme has them: one list for each set, None where a record has fewer."""
    several = [[label] if isinstance(label, str) else label for label in labels]
    width = max(map(len, several))
    return [[(each + [None] * width)[place] for each in several] for place in range(width)]


def reference(predictions, labels, **options):
    return BLEU(**options).corpus_score(predictions, streams(labels)).score


@given(SINGLE, OPTIONS, SMOOTHING)
def test_equals_sacrebleu(pairs, options, smoothing):
    predictions, labels = map(list, zip(*pairs, strict=True))
    expected = reference(predictions, labels, **options, **smoothing)
    assert bleu(predictions, labels, **options, **smoothing) == pytest.approx(expected, abs=1e-9)


@given(SEVERAL, OPTIONS)
def test_equals_sacrebleu_with_references_of_different_number(pairs, options):
    predictions, labels = map(list, zip(*pairs, strict=True))
    assert bleu(predictions, labels, **options) == pytest.approx(reference(predictions, labels, **options), abs=1e-9)


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=3))
def test_equals_sacrebleu_on_any_text(pairs):
    predictions, labels = map(list, zip(*pairs, strict=True))
    assert bleu(predictions, labels) == pytest.approx(reference(predictions, labels), abs=1e-9)


def test_a_record_with_fewer_references_is_scored_with_those_alone():
    predictions = ["the cat sat on the mat", "a dog ran over the road"]
    labels = [["the cat sat on a mat", "the cat sat there"], ["a dog ran over the street"]]
    # Whoever pads with empty texts gets another length of the reference.
    padded = [["the cat sat on a mat", "the cat sat there"], ["a dog ran over the street", ""]]
    assert bleu(predictions, labels) == pytest.approx(reference(predictions, labels), abs=1e-9)
    assert bleu(predictions, labels) == pytest.approx(bleu(predictions, padded))
    assert bleu(["dog"], [["", "the big dog"]], max_ngram_order=1) > bleu(["dog"], ["the big dog"], max_ngram_order=1)


def test_is_the_corpus_score_and_no_mean_of_sentences():
    predictions, labels = [MAT, "a b"], [MAT, "a b c d e f"]
    alone = [bleu([text], [label]) for text, label in zip(predictions, labels, strict=True)]
    assert bleu(predictions, labels) == pytest.approx(reference(predictions, labels), abs=1e-9)
    assert bleu(predictions, labels) != pytest.approx(sum(alone) / 2)


def test_sacrebleu_truncates_where_references_are_missing_and_we_refuse():
    assert BLEU().corpus_score([MAT, "wrong"], [[MAT]]).score == pytest.approx(100)
    with pytest.raises(ValueError, match="bleu: 2 predictions but 1 labels"):
        bleu([MAT, "wrong"], [MAT])


def test_a_string_is_one_reference_where_sacrebleu_scores_nothing():
    assert BLEU().corpus_score([MAT], [MAT]).score == 0  # takes each letter for a reference
    assert bleu([MAT], [MAT]) == 100.0


def test_references_laid_out_as_sacrebleu_takes_them_are_told():
    with pytest.raises(ValueError, match=r"3 predictions but 1 labels; .*transpose them"):
        bleu([MAT] * 3, [[MAT] * 3])


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        ([MAT, None], [MAT, MAT], "record 2 of 2: the prediction is None"),
        ([MAT, MAT], [MAT, []], "record 2 of 2: the list of references is empty"),
        ([MAT, MAT], [MAT, [MAT, None]], "record 2 of 2: a reference is None"),
        (MAT, [MAT], "predictions must be a list, not a str"),
    ],
)
def test_what_does_not_fit_is_named(predictions, labels, message):
    with pytest.raises(ValueError, match=f"bleu: {message}"):
        bleu(predictions, labels)


def test_the_score_of_equal_texts_is_100_and_no_more():
    texts = ["a b c d e f g", "the cat sat on the mat today", "x y z w v u"]
    assert bleu(texts, texts) == 100.0
    assert bleu(numpy.array(texts), numpy.array(texts)) == 100.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokenize": "moses"}, "tokenize must be one of 13a, intl, .*, not 'moses'"),
        (
            {"smooth_method": "exp", "smooth_value": 0.1},
            "smooth_method=exp takes no smooth_value: only floor and add-k",
        ),
        ({"smooth_method": "floor", "smooth_value": 2}, "smooth_value must be from 0 to 1 with smooth_method=floor"),
        ({"max_ngram_order": 0}, "max_ngram_order must be a whole number, 1 or more, not 0"),
    ],
)
def test_a_check_of_the_config_tells_what_is_wrong_with_an_option(options, message):
    with pytest.raises(ValueError, match=f"bleu: {message}"):
        bleu([MAT], [MAT], **options)
    schema = read_schema("metric", bleu)
    assert schema.complaints({**schema.defaults(), **options})


@pytest.mark.parametrize(
    ("name", "module", "command"),
    [("ja-mecab", "MeCab", r"sacrebleu\[ja\]"), ("ko-mecab", "mecab_ko", r"sacrebleu\[ko\]")],
)
def test_a_tokenizer_that_needs_a_package_says_which(name, module, command):
    texts = ["猫は寝る", "犬は走る"]
    if importlib.util.find_spec(module):
        assert bleu(texts, texts[::-1], tokenize=name) == pytest.approx(reference(texts, texts[::-1], tokenize=name))
    else:
        with pytest.raises(ImportError, match=f"tokenize={name} needs {module} and .*: pip install '{command}'"):
            bleu(texts, texts, tokenize=name)


@pytest.fixture
def models(monkeypatch, tmp_path):
    """The folder where sacreBLEU looks for its models, empty; no download gets through."""

    def refused(*_):
        raise AssertionError("asked the network")

    for module in ("sacrebleu.utils", "sacrebleu.tokenizers.tokenizer_spm"):
        monkeypatch.setattr(f"{module}.SACREBLEU_DIR", str(tmp_path))
    monkeypatch.setattr(tokenizer_spm, "download_file", refused)
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.mark.parametrize("name", ["flores101", "flores200", "spBLEU-1K", "spm"])
def test_a_tokenizer_that_sacrebleu_would_download_is_refused(models, name):
    with pytest.raises(FileNotFoundError, match=f"tokenize={name} needs the file {models}.*nothing is downloaded"):
        bleu([MAT], [MAT], tokenize=name)


def test_a_tokenizer_whose_model_is_there_is_used(models, tmp_path):
    import sentencepiece

    corpus = tmp_path / "corpus.txt"
    corpus.write_text("the cat sat on the mat\nthe catalogue lists matters\n" * 50)
    where = models / "sacrebleu_tokenizer_spm"
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(where), vocab_size=30, hard_vocab_limit=False, minloglevel=2
    )
    predictions, labels = ["the cats sat on the mat"], ["the cat sat on the mats"]
    score = bleu(predictions, labels, tokenize="flores101")
    assert score == pytest.approx(reference(predictions, labels, tokenize="flores101"), abs=1e-9)
    assert score != pytest.approx(bleu(predictions, labels))


def test_tokenised_text_is_warned_of_unless_it_is_meant(caplog):
    texts = ["the cat sat ."] * 100
    with caplog.at_level(logging.WARNING, logger="sacrebleu"):
        bleu(texts, texts, tokenize="none")
        assert not caplog.records
        bleu(texts, texts)
        assert "forgot to detokenize" in caplog.text


@pytest.mark.parametrize("options", [{}, {"smooth_method": "add-k"}, {"max_ngram_order": 2, "lowercase": True}])
def test_the_standard_error_is_that_of_resampled_records(options):
    predictions = [MAT, "a dog ran over the road", "The cat", "it is what it is not", "birds sing in the tree"] * 6
    labels = [MAT, ["a dog ran over a street", "the dog ran"], "the cat sat", "it is what it is", "birds sing"] * 6

    def score(predicted, true):
        return bleu(predicted, true, **options)

    error = bleu.__codex_standard_error__(predictions, labels, seed=1, **options)
    assert error == bleu.__codex_standard_error__(predictions, labels, seed=1, **options)
    assert error == pytest.approx(brute_force(score, predictions, labels), rel=0.12)


def test_the_standard_error_is_that_of_sacrebleus_own_bootstrap():
    draw = numpy.random.default_rng(0)
    words = numpy.array(["a", "b", "c", "d", "e", "f"])
    labels = [" ".join(words[draw.integers(0, 6, 12)]) for _ in range(200)]
    predictions = [" ".join(w if draw.random() < 0.8 else "x" for w in label.split()) for label in labels]
    interval = BLEU().corpus_score(predictions, [labels], n_bootstrap=1000)
    # Half the width of its interval of 95 %.
    assert bleu.__codex_standard_error__(predictions, labels) == pytest.approx(interval._ci / 1.96, rel=0.12)


def test_one_record_has_no_standard_error_and_none_where_no_ngram_is_shared():
    assert bleu.__codex_standard_error__([MAT], [MAT]) is None
    assert bleu.__codex_standard_error__(["a", "b"], ["c", "d"]) == 0.0


def test_without_sacrebleu_the_error_names_the_extra():
    code = "import sys; sys.modules['sacrebleu'] = None\nfrom codex_ml.metrics.bleu import bleu\nbleu(['a'], ['a'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: bleu needs sacrebleu: pip install 'codex-ml[metrics]'" in done.stderr
