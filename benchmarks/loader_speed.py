"""Records per second of the data loaders, with every check on, beside what one would write by hand.

    OMP_NUM_THREADS=1 python benchmarks/loader_speed.py [--rounds 7] [--formats csv jsonl lines parquet] [--scale 1.0]

The files hold short texts (20 words) and long ones (200 words) with a few columns beside them: unicode, quotes, commas,
colons and, in the long ones, newlines. In each round every reader of a file reads all of it once, in turn, so that
whatever else the machine does meets all alike. Each uses one thread; what counts is the CPU time of the process, all
its threads together, and the wall time stands beside it. A ratio is that of the medians over the rounds. Exit code 1:
a ratio is below its mark.

Behind these come shapes that are harder on a loader, without marks: nested objects, chats, texts that look like JSON or
hold backslashes, quotes where CSV has none, and files in which a row in so many is bad, which the peers leave out or,
as `csv.DictReader`, do not notice.

The peers: a `json.loads` loop over the open file, and HF datasets streaming, for jsonl; `csv.DictReader`;
`pyarrow.parquet` with `to_pylist`, batch by batch and of the whole table; the open file's own lines.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import functools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")

FORMATS = ("csv", "jsonl", "lines", "parquet")
# Name of the texts, words in each, records.
SIZES = (("short", 20, 60_000), ("long", 200, 15_000))
# Most texts are ASCII, or nearly; in every third there are words of other scripts as well.
# fmt: off
WORDS = (
    "the", "of", "and", "to", "in", "market", "said", "would", "year", "people", "government", "more", "which",
    "company", "than", "first", "their", "new", "economy", "minister", "percent", "growth", "technology", "season",
)
# fmt: on
OTHERS = (*WORDS, "naïve", "café", "über", "北京", "данные", "—")
MARKS = ('"quoted"', "so-called:", "well,", "(sic)", "12:30", "it's", "e.g.")


@dataclass(frozen=True)
class Reader:
    """One way to read a file: what it is called, how, and how many times as fast the loader must be."""

    name: str
    read: Callable[[Path], Iterable[object]]
    mark: float | None = None


def texts(words: int, count: int) -> Iterator[str]:
    chance = random.Random(words)
    for number in range(count):
        usual = WORDS if number % 3 else OTHERS
        parts = [chance.choice(MARKS if chance.random() < 0.06 else usual) for _ in range(words)]
        if words > 100:
            parts[words // 2] += "\n\n"
        yield " ".join(parts)


def records(words: int, count: int) -> list[dict[str, object]]:
    chance = random.Random(count)
    return [
        {
            "id": f"bbc-{number:06}",
            "text": text,
            "label": chance.choice(("business", "politics", "sport")),
            "source": f"https://example.org/{number}?page=1",
            "score": round(chance.random(), 6),
            "tags": [chance.choice(WORDS) for _ in range(number % 3)],
        }
        for number, text in enumerate(texts(words, count))
    ]


def write(format_: str, path: Path, rows: list[dict[str, object]]) -> None:
    if format_ == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=10_000)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if format_ == "csv":
            # A CSV has no lists: the tags are words in one field.
            flat = [{**row, "tags": " ".join(map(str, row["tags"]))} for row in rows]  # type: ignore[call-overload]
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(flat)
        elif format_ == "jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            file.writelines(str(row["text"]).replace("\n", " ") + "\n" for row in rows)


def json_loop(path: Path) -> Iterator[object]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            yield record


def hf_streaming(path: Path) -> Iterable[object]:
    from datasets import load_dataset

    return load_dataset("json", data_files=str(path), split="train", streaming=True)


def dict_reader(path: Path) -> Iterator[object]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def line_loop(path: Path) -> Iterator[object]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield {"text": line.rstrip("\n")}


def batches_to_pylist(path: Path) -> Iterator[object]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(use_threads=False):
            yield from batch.to_pylist()


def table_to_pylist(path: Path) -> Iterable[object]:
    import pyarrow.parquet as pq

    return pq.read_table(path, use_threads=False).to_pylist()


PEERS = {
    "csv": (Reader("csv.DictReader", dict_reader, 1.3),),
    "jsonl": (Reader("json.loads loop", json_loop, 2.5), Reader("HF datasets streaming", hf_streaming, 4.0)),
    "lines": (Reader("the file's lines", line_loop),),
    "parquet": (
        Reader("iter_batches, to_pylist", batches_to_pylist, 1.4),
        Reader("read_table, to_pylist", table_to_pylist, 1.4),
    ),
}


def shapes(rows: list[dict[str, object]]) -> Iterator[tuple[str, str, str]]:
    """Format, name and content of the files that are harder to read."""
    made = [(str(row["text"]), row) for row in rows]
    nested = [{"id": at, "text": text, "meta": {"row": at, "of": [1, {"x": 2}]}} for at, (text, _) in enumerate(made)]
    chats = [{"messages": [{"role": role, "content": text} for role in ("user", "assistant")]} for text, _ in made]
    colons = [
        {"text": f'He said "{text}": fine', "path": r"C:\a" if not at % 200 else "x"}
        for at, (text, _) in enumerate(made)
    ]
    code = [{"text": f'{{"json": "{text}", "n": "\\d+"}}', "label": "x"} for text, _ in made]
    for name, shape in (("nested", nested), ("chat", chats), ("a path in 200", colons), ("code", code)):
        yield "jsonl", name, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in shape)
    flat = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    for every in (1000, 100):
        name = f"a bad row in {every}"
        yield "jsonl", name, "".join('{"text": cut}\n' if at % every == 7 else each for at, each in enumerate(flat))
    quoted = ["{},{},x\n".format(at, '"' + text.replace('"', '""') + '"') for at, (text, _) in enumerate(made)]
    pipes = (f'5" pipe,{each}' for each in quoted)
    yield "csv", 'a 5" pipe in each row', "what,id,text,label\n" + "".join(pipes)
    for every in (5000, 100):
        rows_ = ("1,2\n" if at % every == 7 else each for at, each in enumerate(quoted))
        yield "csv", f"a ragged row in {every}", "id,text,label\n" + "".join(rows_)


def loader(format_: str, **options: object) -> Reader:
    from codex_ml import registries

    return Reader(f"codex-ml {format_}", functools.partial(registries.load("data_loader", format_), **options))


def timed(reader: Reader, path: Path) -> tuple[float, float, int]:
    wall, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for _ in reader.read(path))
    return time.process_time() - cpu, time.perf_counter() - wall, count


def compare(title: str, path: Path, rounds: int, readers: list[Reader]) -> bool:
    """Prints a table for one file; whether all marks are reached."""
    cpu: dict[str, list[float]] = {reader.name: [] for reader in readers}
    wall: dict[str, list[float]] = {reader.name: [] for reader in readers}
    counts = {reader.name: timed(reader, path)[2] for reader in readers}
    # Bad rows, of which the peers know nothing, are in files without a mark alone.
    if len(set(counts.values())) > 1 and any(reader.mark for reader in readers):
        raise SystemExit(f"{path.name}: the readers give different numbers of records: {counts}")
    count = counts[readers[0].name]
    for turn in range(rounds):
        # Each goes first once in a while.
        for reader in readers[turn % len(readers) :] + readers[: turn % len(readers)]:
            spent, passed, _ = timed(reader, path)
            cpu[reader.name].append(spent)
            wall[reader.name].append(passed)
    own = statistics.median(cpu[readers[0].name])
    reached = True
    print(f"\n{title}: {count:,} records, {path.stat().st_size / 1e6:.1f} MB")
    print(f"  {'':26}{'records/s (CPU)':>16}{'records/s (wall)':>18}  codex-ml is")
    for reader in readers:
        spent, passed = statistics.median(cpu[reader.name]), statistics.median(wall[reader.name])
        told = "" if reader is readers[0] else f"{spent / own:.2f} times as fast"
        if reader.mark is not None:
            reached = reached and spent / own >= reader.mark
            told += f" (mark {reader.mark}{'' if spent / own >= reader.mark else ': MISSED'})"
        print(f"  {reader.name:26}{count / spent:>16,.0f}{count / passed:>18,.0f}  {told}")
    return reached


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--scale", type=float, default=1.0, help="times the records")
    arguments = parser.parse_args()
    reached = []
    with tempfile.TemporaryDirectory() as folder:
        for size, words, count in SIZES:
            rows = records(words, max(1, int(count * arguments.scale)))
            for format_ in arguments.formats:
                path = Path(folder, f"{size}.{format_}")
                write(format_, path, rows)
                readers = [loader(format_), *PEERS[format_]]
                reached.append(compare(f"{format_}, {size} texts", path, arguments.rounds, readers))
                path.unlink()
        rows = records(SIZES[0][1], max(1, int(SIZES[0][2] * arguments.scale / 2)))
        for format_, name, content in shapes(rows):
            if format_ in arguments.formats:
                path = Path(folder, f"shape.{format_}")
                path.write_text(content, encoding="utf-8", newline="")
                kept = {"on_bad_rows": "quarantine", "on_bad_row": lambda row: None}
                peer = dataclasses.replace(PEERS[format_][0], mark=None)
                compare(f"{format_}, {name}", path, arguments.rounds, [loader(format_, **kept), peer])
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
