"""The memory that the data loaders take, whatever the size of the file.

    python benchmarks/loader_memory.py [--formats csv jsonl lines parquet jsonl.gz] [--megabytes 10 200 2000]

Each file is read to its end in a fresh process, which then tells the most memory that it ever held (the kernel's
high-water mark of its resident set) and how much of that it held before the first record was asked for: the interpreter
and the libraries. The files hold the same records over and over, texts of 200 words with a few columns beside them; a
size is that of the file, and for gz that of what is packed in it. Exit code 1: a larger file took more than 24 MB more
than the smallest.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

FORMATS = ("csv", "jsonl", "lines", "parquet", "jsonl.gz")
MEGABYTE = 10**6
CHUNK = 5 * MEGABYTE
LIMIT = 24
PROGRAM = """
import re, sys
from codex_ml import registries

def held(name):
    return int(re.search(name + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

records = registries.load("data_loader", sys.argv[1])(sys.argv[2])
before = held("VmRSS")
count = sum(1 for _ in records)
print(before, held("VmHWM"), count)
"""


def texts(count: int) -> list[str]:
    chance = random.Random(0)
    words = ["naïve", "10:30", '"no"', "北京", *["the", "of", "market", "said", "would", "year", "people", "more"] * 8]
    return [" ".join(chance.choices(words, k=200)) for _ in range(count)]


def rows(count: int) -> list[dict[str, object]]:
    return [
        {"id": f"{number:06}", "text": text, "label": ("business", "sport")[number % 2], "score": number / 7}
        for number, text in enumerate(texts(count))
    ]


def chunk(format_: str) -> tuple[bytes, bytes]:
    """What stands at the start of a file, and some megabytes that may stand in it any number of times."""
    records = rows(CHUNK // 1100)
    if format_ == "csv":
        table = io.StringIO(newline="")
        csv.writer(table).writerows([record.values() for record in records])
        return (",".join(records[0]) + "\n").encode(), table.getvalue().encode()
    if format_ == "lines":
        return b"", "".join(f"{record['text']}\n" for record in records).encode()
    return b"", "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def write(format_: str, path: Path, size: int) -> None:
    if format_ == "parquet":
        write_parquet(path, size)
        return
    start, body = chunk(format_.removesuffix(".gz"))
    times = size // len(body)
    if format_.endswith(".gz"):
        # Packed once: files of several packed parts one after the other are valid.
        start, body = gzip.compress(start), gzip.compress(body, 1)
    with path.open("wb") as file:
        file.write(start)
        for _ in range(times):
            file.write(body)


def write_parquet(path: Path, size: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(rows(10_000))
    # Plain, as the same texts over and over would otherwise take next to no room.
    with pq.ParquetWriter(path, table.schema, compression="none", use_dictionary=False) as writer:
        while path.stat().st_size < size - CHUNK:
            writer.write_table(table, row_group_size=10_000)


def read(format_: str, path: Path) -> tuple[int, int, int]:
    """Bytes held before and at most, and the records."""
    command = [sys.executable, "-c", PROGRAM, format_.removesuffix(".gz"), str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    before, most, count = map(int, done.stdout.split())
    return before, most, count


def measure(format_: str, sizes: list[int], folder: Path) -> Iterator[int]:
    """The peaks in bytes, a line of the table printed for each."""
    for size in sizes:
        path = folder / f"data.{format_}"
        write(format_, path, size * MEGABYTE)
        began = time.perf_counter()
        before, most, count = read(format_, path)
        seconds = time.perf_counter() - began
        on_disk = path.stat().st_size / MEGABYTE
        path.unlink()
        told = f"{format_:<10}{size:>8,}{on_disk:>12,.0f}{count:>12,}{seconds:>9.1f}"
        print(f"{told}{before / MEGABYTE:>12.1f}{most / MEGABYTE:>12.1f}", flush=True)
        yield most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--megabytes", nargs="+", type=int, default=[10, 200, 2000])
    arguments = parser.parse_args()
    print(f"{'format':<10}{'MB':>8}{'MB on disk':>12}{'records':>12}{'seconds':>9}{'MB before':>12}{'MB at most':>12}")
    grown = {}
    with tempfile.TemporaryDirectory() as folder:
        for format_ in arguments.formats:
            peaks = list(measure(format_, sorted(arguments.megabytes), Path(folder)))
            grown[format_] = max((later - peaks[0] for later in itertools.islice(peaks, 1, None)), default=0)
    flat = {format_: growth <= LIMIT * MEGABYTE for format_, growth in grown.items()}
    for format_, growth in grown.items():
        told = "flat" if flat[format_] else "NOT FLAT"
        print(f"{format_}: {growth / MEGABYTE:+.1f} MB from the smallest to the largest (limit {LIMIT}): {told}")
    return 0 if all(flat.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
