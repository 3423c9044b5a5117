"""The wall time of composing, helping, checking and completing, beside a bare Hydra app with the same keys.

The peer is a `@hydra.main` app of two lines whose config is what `codex-run --cfg job` shows, each group in a YAML file
of its own. Both run in fresh processes, turn by turn; the ratio is that of the medians.

    python benchmarks/compose_time.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

APP = """\
import hydra


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config):
    pass


main()
"""
LIMIT = 1.5


def seconds(command: list[str], folder: Path, **environment: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    return time.perf_counter() - started


def peer(folder: Path) -> None:
    """Writes the bare app: the same keys in as many files as there are groups and choices."""
    shown = subprocess.run(
        [sys.executable, "-m", "codex_ml", "--cfg", "job"], cwd=folder, check=True, capture_output=True, text=True
    )
    config = yaml.safe_load(shown.stdout)
    defaults: list[object] = ["_self_"]
    for group in ("task", "model", "tokenizer", "data_loader", "data", "trainer"):
        name = (config.get(group) or {}).get("name", "chosen")
        write(folder / "conf" / group / f"{name}.yaml", config.pop(group))
        defaults.append({group: name})
    for group in ("metric", "plugin"):
        chosen = config.pop(group)
        for name, node in chosen.items():
            write(folder / "conf" / group / f"{name}.yaml", node, f"# @package {group}.{name}\n")
        defaults.append({group: list(chosen)})
    write(folder / "conf" / "config.yaml", {"defaults": defaults, **config})
    (folder / "app.py").write_text(APP)


def write(path: Path, node: object, header: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The registry's resolver is not the peer's; its factory key stays, as text.
    path.write_text(header + yaml.safe_dump(node, sort_keys=False).replace("${codex.factory", "\\${codex.factory"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "peer").mkdir()
        (folder / "ours").mkdir()
        peer(folder / "peer")
        codex, bare = [str(Path(sys.executable).with_name("codex-run"))], [sys.executable, "app.py"]
        line = {"COMP_LINE": "codex-run model="}
        cases = {
            "--cfg job": ([*codex, "--cfg", "job"], [*bare, "--cfg", "job"], {}),
            "--help": ([*codex, "--help"], [*bare, "--help"], {}),
            "mode=check": ([*codex, "mode=check"], [*bare, "mode=check"], {}),
            "completion": ([*codex, "-sc", "query=bash"], [*bare, "-sc", "query=bash"], line),
        }
        worst = 0.0
        print(f"{'command':<12} {'codex-run':>10} {'bare Hydra':>10} {'ratio':>6}   (medians of {rounds} rounds)")
        for title, (ours, theirs, environment) in cases.items():
            times = [
                (seconds(ours, folder / "ours", **environment), seconds(theirs, folder / "peer", **environment))
                for _ in range(rounds + 1)
            ][1:]
            mine, other = (statistics.median(column) for column in zip(*times, strict=True))
            worst = max(worst, mine / other)
            print(f"{title:<12} {mine:>9.3f}s {other:>9.3f}s {mine / other:>6.2f}")
    print(f"worst ratio {worst:.2f}, limit {LIMIT}")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
