"""What the text metrics take in time and memory on 100,000 short pairs, beside their references called directly.

The references are sacreBLEU and rouge-score as their own documents call them, for `squad_f1` and `exact_match` with
`normalize=squad` the loop of SQuAD's evaluate-v1.1.py (transcribed below), and for the plain `exact_match` the
comparison of two numpy arrays that Hugging Face's `evaluate` makes. The pairs are drawn from a made-up vocabulary, the
same ones every time. Each run has a process of its own; ours and the reference take turns. Time is that of the call
alone, after everything is imported; memory is by how much the call raises the process's peak. Medians.

    python benchmarks/text_metrics.py [--rounds 5] [--pairs 100000] [--metrics bleu,rouge,...]
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import statistics
import string
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from codex_ml.metrics.bleu import bleu
from codex_ml.metrics.exact_match import exact_match
from codex_ml.metrics.rouge import rouge
from codex_ml.metrics.squad_f1 import squad_f1

LIMIT = 1.1
# What a run's pages are off by when nothing is allocated; more is no fault of a metric.
NOISE = 2.0


def pairs(count: int) -> tuple[list[str], list[str]]:
    """Texts of five to twelve words, and the same with some words replaced, left out or moved."""
    draw = random.Random(0)
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 9))) for _ in range(8000)]
    words += ["the", "a", "an", "The", "U.S.", "well-known", "1,000"] * 120
    predictions, labels = [], []
    for _ in range(count):
        label = draw.choices(words, k=draw.randint(5, 12))
        prediction = [draw.choice(words) if draw.random() < 0.2 else word for word in label if draw.random() < 0.95]
        if draw.random() < 0.1:
            prediction = list(label)
        labels.append(" ".join(label) + ".")
        predictions.append(" ".join(prediction) + draw.choice((".", "", " !")))
    return predictions, labels


def reference_bleu(predictions: list[str], labels: list[str]) -> float:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU().corpus_score(predictions, [labels]).score


def reference_rouge(predictions: list[str], labels: list[str]) -> float:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"])
    scores = [
        scorer.score(label, prediction)["rougeL"].fmeasure
        for prediction, label in zip(predictions, labels, strict=True)
    ]
    return sum(scores) / len(scores)


def reference_exact_match(predictions: list[str], labels: list[str]) -> float:
    import numpy

    return float(numpy.mean(numpy.array(predictions) == numpy.array(labels)))


def normalize_answer(text: str) -> str:
    def remove_articles(text: str) -> str:
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def remove_punctuation(text: str) -> str:
        exclude = set(string.punctuation)
        return "".join(character for character in text if character not in exclude)

    return " ".join(remove_articles(remove_punctuation(text.lower())).split())


def squad_score(prediction: str, ground_truth: str) -> float:
    prediction_tokens = normalize_answer(prediction).split()
    ground_truth_tokens = normalize_answer(ground_truth).split()
    same = sum((Counter(prediction_tokens) & Counter(ground_truth_tokens)).values())
    if same == 0:
        return 0
    precision = same / len(prediction_tokens)
    recall = same / len(ground_truth_tokens)
    return 2 * precision * recall / (precision + recall)


def exact_score(prediction: str, ground_truth: str) -> bool:
    return normalize_answer(prediction) == normalize_answer(ground_truth)


def by_squad(score: Callable[[str, str], float]) -> Callable[[list[str], list[str]], float]:
    """The loop of evaluate-v1.1.py with one of its scores."""

    def loop(predictions: list[str], labels: list[str]) -> float:
        total = 0.0
        for prediction, label in zip(predictions, labels, strict=True):
            total += max([score(prediction, ground_truth) for ground_truth in [label]])
        return total / len(labels)

    return loop


CALLS: dict[str, tuple[Callable[..., float], Callable[..., float], str]] = {
    "bleu": (bleu, reference_bleu, "sacrebleu"),
    "rouge": (rouge, reference_rouge, "rouge-score"),
    "exact_match": (exact_match, reference_exact_match, "numpy"),
    "exact_match squad": (
        lambda *texts: exact_match(*texts, normalize="squad"),
        by_squad(exact_score),
        "evaluate-v1.1",
    ),
    "squad_f1": (squad_f1, by_squad(squad_score), "evaluate-v1.1"),
}


def run(name: str, which: int, count: int) -> None:
    """One call in this process: score, seconds and the megabytes it adds to the peak, as JSON."""
    predictions, labels = pairs(count)
    call = CALLS[name][:2][which]
    call(predictions[:3], labels[:3])  # imports, and what is made once
    before = peak()
    began = time.perf_counter()
    score = call(predictions, labels)
    print(json.dumps([score, time.perf_counter() - began, peak() - before]))


def peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def measured(name: str, count: int, rounds: int) -> list[tuple[float, float]]:
    """Median seconds and megabytes of ours and of the reference."""
    found: tuple[list[Any], list[Any]] = ([], [])
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            command = [sys.executable, __file__, "--run", name, str(which), "--pairs", str(count)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[which].append(json.loads(done.stdout))
    scores = {round(score, 9) for which in found for score, _, _ in which}
    assert len(scores) == 1, f"{name}: ours and the reference differ: {scores}"
    return [tuple(statistics.median(column) for column in list(zip(*runs, strict=True))[1:]) for runs in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--metrics", default=",".join(CALLS), help="which of them, with commas between")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(given.run[0], int(given.run[1]), given.pairs)
        return 0
    print(f"{given.pairs:,} pairs, medians of {given.rounds} rounds")
    print(f"{'':<19} {'reference':<14} {'seconds':>8} {'its':>8} {'ratio':>6} {'MB':>8} {'its':>8} {'ratio':>6}")
    good = True
    for name in given.metrics.split(","):
        (seconds, memory), (its_seconds, its_memory) = measured(name, given.pairs, given.rounds)
        ratios = seconds / its_seconds, (memory + NOISE) / (its_memory + NOISE)
        good = good and max(ratios) <= LIMIT
        print(
            f"{name:<19} {CALLS[name][2]:<14} {seconds:>8.3f} {its_seconds:>8.3f} {ratios[0]:>6.2f} "
            f"{memory:>8.1f} {its_memory:>8.1f} {ratios[1]:>6.2f}"
        )
    print(f"every ratio is {LIMIT} at most" if good else f"a ratio is above {LIMIT}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
