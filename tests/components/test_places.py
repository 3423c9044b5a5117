import bz2
import contextlib
import functools
import gzip
import http.server
import lzma
import os
import pickle
import re
import sys
import threading
import traceback
import zipfile
import zlib
from pathlib import Path
from typing import ClassVar

import pytest

from codex_ml.data_loaders.csv import load_csv
from codex_ml.data_loaders.jsonl import load_jsonl
from codex_ml.data_loaders.lines import load_lines
from codex_ml.places import (
    PROTOCOLS,
    Url,
    files_in,
    is_damage,
    name_place,
    open_bytes,
    place_of,
    reason_of,
    without_secrets,
)

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
        pieces.extend(iter(lambda: file.read1(2**16), b""))  # pyright: ignore[reportAttributeAccessIssue]
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


class Server(http.server.SimpleHTTPRequestHandler):
    """Python's own, which gives no parts of files; it keeps what it was asked for, and fails where the path says so."""

    asked: ClassVar[list[str]] = []

    def log_message(self, format, *arguments):  # noqa: A002
        pass

    def send_head(self):
        self.asked.append(f"{self.command} {self.path}")
        if "refused" in self.path:
            self.send_error(403)
            return None
        return super().send_head()

    def copyfile(self, source, outputfile):
        if "broken" in self.path:
            outputfile.write(source.read(100_000))
            return
        with contextlib.suppress(OSError):
            super().copyfile(source, outputfile)


@pytest.fixture
def served(folder):
    pytest.importorskip("aiohttp", reason="fsspec reads http with it")
    handler = functools.partial(Server, directory=str(folder))
    Server.asked.clear()
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


LARGE = b"".join(b"%d %064x\n" % (number, zlib.crc32(b"%d" % number) ** 8) for number in range(100_000))


def test_a_large_file_comes_whole_from_a_server_that_gives_no_parts(served, folder):
    assert len(LARGE) > 6 * 2**20
    (folder / "large.txt").write_bytes(LARGE)
    with open_bytes(place_of(f"{served}/large.txt")) as file:
        assert b"".join(iter(lambda: file.read(70_001), b"")) == LARGE
    (folder / "large.gz").write_bytes(gzip.compress(LARGE, 1))
    assert contents(f"{served}/large.gz") == [LARGE]


def archived(folder: Path) -> Path:
    path = folder / "large.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("large.txt", LARGE)
        file.writestr("small.txt", b"small")
    return path


def test_an_archive_on_such_a_server_is_an_error_of_one_line_with_the_way_out(served, folder):
    archived(folder)
    with pytest.raises(OSError, match="simplecache::") as caught:
        contents(f"zip://small.txt::{served}/large.zip")
    assert "\n" not in str(caught.value)
    assert f"{served}/large.zip" in str(caught.value)
    assert contents(f"zip://small.txt::simplecache::{served}/large.zip") == [b"small"]


def test_going_back_on_such_a_server_is_an_error_of_one_line(served, folder):
    (folder / "large.txt").write_bytes(LARGE)
    with open_bytes(place_of(f"{served}/large.txt")) as file:
        file.seek(-10, os.SEEK_END)
        with pytest.raises(OSError, match="simplecache::"):
            file.read(1)
    assert Server.asked.count("GET /large.txt") == 2


STORE_FAILURES = [
    TimeoutError(),
    ConnectionError("reset"),
    PermissionError("Access Denied"),
    OSError("anything"),
    OSError(5, "Input/output error"),
    ValueError("odd"),
]


@pytest.mark.parametrize("error", STORE_FAILURES, ids=repr)
def test_what_a_store_raises_is_no_damage(error):
    assert not is_damage(error)


def test_a_time_out_of_fsspec_is_no_damage():
    assert not is_damage(pytest.importorskip("fsspec.exceptions").FSTimeoutError())


@pytest.mark.parametrize("on_bad_rows", ["error", "skip", "quarantine"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("loader", [load_jsonl, load_csv, load_lines])
def test_a_connection_that_breaks_ends_the_reading_and_names_the_url(served, folder, loader, packed, on_bad_rows):
    rows = b"".join(b'{"a": "%064x"}\n' % zlib.crc32(b"%d" % number) ** 8 for number in range(40_000))
    (folder / "broken.jsonl").write_bytes(gzip.compress(rows, 1) if packed else rows)
    told = []
    records = loader(f"{served}/broken.jsonl?key=secret", on_bad_rows=on_bad_rows, on_bad_row=told.append)
    with pytest.raises(OSError, match=re.escape(f"{served}/broken.jsonl?key=***")) as caught:
        list(records)
    assert "\n" not in str(caught.value)
    assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert not told


@pytest.mark.parametrize("kind", [TimeoutError, PermissionError, ConnectionResetError, ValueError])
def test_a_store_that_fails_while_it_is_read_keeps_the_kind_of_its_error(memory, monkeypatch, kind):
    memory_file = pytest.importorskip("fsspec.implementations.memory").MemoryFile

    def fail(*_):
        raise kind("no\nanswer")

    with open_bytes(place_of(f"{memory}/a.txt")) as file:
        assert file.read(1) == b"a"
    monkeypatch.setattr(memory_file, "read", fail)
    with pytest.raises(OSError, match=rf"{kind.__name__}: no: 'memory://places/a\.txt'") as caught:
        open_bytes(place_of(f"{memory}/a.txt"))
    assert isinstance(caught.value, kind) or kind in {ConnectionResetError, ValueError}
    assert not is_damage(caught.value)


def test_an_error_of_the_system_names_its_file():
    error = OSError(5, "Input/output error")
    name_place(error, Path("data.txt"))
    assert str(error) == "[Errno 5] Input/output error: 'data.txt'"
    name_place(error, Path("other.txt"))
    assert error.filename == "data.txt"


def test_a_server_that_refuses_is_not_called_a_missing_file(served, folder):
    with pytest.raises(OSError, match=r"403.*refused\.txt\?sig=\*\*\*") as caught:
        files_in(f"{served}/refused.txt?sig=secret", [".txt"])
    assert not isinstance(caught.value, FileNotFoundError)
    assert "secret" not in str(caught.value)


def test_no_server_is_not_called_a_missing_file():
    pytest.importorskip("aiohttp")
    with pytest.raises(OSError, match=r"Cannot connect.*127\.0\.0\.1:9/a\.txt"):
        files_in("http://127.0.0.1:9/a.txt", [".txt"])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/a.csv", "https://h/a.csv"),
        ("https://user:secret@h:8/a.csv", "https://***@h:8/a.csv"),
        ("https://token@h/a@b.csv", "https://***@h/a@b.csv"),
        ("https://h/a.csv?Signature=s&Expires=1#t=s", "https://h/a.csv?Signature=***&Expires=***#t=***"),
        ("https://h/a&b=c;d.csv?s", "https://h/a&b=c;d.csv?***"),
        ("https://h/a b.csv?sv=1&sig=x%2F=", "https://h/a b.csv?sv=***&sig=***"),
        ("zip://b.csv::simplecache::https://u:p@h/a.zip?s=1", "zip://b.csv::simplecache::https://***@h/a.zip?s=***"),
        ("sftp://user:secret@h/a", "sftp://***@h/a"),
        ("sftp://user@h/a", "sftp://user@h/a"),
        ("github://owner:name@main/a.csv", "github://owner:name@main/a.csv"),
        ("abfs://container@account/a.csv", "abfs://container@account/a.csv"),
        ("memory://part-?.csv", "memory://part-?.csv"),
        ("s3://b/a.csv?versionId=1", "s3://b/a.csv?versionId=***"),
    ],
)
def test_a_url_hides_its_secrets_wherever_it_is_written(url, shown):
    place = Url(url)
    assert [str(place), f"{place}", f"{place!r}", "%s" % place] == [shown, shown, repr(shown), shown]  # noqa: UP031
    assert (place == url, place.whole, "".join([place, ""])) == (True, url, url)
    copy = pickle.loads(pickle.dumps(place))
    assert (type(copy), copy.whole) == (Url, url)
    assert not {"user:secret", "secret", "token"} & set(re.split("[@/]", "/".join(place.parts))) or "***" not in shown


def test_a_refused_protocol_is_told_without_secrets():
    with pytest.raises(ValueError, match=r"git://\*\*\*@h") as caught:
        place_of("git://user:secret@h/x")
    assert "secret" not in str(caught.value)


def test_a_place_that_was_found_is_not_looked_up_again(served, folder):
    places = files_in(f"{served}/b.txt", [".txt"])
    assert Server.asked == ["HEAD /b.txt"]
    assert files_in(pickle.loads(pickle.dumps(places)), [".txt"]) == places
    assert files_in([*files_in(f"{served}/*.txt", [".txt"]), *files_in(f"{served}/in/", [".txt"])], [".txt"])
    Server.asked.clear()
    with open_bytes(files_in(places[0], [".txt"])[0]) as file:
        assert file.read() == b"b.txt"
    assert Server.asked == ["HEAD /b.txt", "GET /b.txt"]


@pytest.mark.parametrize("window", [28, 31])
def test_a_zst_file_may_have_any_window(tmp_path, window):
    pytest.importorskip("backports.zstd")
    # A frame without its size, with this window, of one raw block (RFC 8878).
    frame = b"\x28\xb5\x2f\xfd\x00" + bytes([(window - 10) << 3]) + (5 << 3 | 1).to_bytes(3, "little") + b"hello"
    (tmp_path / "a.zst").write_bytes(frame)
    assert contents(tmp_path / "a.zst") == [b"hello"]


def test_options_are_recorded_without_the_secrets_of_their_urls():
    options = {"files": ["https://h/a?sig=s", "a.txt?b=c"], "at": {"deep": "ftp://u:p@h/a"}, "n": 1, "none": None}
    kept = {"files": ["https://h/a?sig=***", "a.txt?b=c"], "at": {"deep": "ftp://***@h/a"}, "n": 1, "none": None}
    assert without_secrets(options) == kept


def test_an_archive_that_is_not_there_or_none_is_an_error_that_names_it(folder):
    pytest.importorskip("fsspec")
    missing = f"zip://a.txt::{folder}/none.zip"
    with pytest.raises(FileNotFoundError) as caught:
        files_in(missing, [".txt"])
    assert str(caught.value) == f"[Errno 2] No such file or directory: '{missing}'"
    with pytest.raises(OSError, match=r"BadZipFile: File is not a zip file: 'zip://a\.txt::.*b\.txt'"):
        files_in(f"zip://a.txt::{folder}/b.txt", [".txt"])
