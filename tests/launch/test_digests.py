import functools
import hashlib
import http.server
import os
import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_addons.cache import read_json, write_json
from codex_ml.launch.digests import file_digest, folder_digest, place_digest, text_digest, tree_digest
from codex_ml.places import Url

OLD = time.time_ns() - 3600 * 10**9


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "digests"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"content")
    os.utime(path, ns=(OLD, OLD))
    return path


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def reads(monkeypatch) -> list[int]:
    """Counts how often a file is hashed."""
    counted: list[int] = []
    original = hashlib.file_digest

    def count(file, name):
        counted.append(1)
        return original(file, name)

    monkeypatch.setattr(hashlib, "file_digest", count)
    return counted


def test_a_file_is_read_once(path, monkeypatch):
    counted = reads(monkeypatch)
    monkeypatch.chdir(path.parent)
    assert [file_digest(path), file_digest(str(path)), file_digest("data.bin")] == [sha(b"content")] * 3
    assert len(counted) == 1


@pytest.mark.parametrize("change", ["content", "same size and time", "replaced", "touched"])
def test_a_changed_file_is_read_again(path, monkeypatch, change):
    file_digest(path)
    counted = reads(monkeypatch)
    if change == "content":
        path.write_bytes(b"other content")
    elif change == "same size and time":
        path.write_bytes(b"CONTENT")
        os.utime(path, ns=(OLD, OLD))
    elif change == "replaced":
        other = path.with_name("other")
        other.write_bytes(b"CONTENT")
        os.utime(other, ns=(OLD, OLD))
        os.replace(other, path)
    else:
        os.utime(path, ns=(OLD, OLD + 1))
    assert file_digest(path) == sha(path.read_bytes())
    assert len(counted) == 1


def test_a_file_changed_just_now_is_not_remembered(path, cache, monkeypatch):
    os.utime(path)
    counted = reads(monkeypatch)
    assert [file_digest(path), file_digest(path)] == [sha(b"content")] * 2
    assert len(counted) == 2
    assert not cache.exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b'{"sha256": 5}', b"\xff\xfe"])
def test_a_damaged_entry_is_written_anew(path, cache, monkeypatch, damage):
    file_digest(path)
    (entry,) = cache.iterdir()
    entry.write_bytes(damage)
    counted = reads(monkeypatch)
    assert [file_digest(path), file_digest(path)] == [sha(b"content")] * 2
    assert len(counted) == 1
    assert list(cache.iterdir()) == [entry]


@pytest.mark.parametrize("content", [[], "a", {}, {"sha256": 5}, {"sha256": "0" * 64}])
def test_a_whole_entry_of_something_else_is_written_anew(path, cache, content):
    file_digest(path)
    (entry,) = cache.iterdir()
    write_json(entry, content)
    assert file_digest(path) == sha(b"content")
    assert read_json(entry)["sha256"] == sha(b"content")


def test_a_digest_that_was_altered_on_the_disk_is_not_believed(path, cache):
    file_digest(path)
    (entry,) = cache.iterdir()
    entry.write_bytes(entry.read_bytes().replace(sha(b"content").encode(), sha(b"other").encode()))
    assert file_digest(path) == sha(b"content")


def test_a_cache_that_cannot_be_written_changes_nothing(path, cache):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    assert [file_digest(path), file_digest(path)] == [sha(b"content")] * 2


def test_a_missing_file_is_an_error_though_it_was_remembered(path):
    file_digest(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        file_digest(path)


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


FILES = {"a.py": "1", "sub/b.py": "2", "sub/c.yaml": "3"}


def test_a_tree_digest_depends_on_paths_and_contents_alone(tmp_path):
    one = tree_digest(tree(tmp_path / "one", FILES))
    two = tree_digest(tree(tmp_path / "two", dict(reversed(FILES.items())) | {"__pycache__/x.pyc": "0"}))
    assert one == two


@pytest.mark.parametrize(
    "files",
    [
        FILES | {"a.py": "2"},
        FILES | {"d.py": ""},
        {"a.py": "1", "sub/b.py": "2"},
        {"a.py": "1", "b.py": "2", "sub/c.yaml": "3"},
        {"a.py": "2", "sub/b.py": "1", "sub/c.yaml": "3"},
        {"a.pys": "1", "sub/b.py": "2", "sub/c.yaml": "3"},
    ],
)
def test_a_tree_digest_tells_every_change(tmp_path, files):
    assert tree_digest(tree(tmp_path / "one", FILES)) != tree_digest(tree(tmp_path / "two", files))


def test_a_tree_digest_can_be_of_some_suffixes(tmp_path):
    one = tree(tmp_path / "one", FILES)
    two = tree(tmp_path / "two", FILES | {"sub/c.yaml": "other", "notes.txt": "new"})
    assert tree_digest(one, {".py"}) == tree_digest(two, {".py"})
    assert tree_digest(one, {".py", ".yaml"}) != tree_digest(two, {".py", ".yaml"})


def test_links_and_pipes_in_a_tree_neither_hang_nor_hide(tmp_path):
    folder = tree(tmp_path / "one", FILES)
    before = tree_digest(folder)
    os.mkfifo(folder / "pipe")
    assert tree_digest(folder) == before
    (folder / "loop").symlink_to(folder)
    looped = tree_digest(folder)
    (folder / "gone").symlink_to("nowhere")
    assert len({before, looped, tree_digest(folder)}) == 3


def test_a_tree_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        tree_digest(tmp_path / "none")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def reordered(value):
    if isinstance(value, dict):
        return {key: reordered(item) for key, item in reversed(value.items())}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(VALUES)
def test_the_order_of_keys_does_not_count(value):
    assert text_digest(value) == text_digest(reordered(value))


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (0, None), ("1", 1), ([1, 2], [2, 1]), ([1, [2]], [[1], 2]), ("é", "e")]
)
def test_values_that_differ_have_other_digests(one, other):
    assert text_digest({"a": one}) != text_digest({"a": other})


def test_a_text_digest_is_the_same_for_ever():
    assert text_digest({"b": [1, "é"], "a": None}) == sha(b'{"a":null,"b":[1,"\\u00e9"]}')


def test_what_json_has_no_form_for_is_refused():
    with pytest.raises(TypeError):
        text_digest({"a": {1, 2}})


def test_a_place_is_a_file_or_a_folder_or_a_url(path, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    assert place_digest(path) == sha(b"content")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "a").write_bytes(b"a")
    before = place_digest(tmp_path / "folder")
    assert before == folder_digest(tmp_path / "folder")
    (tmp_path / "folder" / "deep" / "b").write_bytes(b"")
    assert place_digest(tmp_path / "folder") != before
    fsspec.filesystem("memory").pipe("/digests/a.bin", b"content")
    assert place_digest(Url("memory://digests/a.bin")) == sha(b"content")
    fsspec.filesystem("memory").pipe("/digests/a.bin", b"changed")
    assert place_digest(Url("memory://digests/a.bin")) == sha(b"changed")


def test_a_url_that_tells_when_it_changed_is_read_once(tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/digests/b.bin", b"content")
    assert place_digest(Url("memory://digests/b.bin")) == sha(b"content")
    monkeypatch.setattr(type(store), "open", lambda *arguments, **options: pytest.fail("it was opened again"))
    assert place_digest(Url("memory://digests/b.bin")) == sha(b"content")


class Server(http.server.SimpleHTTPRequestHandler):
    """Python's own, which gives no parts of files and tells when they changed; it keeps what it was asked for."""

    asked: ClassVar[list[str]] = []

    def log_message(self, format, *arguments):  # noqa: A002
        self.asked.append(self.command)


@pytest.fixture
def served(tmp_path):
    pytest.importorskip("aiohttp", reason="fsspec reads http with it")
    (tmp_path / "served").mkdir()
    handler = functools.partial(Server, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path / "served", f"http://user:secret@127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_large_file_on_a_web_server_is_read_once(served, cache):
    folder, address = served
    content = os.urandom(2**20) * 6
    (folder / "large.bin").write_bytes(content)
    url = Url(f"{address}/large.bin?sig=secret")
    assert place_digest(url) == sha(content)
    assert not cache.exists()
    os.utime(folder / "large.bin", ns=(OLD, OLD))
    assert place_digest(url) == sha(content)
    Server.asked.clear()
    assert place_digest(url) == sha(content)
    assert Server.asked == ["HEAD"]
    (entry,) = cache.iterdir()
    assert "secret" not in entry.read_text()
    (folder / "large.bin").write_bytes(b"changed")
    assert place_digest(url) == sha(b"changed")


def test_a_url_that_cannot_be_read_is_an_error_with_its_place_and_reason(served):
    url = Url(f"{served[1]}/none.bin?sig=secret")
    with pytest.raises(FileNotFoundError) as caught:
        place_digest(url)
    assert (caught.value.filename, caught.value.strerror) == (url.shown, "No such file or directory")
