"""What it costs to find out which components are installed, beside the libraries that answer the same question.

Folders with 10, 100, 1,000 and 5,000 made-up distributions (two in five have entry points, most of them commands alone;
one in fifty offers a component; 12 KB of core metadata each) are put in front of the import path of fresh processes,
each of which lists the components of one group with name, distribution and version. Cold is without anything kept on
disk by an earlier process, warm with it; of libraries that keep nothing both are the same. What a library itself takes
to import is told apart, as a program that uses Hydra has imported most of it already. Medians, taken in turns.

    python benchmarks/discovery_cost.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from itertools import pairwise
from pathlib import Path

from codex_addons.registry import Registry

COUNTS = (10, 100, 1000, 5000)
GROUP = "bench.components"
# What every peer is given beforehand, so that none is charged for the standard library.
COMMON = "import sys, time, json, re, pathlib, dataclasses, email, zipfile, csv, hashlib, inspect, typing, contextlib"
LIST = "[(e.name, e.dist.name, e.dist.version) for e in m.entry_points(group=GROUP)]"
# What is imported, and what is then timed.
PEERS = {
    "codex_addons": (
        "from codex_addons.entry_points import installed",
        "[(e.name, e.distribution, e.version) for e in installed(GROUP)]",
    ),
    "importlib.metadata": ("import importlib.metadata as m", LIST),
    "importlib_metadata": ("import importlib_metadata as m", LIST),
    # What it keeps is names and targets: it can tell neither distribution nor version, and isn't asked to.
    "stevedore": ("from stevedore import _cache", "[e.name for e in _cache.get_group_all(GROUP)]"),
    # Reads everything when it is imported; it tells names alone, too.
    "catalogue": (
        "pass",
        "[e.name for e in __import__('catalogue').AVAILABLE_ENTRY_POINTS.select(group=GROUP)]",
    ),
}
PROGRAM = """
{common}
sys.path.insert(0, sys.argv[1])
GROUP = {group!r}
began = time.perf_counter()
{imports}
imported = time.perf_counter()
found = {listing}
print(json.dumps([imported - began, time.perf_counter() - imported, len(found)]))
"""


def made_up(folder: Path, count: int) -> None:
    """Distributions as an installer leaves them."""
    filler = "Requires-Dist: numpy\n" * 20 + "\n" + "A line of a long description.\n" * 380
    for number in range(count):
        metadata = folder / f"dist_{number:05}-1.{number % 10}.dist-info"
        metadata.mkdir(parents=True)
        headers = f"Metadata-Version: 2.1\nName: dist-{number:05}\nVersion: 1.{number % 10}\n"
        (metadata / "METADATA").write_text(headers + filler)
        (metadata / "RECORD").write_text("")
        if number % 5 in (0, 2):
            commands = f"[console_scripts]\ncommand{number} = module{number}:main\n"
            offered = f"\n[{GROUP}]\ncomponent{number} = module{number}:component\n" if number % 50 == 0 else ""
            (metadata / "entry_points.txt").write_text(commands + offered)


def measured(peer: str, folder: Path, home: Path) -> tuple[float, float, int]:
    """Seconds to import and to list, and how many were found, in a fresh process."""
    imports, listing = PEERS[peer]
    program = PROGRAM.format(common=COMMON, group=GROUP, imports=imports, listing=listing)
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    environment.pop("CODEX_ML_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], env=environment, check=True, capture_output=True, text=True
    )
    return tuple(json.loads(done.stdout))


def listing(rounds: int) -> dict[tuple[str, int], tuple[float, float, float]]:
    """(peer, count) → median seconds to import, to list cold and to list warm."""
    results = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for count in COUNTS:
            made_up(place / str(count), count)
        # What is younger than this counts as still changing, and is not kept.
        time.sleep(2.5)
        for count in COUNTS:
            times = {peer: ([], [], []) for peer in PEERS}
            for _ in range(rounds):
                for peer, (imports, cold, warm) in times.items():
                    home = place / "home"
                    shutil.rmtree(home, ignore_errors=True)
                    home.mkdir()
                    first = measured(peer, place / str(count), home)
                    second = measured(peer, place / str(count), home)
                    assert first[2] == second[2], (peer, first, second)
                    imports.append(first[0])
                    cold.append(first[1])
                    warm.append(second[1])
            for peer, columns in times.items():
                results[peer, count] = tuple(statistics.median(column) for column in columns)
    return results


def lookups() -> tuple[float, float]:
    """Nanoseconds of a dict's look-up and of a registry's."""
    registry = Registry("things")
    for number in range(100):
        registry.register(f"name{number}", number)
    plain = dict(registry.items())
    names = {"registry": registry, "plain": plain}
    empty, by_dict, by_registry = (
        min(timeit.repeat(statement, globals=names, number=1_000_000, repeat=9))
        for statement in ("pass", "plain.get('name50')", "registry.get('name50')")
    )
    return 1000 * (by_dict - empty), 1000 * (by_registry - empty)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    if sys.executable.startswith("/tmp"):
        print("note: stevedore keeps nothing for an interpreter below /tmp, so that its warm is as cold as its cold")
    results = listing(rounds)
    print(f"{'':<20} {'':>9} " + " ".join(f"{f'{count} distributions':>21}" for count in COUNTS))
    print(f"{'milliseconds':<20} {'import':>9} " + " ".join(f"{'cold':>10} {'warm':>10}" for _ in COUNTS))
    for peer in PEERS:
        cells = " ".join(f"{1e3 * results[peer, n][1]:>10.2f} {1e3 * results[peer, n][2]:>10.2f}" for n in COUNTS)
        print(f"{peer:<20} {1e3 * results[peer, COUNTS[0]][0]:>9.2f} {cells}")
    ours = {count: results["codex_addons", count] for count in COUNTS}
    theirs = results["importlib_metadata", 1000]
    ratio, whole = theirs[2] / ours[1000][2], (theirs[0] + theirs[2]) / (ours[1000][0] + ours[1000][2])
    print(f"\nwarm at 1,000: importlib_metadata takes {ratio:.1f} times as long (limit 10), with imports {whole:.1f}")
    growth = [(low, high, ours[high][2] / ours[low][2]) for low, high in pairwise(COUNTS)]
    for low, high, grown in growth:
        print(f"warm from {low:,} to {high:,}: {high // low} times as many distributions, {grown:.1f} times the time")
    colder = {count: ours[count][1] / results["stevedore", count][1] for count in COUNTS}
    print("cold, beside stevedore (limit 1): " + ", ".join(f"{value:.2f} at {n:,}" for n, value in colder.items()))
    by_dict, by_registry = lookups()
    print(f"Registry.get {by_registry:.0f} ns, dict.get {by_dict:.0f} ns: {by_registry / by_dict:.1f} times (limit 3)")
    slow = [grown >= high / low for low, high, grown in growth]
    good = ratio >= 10 and not any(slow) and max(colder.values()) <= 1 and by_registry <= 3 * by_dict
    print("every limit holds" if good else "a limit is exceeded")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
