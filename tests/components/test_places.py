import bz2
import functools
import gzip
import http.server
import lzma
import os
import re
import sys
import threading
import zipfile
import zlib
from pathlib import Path

import pytest

from codex_ml.places import PROTOCOLS, Url, files_in, is_damage, open_bytes, place_of, reason_of

CONTENT = b"".join(b"line %d\n" % number for number in range(50_000))


def zstd_compress(data: bytes) -> bytes:
    return pytest.importorskip("backports.zstd").compress(data)


COMPRESSED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd_compress}


def contents(path) -> list[bytes]:
    found = []
    for place in files_in(path, [".txt"]):
        with open_bytes(place) as file:
            found.append(file.read())
    return found


def names(path) -> list[str]:
    return [place.name for place in files_in(path, [".txt"])]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / ".hidden").mkdir(parents=True)
    for name in ("b.txt", "a.TXT", "c.txt.gz", "d.csv", "in/e.txt", ".f.txt", "in/.hidden/g.txt"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_folder_stands_for_its_files_of_the_kind(folder):
    assert names(folder) == ["a.TXT", "b.txt", "c.txt.gz", "e.txt"]


def test_a_glob_stands_for_what_matches_whatever_it_is_called(folder):
    assert names(str(folder / "*.csv")) == ["d.csv"]
    assert names(str(folder / "**" / "*.txt")) == ["b.txt", "e.txt"]


def test_a_name_that_exists_is_itself(folder):
    odd = folder / "what[1]*.bin"
    odd.write_bytes(b"odd")
    assert files_in(str(odd), [".txt"]) == [odd]


def test_a_list_keeps_its_order(folder):
    assert names([folder / "b.txt", str(folder / "d.csv"), folder / "in"]) == ["b.txt", "d.csv", "e.txt"]


@pytest.mark.parametrize("name", ["none.txt", "*.none", "empty"])
def test_nothing_there_is_an_error_that_names_it(folder, name):
    (folder / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=re.escape(str(folder / name))):
        files_in(folder / name, [".txt"])


def test_a_file_url_is_a_path(folder):
    assert place_of(f"file://{folder}/b.txt") == folder / "b.txt"
    assert names(f"file://{folder}/*.txt") == ["b.txt"]
    assert contents(f"file://{folder}/b.txt") == [b"b.txt"]


@pytest.mark.parametrize("form", COMPRESSED)
def test_what_compressed_a_file_is_read_off_its_first_bytes(tmp_path, form):
    path = tmp_path / "data.txt"
    path.write_bytes(COMPRESSED[form](CONTENT))
    with open_bytes(path) as file:
        assert file.read() == CONTENT
    with open_bytes(path) as file:
        assert list(file) == CONTENT.splitlines(keepends=True)


@pytest.mark.parametrize("form", COMPRESSED)
def test_what_stands_before_a_cut_is_given(tmp_path, form):
    # What a compressor knows nothing of; blocks of bz2 are long.
    noise = b"".join(b"%064x\n" % zlib.crc32(b"%d" % number) ** 8 for number in range(60_000))[: 4 * 2**20]
    path = tmp_path / "data.txt"
    whole = COMPRESSED[form](noise)
    path.write_bytes(whole[: len(whole) * 3 // 4])
    pieces = []
    with open_bytes(path) as file, pytest.raises(Exception, match=r".") as caught:
        pieces.extend(iter(lambda: file.read1(2**16), b""))
    given = b"".join(pieces)
    assert is_damage(caught.value)
    assert reason_of(caught.value) == "the compressed data end too early; the file was cut short"
    assert noise.startswith(given)
    assert len(given) > len(noise) // 2


def test_damaged_data_are_a_read_error(tmp_path):
    path = tmp_path / "data.gz"
    whole = bytearray(gzip.compress(CONTENT))
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)
    with open_bytes(path) as file, pytest.raises(Exception, match=r".") as caught:
        file.read()
    assert is_damage(caught.value)
    assert "damaged" in reason_of(caught.value)


def test_closing_closes_the_file_below(tmp_path):
    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(b"x"))
    before = len(os.listdir("/proc/self/fd"))
    file = open_bytes(path)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    file.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    "url",
    [
        "reference://index.json",
        "python://x",
        "jinja2://x",
        "dask://x",
        "cached://x",
        "dir::reference://x",
        "simplecache::reference://x",
        "zip://a::reference://x",
        "reference::file:///x",
        "git://x",
        "generic://x",
    ],
)
def test_a_protocol_that_is_no_store_of_bytes_is_refused(url):
    for use in (place_of, lambda each: files_in(each, [".txt"])):
        with pytest.raises(ValueError, match="not read by the protocol"):
            use(url)


def test_a_refused_protocol_loads_no_file_system_of_its_own():
    before = set(sys.modules)
    with pytest.raises(ValueError, match="protocol"):
        files_in("reference://x", [".txt"])
    assert not {name for name in set(sys.modules) - before if "reference" in name}
    assert "reference" not in PROTOCOLS


def test_a_windows_path_or_a_name_with_colons_is_no_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("10:30.txt").write_bytes(b"x")
    assert contents("10:30.txt") == [b"x"]


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    for name in ("b.txt", "a.txt", "c.csv", "in/d.txt", "e.txt.gz"):
        files.pipe(f"/places/{name}", gzip.compress(b"packed") if name.endswith("gz") else name.encode())
    yield "memory://places"
    files.rm("/places", recursive=True)


def test_memory_files_folders_and_globs(memory):
    assert contents(f"{memory}/a.txt") == [b"a.txt"]
    assert contents(memory) == [b"a.txt", b"b.txt", b"packed", b"in/d.txt"]
    assert contents(f"{memory}/*.txt") == [b"a.txt", b"b.txt"]
    assert contents(f"{memory}/**/*.txt") == [b"a.txt", b"b.txt", b"in/d.txt"]
    (place,) = files_in(f"{memory}/in", [".txt"])
    assert isinstance(place, Url)
    assert (place.name, place.suffix, place.parts[-2:]) == ("d.txt", ".txt", ("in", "d.txt"))


@pytest.mark.parametrize("name", ["none.txt", "*.none"])
def test_nothing_at_a_url_is_an_error_that_names_it(memory, name):
    with pytest.raises(FileNotFoundError, match=re.escape(f"{memory}/{name}")):
        files_in(f"{memory}/{name}", [".txt"])


@pytest.fixture
def archive(folder):
    pytest.importorskip("fsspec")
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in ("a.txt", "b.txt", "in/c.txt", "d.csv"):
            file.writestr(name, name)
    return path


@pytest.mark.parametrize("scheme", ["file://", ""])
def test_files_folders_and_globs_in_a_zip_archive(archive, scheme):
    behind = f"::{scheme}{archive}"
    assert contents(f"zip://b.txt{behind}") == [b"b.txt"]
    assert contents(f"zip://in{behind}") == [b"in/c.txt"]
    assert contents(f"zip://*.txt{behind}") == [b"a.txt", b"b.txt"]
    assert contents(f"zip://**/*.txt{behind}") == [b"a.txt", b"b.txt", b"in/c.txt"]
    (place,) = files_in(f"zip://in{behind}", [".txt"])
    assert (place.name, place.suffix) == ("c.txt", ".txt")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(folder):
    pytest.importorskip("aiohttp", reason="fsspec reads http with it")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_http_files_folders_and_globs(served):
    assert contents(f"{served}/b.txt") == [b"b.txt"]
    assert contents(f"{served}/in/") == [b"in/e.txt"]
    assert contents(f"{served}/*.txt") == [b"b.txt"]


def test_a_packed_file_comes_over_http(served, folder):
    (folder / "packed.txt").write_bytes(gzip.compress(CONTENT))
    assert contents(f"{served}/packed.txt") == [CONTENT]
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        files_in(f"{served}/none.txt", [".txt"])


def test_a_cache_in_front_of_another_store(memory, archive):
    assert contents(f"simplecache::{memory}/a.txt") == [b"a.txt"]
    assert contents(f"simplecache::{memory}/*.txt") == [b"a.txt", b"b.txt"]
