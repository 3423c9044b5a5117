"""What is installed is answered right, whatever happens to the folders, the index on disk, and the clock."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import importlib_metadata
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from codex_addons import distributions, index, metadata_folders
from codex_addons.cache import read_json, write_json
from codex_addons.entry_points import installed

GROUP = "addons_test.indexed"
HOUR_NS = 3600 * 10**9


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder; everything on disk counts as settled, which takes two seconds otherwise."""
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "cache"))
    later = SimpleNamespace(time_ns=lambda: time.time_ns() + HOUR_NS, monotonic=time.monotonic)
    monkeypatch.setattr(index, "time", later)
    monkeypatch.setattr(distributions, "time", later)
    return tmp_path / "cache" / "entry_points"


@pytest.fixture
def reads(monkeypatch):
    """The metadata folders that are read."""
    found = []
    read = index.read
    monkeypatch.setattr(index, "read", lambda path: found.append(Path(path).name) or read(path))
    return found


def as_a_new_process():
    """What is installed, by an index that remembers nothing."""
    index._remembered.clear()
    return [(each.name, each.target, each.distribution, each.version) for each in installed(GROUP)]


def test_the_next_process_reads_no_metadata(install, cache, reads):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    install("silent")
    first = as_a_new_process()
    assert first == [("x", "m:a", "acme", "1.0")]
    reads.clear()
    assert as_a_new_process() == first
    assert reads == []


def test_one_process_reads_a_folder_once(install, cache, reads, monkeypatch):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    first = installed(GROUP)
    reads.clear()
    monkeypatch.setattr(index, "read_json", lambda file: pytest.fail(f"{file} was read again"))
    assert installed(GROUP) == first
    assert reads == []


def test_within_one_process_an_edit_in_place_is_seen_at_once(install, cache):
    metadata = install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    time.sleep(0.01)
    assert [each.name for each in installed(GROUP)] == ["x"]
    time.sleep(0.01)
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\ny = m:b\n")
    assert [each.name for each in installed(GROUP)] == ["y"]


def test_what_changed_in_the_last_two_seconds_is_not_kept(install, tmp_path, monkeypatch, site, reads):
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / "cache"))
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    as_a_new_process()
    as_a_new_process()
    assert reads.count("acme-1.0.dist-info") == 2


def test_core_metadata_are_read_only_where_more_than_commands_is_offered(install, site, cache, monkeypatch):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    install("tool", entry_points="[console_scripts]\nx = m:a\n")
    read = []
    headers = metadata_folders._headers
    monkeypatch.setattr(metadata_folders, "_headers", lambda file: read.append(file) or headers(file))
    as_a_new_process()
    assert [Path(file).parent.name for file in read if str(site) in file] == ["acme-1.0.dist-info"]


def test_it_can_be_turned_off(install, cache, monkeypatch):
    monkeypatch.setenv("CODEX_ML_NO_CACHE", "1")
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    assert len(as_a_new_process()) == 1
    assert not cache.exists()


@pytest.mark.parametrize("where", ["/proc/nowhere", "file"])
def test_a_cache_folder_that_cannot_be_written_only_costs_time(install, cache, monkeypatch, tmp_path, where):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path / where))
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    assert as_a_new_process() == as_a_new_process() == [("x", "m:a", "acme", "1.0")]


def test_without_a_home_nothing_is_kept(install, cache, monkeypatch):
    monkeypatch.delenv("CODEX_ML_CACHE_DIR")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    assert len(as_a_new_process()) == 1


def test_two_folders_do_not_share_an_index(install, cache, tmp_path, monkeypatch):
    # Were the checksum of their names the same, each would tell the other's folder and be read anew.
    monkeypatch.setattr(index, "crc32", lambda name: 1)
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    install("other", into=tmp_path / "second", entry_points=f"[{GROUP}]\ny = m:b\n")
    monkeypatch.syspath_prepend(str(tmp_path / "second"))
    assert [name for name, *_ in as_a_new_process()] == [name for name, *_ in as_a_new_process()] == ["x", "y"]


BROKEN = [b"", b"{", b"\x00\xff", b"[]", b"null", b"{}", b"00000000\n{}", b"00000000\n", b"[" * 100_000]


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_an_index_that_is_none_is_made_again(install, site, cache, content):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    first = as_a_new_process()
    file = index._file(str(site))
    good = file.read_bytes()
    file.write_bytes(content)
    assert as_a_new_process() == first
    assert file.read_bytes() == good


@pytest.mark.parametrize("changed", [{"format": 0}, {"folder": "/elsewhere"}, {"stamp": 1}])
def test_an_index_of_something_else_is_made_again(install, site, cache, changed):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    first = as_a_new_process()
    file = index._file(str(site))
    good = file.read_bytes()
    rows = [["acme-1.0.dist-info", "acme", "acme", True, {GROUP: {"z": "m:z"}}, "", ["acme", "1.0", str(site), False]]]
    write_json(file, {**read_json(file), "rows": rows, **changed})
    assert as_a_new_process() == first
    assert file.read_bytes() == good


def test_any_byte_of_an_index_that_flips_gives_the_right_answer(install, site, cache):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    first = as_a_new_process()
    good = index._file(str(site)).read_bytes()
    for place in range(len(good)):
        index._file(str(site)).write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert as_a_new_process() == first


def test_every_cut_of_an_index_gives_the_right_answer(install, site, cache):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    first = as_a_new_process()
    good = index._file(str(site)).read_bytes()
    for length in range(0, len(good), 7):
        index._file(str(site)).write_bytes(good[:length])
        assert as_a_new_process() == first


def test_processes_that_write_at_once_leave_a_whole_index(install, site, tmp_path):
    for number in range(200):
        install(f"acme{number}", entry_points=f"[{GROUP}]\nx{number} = m:a\n")
    program = (
        "import sys, time\n"
        "now = time.time_ns\n"
        "time.time_ns = lambda: now() + 3600 * 10**9\n"
        "from codex_addons import distributions, entry_points, index\n"
        f"sys.path.insert(0, {str(site)!r})\n"
        "for _ in range(20):\n"
        "    index._remembered.clear()\n"
        "    index._file(sys.path[0]).unlink(missing_ok=True)\n"
        f"    assert len(entry_points.installed({GROUP!r})) == 200\n"
    )
    environment = {**os.environ, "CODEX_ML_CACHE_DIR": str(tmp_path / "shared")}
    command = [sys.executable, "-c", program]
    racing = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate()[1] for process in racing] == [""] * 4
    kept = sorted((tmp_path / "shared" / "entry_points").iterdir())
    assert all(read_json(file)["format"] == 1 for file in kept)
    assert all(file.suffix == ".json" and not file.name.startswith(".") for file in kept)


def edit(file, text):
    """Writes over a file, and sets its time to what it was, as a tool that synchronises folders may."""
    before = file.stat() if file.exists() else None
    file.write_text(text)
    if before:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("entry_points.txt", f"[{GROUP}]\ny = m:b\n", ["y = m:b of acme 1.0"]),
        ("entry_points.txt", "", []),
        ("METADATA", "Metadata-Version: 2.1\nName: acme\nVersion: 1.1\n\nName: wrong\n", ["x = m:a of acme 1.1"]),
        ("direct_url.json", '{"url": "file:///elsewhere/b", "dir_info": {"editable": true}}', ["x = m:a of acme 1.0"]),
    ],
)
def test_an_edit_in_place_is_seen(install, cache, site, tmp_path, file, text, told):
    metadata = install("acme", entry_points=f"[{GROUP}]\nx = m:a\n", editable=Path("/elsewhere/a"))
    time.sleep(0.01)
    assert [row[0] for row in as_a_new_process()] == ["x"]
    time.sleep(0.01)
    edit(metadata / file, text)
    assert [f"{name} = {target} of {of} {version}" for name, target, of, version in as_a_new_process()] == told
    assert {str(each.location) for each in installed(GROUP)} <= {"/elsewhere/b" if "url" in file else "/elsewhere/a"}


def test_entry_points_that_a_distribution_gains_are_seen(install, cache):
    metadata = install("acme")
    assert as_a_new_process() == []
    time.sleep(0.01)
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nx = m:a\n")
    assert [row[0] for row in as_a_new_process()] == ["x"]


def test_core_metadata_that_vanish_are_missed(install, cache, site):
    metadata = install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    as_a_new_process()
    (metadata / "METADATA").unlink()
    assert as_a_new_process() == [("x", "m:a", "acme", "1.0")]
    assert not distributions.distributions_in(str(site))[0].valid


NAMES = st.sampled_from(["acme", "Beta-x"])
VERSIONS = st.sampled_from(["1.0", "1.1", "2.0"])
# Of one length, so that an edit in place may leave the size as it was; and none at all.
OFFERS = st.sampled_from(["", f"[{GROUP}]\nx = m:a\n", f"[{GROUP}]\ny = m:b\n", "[console_scripts]\nz = m:c\n"])


class Changes(RuleBasedStateMachine):
    """Installs, upgrades, removes and edits in random order; what is found is always what the library finds."""

    folder: Path

    @initialize()
    def begin(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "site").mkdir(parents=True)
        self.older = b""
        self.clock = HOUR_NS
        index.time = SimpleNamespace(time_ns=lambda: time.time_ns() + self.clock)

    def metadata(self, name):
        return next((self.folder / "site").glob(f"{name.replace('-', '_')}-*"), None)

    def index_file(self):
        return index._file(str(self.folder / "site"))

    @rule(name=NAMES, version=VERSIONS, offers=OFFERS)
    def install_or_upgrade(self, name, version, offers):
        self.remove(name)
        metadata = self.folder / "site" / f"{name.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if offers:
            (metadata / "entry_points.txt").write_text(offers)

    @rule(name=NAMES)
    def remove(self, name):
        if there := self.metadata(name):
            shutil.rmtree(there)

    @rule(name=NAMES, offers=OFFERS)
    def edit_the_entry_points_in_place(self, name, offers):
        if there := self.metadata(name):
            edit(there / "entry_points.txt", offers)

    @rule(name=NAMES, version=VERSIONS)
    def edit_the_version_in_place(self, name, version):
        if there := self.metadata(name):
            edit(there / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    @rule(content=st.binary(max_size=40), share=st.floats(0, 1))
    def spoil_the_index(self, content, share):
        there = self.index_file().read_bytes() if self.index_file().exists() else b""
        self.index_file().write_bytes(there[: int(len(there) * share)] + content)

    @rule()
    def another_process_has_read_the_folder(self):
        if self.index_file().exists():
            self.older = self.index_file().read_bytes()

    @rule()
    def it_writes_its_index_late(self):
        self.index_file().write_bytes(self.older)

    @rule(clock=st.sampled_from([-24 * HOUR_NS, 0, HOUR_NS]))
    def set_the_clock(self, clock):
        self.clock = clock

    @invariant()
    def what_is_found_is_what_is_there(self):
        # The file system's clock ticks every few milliseconds.
        time.sleep(0.008)
        site = str(self.folder / "site")
        found = importlib_metadata.distributions(path=[site])
        expected = [(e.name, e.value, d.name, d.version) for d in found for e in d.entry_points if e.group == GROUP]
        # What this process remembers, then what the disk holds, before and after it was written.
        remembered = [(each.name, each.target, each.distribution, each.version) for each in installed(GROUP)]
        assert sorted(remembered) == sorted(expected)
        for _ in range(2):
            assert sorted(as_a_new_process()) == sorted(expected)


def test_after_any_sequence_of_changes_the_answer_is_right(tmp_path, monkeypatch, cache):
    Changes.folder = tmp_path / "machine"
    cache.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "machine" / "site")])
    run_state_machine_as_test(
        Changes, settings=settings(max_examples=40, stateful_step_count=20, suppress_health_check=list(HealthCheck))
    )


def test_an_index_that_cannot_take_its_place_leaves_nothing_behind(install, site, cache):
    install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    taken = index._file(str(site))
    taken.mkdir(parents=True)
    assert as_a_new_process() == [("x", "m:a", "acme", "1.0")]
    assert [path.name for path in cache.iterdir() if path.name.startswith(".")] == []


def test_a_folder_that_vanishes_holds_nothing(tmp_path, cache):
    assert index.distributions_in(str(tmp_path / "gone")) == ()


def test_a_distribution_that_vanishes_while_it_is_read_is_not_kept(install, site, cache, monkeypatch):
    metadata = install("acme", entry_points=f"[{GROUP}]\nx = m:a\n")
    read = index.read

    def reading(path):
        found = read(path)
        if Path(path) == metadata:
            shutil.rmtree(metadata)
        return found

    monkeypatch.setattr(index, "read", reading)
    as_a_new_process()
    assert as_a_new_process() == []


def test_a_zip_that_has_not_changed_is_read_once(cache, tmp_path, monkeypatch):
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("zipped-1.dist-info/METADATA", "Name: zipped\nVersion: 1\n")
        packed.writestr("zipped-1.dist-info/entry_points.txt", f"[{GROUP}]\nx = m:a\n")
    monkeypatch.setattr(sys, "path", [str(archive), *sys.path])
    first = installed(GROUP)
    monkeypatch.setattr(distributions, "_through_library", lambda entry: pytest.fail(f"{entry} was read again"))
    assert installed(GROUP) == first
    assert len(first) == 1
