"""The page for plugin authors: its files are written, its commands are run, and they print what it shows."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from fresh_environment import FreshEnvironment

PAGE = Path(__file__).parents[2] / "docs" / "plugin-authors.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+?)(, at its end)?\n")


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int


def blocks(page):
    return [Block(*found.groups(), page[: found.start()].count("\n") + 1) for found in _FENCE.finditer(page)]


def follow(page, folder):
    """Does what the blocks of a page say, in a folder; AssertionError where one of them is wrong."""
    environment = FreshEnvironment(folder / "environment")
    place = folder / "empty"
    place.mkdir()
    printed = None
    for block in blocks(page):
        where = f"line {block.line} of the page"
        if block.language == "sh":
            ended = environment.run(f"exec 2>&1\n{block.text}\npwd >'{folder}/place'", cwd=place)
            assert ended.returncode == 0, f"{where}: exit code {ended.returncode}\n{ended.stdout}"
            printed = ended.stdout.splitlines()
            place = Path((folder / "place").read_text().strip())
        elif block.language == "text":
            assert printed is not None, f"{where}: nothing was run that could print this"
            _check_printed(block, printed, where)
        else:
            assert block.language in ("python", "toml"), f"{where}: what is a block of {block.language!r}?"
            named = _FILE.match(block.text)
            assert named, f"{where}: the first line must name the file"
            with (place / named[1]).open("a" if named[2] else "w", encoding="utf-8") as file:
                file.write(block.text if not named[2] else block.text[named.end() :])


def _check_printed(block, printed, where):
    rest = iter(printed)
    for line in block.text.splitlines():
        found = any(line == each or (not line.startswith(" ") and line in each) for each in rest)
        assert found, f"{where}: {line!r} was not printed (in this order)\n" + "\n".join(printed)


def test_the_page_does_what_it_says(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    found = [block.language for block in blocks(page)]
    assert found.count("sh") >= 6
    assert found.count("python") >= 6
    # Every fence is one of a block that was found.
    assert len(re.findall(r"^```", page, re.MULTILINE)) == 2 * len(found)
    follow(page, tmp_path)
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == ["mine"]


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```sh\nfalse\n```\n", "line 1 of the page: exit code 1"),
        ("a\n\n```sh\nno-such-command\ntrue\n```\n", "line 3 of the page: exit code 127"),
        ("```sh\necho a\n```\n\n```text\nb\n```\n", "'b' was not printed"),
        ("```sh\necho b; echo a\n```\n```text\na\nb\n```\n", "'b' was not printed (in this order)"),
        ("```sh\necho '  name: minus'\n```\n```text\n  name: min\n```\n", "'  name: min' was not printed"),
        ("```text\nb\n```\n", "nothing was run"),
        ("```python\nprint(1)\n```\n", "the first line must name the file"),
        ("```yaml\na: 1\n```\n", "what is a block of 'yaml'?"),
        ("```python\n# a.py\nraise SystemExit(3)\n```\n```sh\npython a.py\n```\n", "exit code 3"),
        ("```sh\npip install -q no-such-distribution-at-all\n```\n", "exit code 1"),
    ],
)
def test_a_page_that_is_wrong_fails(tmp_path, page, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        follow(page, tmp_path)


def test_a_wrong_metric_on_the_page_fails(tmp_path):
    page = PAGE.read_text(encoding="utf-8").partition("## Other kinds")[0]
    right = "/ len(all_of)\n"
    assert page.count(right) == 1
    with pytest.raises(AssertionError, match="exit code 1"):
        follow(page.replace(right, "/ len(labels)\n"), tmp_path)


def test_it_says_something_of_every_kind_group_and_class_of_the_kit():
    from codex_ml import registries, testing
    from codex_ml.interfaces import LIFECYCLE

    page = PAGE.read_text(encoding="utf-8")
    sections = re.findall(r"^### (.+)$", page, re.MULTILINE)
    assert sorted(sections) == sorted(kind.replace("_", " ").capitalize() for kind in registries.KINDS)
    for named in (*(registries.GROUPS[kind] for kind in registries.KINDS), *testing.__all__, *LIFECYCLE):
        assert f"`{named}" in page
