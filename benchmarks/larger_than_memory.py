"""Trains on a corpus of four times the memory that the process may have.

    python benchmarks/larger_than_memory.py [--limit 480] [--times 4] [--steps 20] [--folder DIR]

Makes a corpus of sentences of invented words, a tokenizer for it, and a `codex-run` (task=causal_lm, model=gpt2_tiny)
that the kernel lets have so many megabytes of private memory and no more (RLIMIT_DATA: heap, anonymous mappings, thread
stacks). Printed are the limit, the corpus's size, the peaks of what the limit counts (VmData) and of what of it was in
use (RssAnon), and the times. That the limit holds is shown by a process that reads the corpus whole, and fails. Linux
only. What codex-run has loaded before it reads the first record takes some 430 MB, so that this is the least limit.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MEGABYTE = 1_000_000
END, UNKNOWN = "<|end|>", "[UNK]"


def sentences(count: int) -> list[str]:
    """Sentences whose words are as unevenly frequent as those of a language (Zipf)."""
    drawn = random.Random(0)
    syllables = [a + b for a, b in itertools.product("bcdfghklmnprstvw", "aeiou")]
    words = ["".join(drawn.choices(syllables, k=drawn.choice([1, 2, 3, 4, 5, 6]))) for _ in range(3000)]
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))
    return [" ".join(drawn.choices(words, cum_weights=weights, k=drawn.randint(5, 25))) + " ." for _ in range(count)]


def documents() -> Iterator[str]:
    """Documents of 3 to 30 sentences."""
    drawn, known = random.Random(1), sentences(20_000)
    for _ in range(20_000):
        yield " ".join(drawn.choices(known, k=drawn.randint(3, 30)))


def write_corpus(path: Path, size: int) -> None:
    """Writes documents as JSON lines, in one random order after the other, until the file has this size."""
    drawn, lines = random.Random(2), [json.dumps({"text": text}).encode() + b"\n" for text in documents()]
    with path.open("wb") as file:
        while file.tell() < size:
            drawn.shuffle(lines)
            for line in lines:
                file.write(line)
                if file.tell() >= size:
                    break


def write_tokenizer(folder: Path) -> None:
    """Makes a tokenizer that has a token for each word."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordLevelTrainer(vocab_size=4000, special_tokens=[END, UNKNOWN], show_progress=False)
    inner.train_from_iterator(itertools.islice(documents(), 2000), trainer)
    PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END, unk_token=UNKNOWN).save_pretrained(folder)


def command(folder: Path, steps: int) -> list[str]:
    """The run, as a user types it."""
    return [
        str(Path(sys.executable).with_name("codex-run")),
        "task=causal_lm",
        "task.block_size=128",
        "model=gpt2_tiny",
        "tokenizer=hf",
        f"tokenizer.tokenizer_name={folder / 'tokenizer'}",
        "data=files",
        f"data.train={folder / 'corpus.jsonl'}",
        "metric=[]",
        f"trainer.max_steps={steps}",
        "trainer.batch_size=2",
        "trainer.threads=1",
        f"run.root={folder / 'outputs'}",
    ]


def limited(arguments: list[str], limit: int, folder: Path) -> tuple[int, dict[str, int], float, str]:
    """Runs a command under the limit: its exit code, peaks in bytes, seconds, and the end of what it said."""
    environment = {**os.environ, "CODEX_ML_CACHE_DIR": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    started, peaks = time.perf_counter(), {"VmData": 0, "RssAnon": 0}
    said = folder / "said.txt"
    with said.open("wb") as output:
        under = ["sh", "-c", 'ulimit -d "$0" && exec "$@"', str(limit // 1024), *arguments]
        process = subprocess.Popen(under, stdout=output, stderr=subprocess.STDOUT, env=environment)
        while process.poll() is None:
            for name, value in memory(process.pid).items():
                peaks[name] = max(peaks.get(name, 0), value)
            time.sleep(0.02)
    return process.returncode, peaks, time.perf_counter() - started, said.read_text(errors="replace")[-2000:]


def memory(process: int) -> dict[str, int]:
    """What a process has now, in bytes; nothing when it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    told = dict(line.split(":", 1) for line in lines)
    return {name: 1024 * int(told[name].split()[0]) for name in ("VmData", "RssAnon") if name in told}


def main() -> int:
    """Prints the measurements; 1 where the run failed or the limit did not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--limit", type=int, default=480, help="megabytes that the run may have")
    parser.add_argument("--times", type=float, default=4, help="the corpus's size, in limits")
    parser.add_argument("--steps", type=int, default=20, help="optimizer steps")
    parser.add_argument("--folder", type=Path, help="where the files are made, and removed again")
    given = parser.parse_args()
    limit = given.limit * MEGABYTE
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        started = time.perf_counter()
        write_corpus(folder / "corpus.jsonl", int(given.times * limit))
        write_tokenizer(folder / "tokenizer")
        size = (folder / "corpus.jsonl").stat().st_size
        print(f"limit      {given.limit} MB (RLIMIT_DATA)")
        print(f"corpus     {size / MEGABYTE:.0f} MB, {size / limit:.1f} limits; made in", end=" ")
        print(f"{time.perf_counter() - started:.0f} s", flush=True)
        reading = [sys.executable, "-c", f"open({str(folder / 'corpus.jsonl')!r}, 'rb').read()"]
        whole, *_, said = limited(reading, limit, folder)
        print(f"read whole {said.strip().splitlines()[-1] if whole else 'works: the limit does not hold'}", flush=True)
        code, peaks, seconds, said = limited(command(folder, given.steps), limit, folder)
        print(
            f"codex-run  exit code {code} after {seconds:.0f} s ({size / MEGABYTE / seconds:.1f} MB of corpus a second)"
        )
        print(f"peak       VmData {peaks['VmData'] / MEGABYTE:.0f} MB, RssAnon {peaks['RssAnon'] / MEGABYTE:.0f} MB")
        tokens = sum(each.stat().st_size for each in (folder / "cache").rglob("*") if each.is_file())
        print(f"cache      {tokens / MEGABYTE:.0f} MB on disk")
        print(*(f"           {line}" for line in said.strip().splitlines()[-4:]), sep="\n")
    return int(bool(code) or not whole)


if __name__ == "__main__":
    sys.exit(main())
