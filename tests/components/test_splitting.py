import json
from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from codex_ml.samples.splitting import alike, digest, grouped, near_pairs, split_of, trigrams, write_splits

short = st.text("ab c", max_size=8)


def test_the_split_is_the_same_for_other_case_and_space():
    texts = [f"Text number {number}" for number in range(2000)]
    assert [split_of(f"  {text.upper()}\n") for text in texts] == [split_of(text) for text in texts]
    sizes = Counter(map(split_of, texts))
    assert set(sizes) == {"train", "validation", "test"}
    assert 1320 < sizes["train"] < 1480
    assert 240 < sizes["validation"] < 360


@given(st.lists(short, unique=True, max_size=12))
def test_pairs_are_those_of_all_that_are_near(texts):
    parts = {text: trigrams(text) for text in texts}
    expected = [
        (one, other)
        for one, other in combinations(texts, 2)
        if parts[one] & parts[other] and alike(len(parts[one] & parts[other]), len(parts[one]), len(parts[other]))
    ]
    assert near_pairs(parts) == sorted(expected)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))))
def test_groups_are_the_connected_parts(pairs):
    groups = [set(group) for group in grouped("abcdefgh", pairs)]
    assert sorted(name for group in groups for name in group) == list("abcdefgh")
    for name in "abcdefgh":
        reached = {name}
        for _ in pairs:
            reached |= {end for pair in pairs for end in pair if reached & set(pair)}
        assert reached in groups


def test_near_is_what_differs_by_a_word_of_little_meaning():
    def near(one, other):
        return near_pairs({one: trigrams(one), other: trigrams(other)}) != []

    assert near("what is government", "what is a government")
    assert near("what soccer", "what is soccer")
    assert not near("what is your age", "what is your mood")
    assert not near("who are you", "where are you")


def test_records_are_written_by_split_in_the_order_of_their_digests(tmp_path):
    records = [("train", text, {"text": text}) for text in ("one", "zwei", "trois", "två\u2028b")]
    write_splits(tmp_path / "new", records)
    lines = (tmp_path / "new" / "train.jsonl").read_bytes().decode().split("\n")
    assert lines.pop() == ""
    written = [json.loads(line)["text"] for line in lines]
    assert written == sorted(("one", "zwei", "trois", "två\u2028b"), key=digest)
    assert (tmp_path / "new" / "validation.jsonl").read_bytes() == b""
    assert not (tmp_path / "new" / "train.txt").exists()


def test_the_corpus_has_the_texts_of_the_training_records_a_line_each(tmp_path):
    records = [("train", text, {"text": text}) for text in ("one\n\ntwo", "zwei")]
    write_splits(tmp_path, [*records, ("test", "three", {"text": "three"})], lambda record: [record["text"], "and"])
    expected = {"one\n\ntwo": "one\ntwo\nand\n", "zwei": "zwei\nand\n"}
    assert (tmp_path / "train.txt").read_text("utf-8") == "".join(
        expected[text] for text in sorted(expected, key=digest)
    )
