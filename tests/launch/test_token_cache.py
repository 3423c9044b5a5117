import itertools
import json
import math
import multiprocessing
import os
import pickle
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections import UserDict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_ml.errors import DataError
from codex_ml.launch import token_cache
from codex_ml.launch.token_cache import TokenCache, build, open_or_build

INTS = st.integers() | st.integers(-200, 200) | st.sampled_from([2**31 - 1, 2**31, -(2**63), 2**63 - 1, 2**63, 2**64])
SCALARS = st.none() | st.booleans() | INTS | st.floats() | st.text(st.characters())
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)
# Mostly one kind in a column, as in life; sometimes any mixture.
COLUMNS = [
    INTS,
    st.integers(-(2**15), 2**15),
    st.floats(),
    st.booleans(),
    st.text(st.characters()),
    st.lists(INTS, max_size=5),
    st.lists(st.integers(0, 70_000), max_size=5),
    st.lists(st.floats(), max_size=5),
    st.just([]),
    st.lists(st.just([])),
    st.none() | st.integers(0, 5),
    st.integers() | st.floats() | st.booleans(),
    st.lists(st.integers() | st.floats() | st.booleans(), max_size=3),
    st.lists(st.integers(), max_size=2) | st.lists(st.floats(), max_size=2) | st.none(),
    JSON,
]
EXAMPLES = st.lists(st.tuples(st.text(max_size=6), st.sampled_from(COLUMNS)), min_size=1, max_size=5).flatmap(
    lambda columns: st.lists(st.fixed_dictionaries(dict(columns)), max_size=8)
)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("CODEX_ML_CACHE_DIR", str(tmp_path))
    return tmp_path / "tokens"


def exact(value: object) -> str:
    """Tells values apart by type, too, and NaN from null but not from itself."""
    return repr(value)


def in_order(examples: list[dict]) -> list[dict]:
    """The examples with their keys in the order of the first one's."""
    return [{name: example[name] for name in examples[0]} for example in examples]


def rows(count: int) -> list[dict]:
    return [{"id": f"row/{n}", "input_ids": list(range(n % 7)), "label": n % 3, "note": None} for n in range(count)]


@settings(max_examples=80, deadline=None)
@given(examples=EXAMPLES, block=st.integers(1, 4))
def test_gives_back_the_very_values(examples, block):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_cache, "_BLOCK_ROWS", block)
        built = build(Path(folder) / "cache", iter(examples))
        opened = TokenCache.open(Path(folder) / "cache")
        for made in (built, opened):
            assert len(made) == len(examples)
            assert exact([made[row] for row in range(len(made))]) == exact(in_order(examples))


@settings(max_examples=60, deadline=None)
@given(columns=st.lists(st.sampled_from(COLUMNS), min_size=2, max_size=4), data=st.data())
def test_a_column_whose_values_change_their_kind_gives_them_back(columns, data):
    examples = [{"x": data.draw(column)} for column in columns for _ in range(3)]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_cache, "_BLOCK_ROWS", 2)
        assert exact(list(build(Path(folder) / "cache", examples))) == exact(examples)


def test_it_is_a_sequence(tmp_path):
    examples = rows(10)
    made = build(tmp_path / "cache", examples)
    assert list(made) == examples
    assert made[-1] == examples[-1]
    assert made[2:9:3] == examples[2:9:3]
    assert list(reversed(made)) == examples[::-1]
    for index in (10, -11):
        with pytest.raises(IndexError):
            made[index]


def test_what_is_given_may_be_changed_without_harm(tmp_path):
    made = build(tmp_path / "cache", rows(10))
    made[3]["input_ids"].append(99)
    assert made[3] == rows(10)[3]


def test_integers_take_the_narrowest_type(tmp_path):
    examples = [{"a": [n, -n] * 100, "b": [100] * 200} for n in (1, 200, 40_000)]
    build(tmp_path / "cache", examples)
    assert (tmp_path / "cache" / "0.values").stat().st_size == 600 * 4
    assert (tmp_path / "cache" / "1.values").stat().st_size == 600


def test_lengths_are_those_of_the_input_ids(tmp_path):
    examples = rows(3000)
    made = build(tmp_path / "cache", examples)
    assert made.lengths.tolist() == [len(example["input_ids"]) for example in examples]
    assert made.lengths.dtype.name == "int64"
    assert not made.lengths.flags.writeable
    assert build(tmp_path / "none", []).lengths.tolist() == []
    assert build(tmp_path / "empty", [{"input_ids": []}] * 2).lengths.tolist() == [0, 0]


@pytest.mark.parametrize("example", [{"text": "no ids"}, {"input_ids": [0.5]}, {"input_ids": 5}])
def test_lengths_without_lists_of_ids_are_an_error(tmp_path, example):
    made = build(tmp_path / "cache", [example])
    with pytest.raises(DataError, match="input_ids"):
        _ = made.lengths


def test_it_is_pickled_by_its_folder(tmp_path):
    made = build(tmp_path / "cache", rows(2000))
    packed = pickle.dumps(made)
    assert len(packed) < 1000
    assert list(pickle.loads(packed)) == rows(2000)


def test_any_mapping_is_an_example_and_the_order_of_its_keys_is_free(tmp_path):
    made = build(tmp_path / "cache", [UserDict({"a": 1, "b": 2}), {"b": 3, "a": 4}])
    assert list(made) == [{"a": 1, "b": 2}, {"a": 4, "b": 3}]


@pytest.mark.parametrize("bad", [{"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 2}, {}])
def test_other_keys_are_told(tmp_path, bad):
    with pytest.raises(DataError, match=r"example 2 has the keys .* those before it have \['a', 'b'\]"):
        build(tmp_path / "cache", [{"a": 1, "b": 2}, {"b": 1, "a": 2}, bad])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("bad", [(1, 2), {1: 2}, b"x", {1, 2}, [math.nan, (1,)], object(), [[1, b""]]])
def test_values_that_are_not_json_are_told_with_their_place(tmp_path, bad):
    examples = [{"id": str(n), "x": "fine"} for n in range(1500)] + [{"id": "bad", "x": bad}]
    with pytest.raises(DataError, match="example 1500 has in 'x' a "):
        build(tmp_path / "cache", examples)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("bad", [{}, {1: 2}])
def test_examples_without_names_are_refused(tmp_path, bad):
    with pytest.raises(DataError, match="strings for keys"):
        build(tmp_path / "cache", [bad])


def test_errors_of_the_examples_pass_through_and_leave_nothing(tmp_path):
    def failing():
        yield from rows(3000)
        raise FileNotFoundError("the data went away")

    with pytest.raises(FileNotFoundError, match="the data went away"):
        build(tmp_path / "cache", failing())
    assert os.listdir(tmp_path) == []


def test_examples_are_made_only_when_they_are_needed(cache):
    calls = []

    def make():
        calls.append(1)
        return iter(rows(5))

    assert list(open_or_build("key", make)) == list(open_or_build("key", make)) == rows(5)
    assert len(calls) == 1
    assert os.listdir(cache) == ["key"]


@pytest.mark.parametrize("key", ["", "..", "a/b", ".hidden", "a\n"])
def test_a_key_that_is_no_file_name_is_refused(key):
    with pytest.raises(ValueError, match="cannot name"):
        open_or_build(key, lambda: iter(rows(1)))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGE = {
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "half a manifest": lambda folder: cut(folder / "manifest.json"),
    "another manifest": lambda folder: (folder / "manifest.json").write_text("[1]"),
    "another format": lambda folder: (folder / "manifest.json").write_text('{"format": 0, "byteorder": "little"}'),
    "values cut": lambda folder: cut(folder / "1.values"),
    "offsets cut": lambda folder: cut(folder / "1.offsets"),
    "offsets gone": lambda folder: (folder / "0.offsets").unlink(),
    "offsets of zeros": lambda folder: (folder / "0.offsets").write_bytes(b"\0" * 8 * 21),
    "flat values cut": lambda folder: cut(folder / "2.values"),
    "values emptied": lambda folder: (folder / "2.values").write_bytes(b""),
    "everything gone": lambda folder: [path.unlink() for path in folder.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_told_and_built_again(cache, damage):
    open_or_build("key", lambda: iter(rows(20)))
    DAMAGE[damage](cache / "key")
    with pytest.raises(DataError, match="holds no whole token cache"):
        TokenCache.open(cache / "key")
    assert list(open_or_build("key", lambda: iter(rows(20)))) == rows(20)
    assert os.listdir(cache) == ["key"]


def test_a_wrong_row_count_is_told(tmp_path):
    build(tmp_path / "cache", rows(20))
    manifest = tmp_path / "cache" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"rows": 19}))
    with pytest.raises(DataError, match="not complete"):
        TokenCache.open(tmp_path / "cache")


def test_a_folder_with_other_files_is_never_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(DataError, match="choose another folder"):
        build(tmp_path, rows(3))
    assert (tmp_path / "thesis.txt").read_text() == "important"


def _build_at_once(barrier, queue, number):
    barrier.wait()
    made = open_or_build("shared", lambda: iter([{"input_ids": [number] * 50}] * 20_000))
    queue.put({tuple(made[row]["input_ids"]) for row in range(0, 20_000, 500)})


@pytest.mark.parametrize("broken", [False, True])
def test_the_first_of_several_builders_wins(cache, broken):
    if broken:
        (cache / "shared").mkdir(parents=True)
        (cache / "shared" / "manifest.json").write_text("{")
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_build_at_once, args=(barrier, queue, n)) for n in range(3)]
    for process in processes:
        process.start()
    seen = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 1
    assert os.listdir(cache) == ["shared"]


BUILDER = textwrap.dedent("""
    import sys
    from codex_ml.launch.token_cache import open_or_build

    def examples():
        for n in range(int(sys.argv[1])):
            if n == 5000:
                print("under way", flush=True)
            yield {"id": f"row/{n}", "input_ids": [n % 50_000] * (n % 100), "label": n % 5}

    open_or_build("killed", examples)
    print("done", flush=True)
""")


def start(count: int) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", BUILDER, str(count)], stdout=subprocess.PIPE, text=True)


def expected(count: int) -> list[dict]:
    return [{"id": f"row/{n}", "input_ids": [n % 50_000] * (n % 100), "label": n % 5} for n in range(count)]


def test_a_builder_killed_half_way_leaves_no_cache_and_no_litter_for_the_next(cache):
    process = start(50_000_000)
    assert process.stdout is not None
    assert process.stdout.readline() == "under way\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (left,) = cache.iterdir()
    assert left.name.startswith(".killed.")
    assert os.listdir(left)
    assert list(open_or_build("killed", lambda: iter(expected(6000)))) == expected(6000)
    assert os.listdir(cache) == ["killed"]


def test_a_builder_killed_at_any_moment_leaves_a_whole_cache_or_none(cache):
    rng = random.Random(0)
    whole = 0
    for _ in range(10):
        process = start(6000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.04))
        process.kill()
        process.communicate()
        if (cache / "killed").exists():
            assert list(TokenCache.open(cache / "killed")) == expected(6000)
            whole += 1
            for path in (cache / "killed").iterdir():
                path.unlink()
            (cache / "killed").rmdir()
    assert list(open_or_build("killed", lambda: iter(expected(6000)))) == expected(6000)
    assert os.listdir(cache) == ["killed"]


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(cache):
    """The kernel refuses to let a file grow beyond the limit, as it does on a full disk."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    code = BUILDER.replace('open_or_build("killed", examples)', "try_it()").replace(
        "def examples",
        "from codex_ml.errors import DataError\n\ndef try_it():\n"
        "    try:\n        open_or_build('full', examples)\n    except DataError as error:\n        print(error)\n\n"
        "def examples",
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "100000"], preexec_fn=limit, capture_output=True, text=True, check=True
    )
    message = done.stdout.splitlines()[-2]
    assert str(cache / "full") in message
    assert "free some space there or set CODEX_ML_CACHE_DIR" in message
    assert os.listdir(cache) == []


def test_memory_stays_flat(tmp_path):
    code = textwrap.dedent("""
        import sys
        from codex_ml.launch.token_cache import build

        def peak():
            status = open("/proc/self/status").read()
            return int(status.split("VmHWM:")[1].split()[0])

        def examples(count):
            return ({"id": str(n), "input_ids": [n % 30_000] * 256, "x": [None, n]} for n in range(count))

        build(sys.argv[1] + "/warm", examples(3000))
        before = peak()
        build(sys.argv[1] + "/large", examples(60_000))
        print(peak() - before)
    """)
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    on_disk = sum(path.stat().st_size for path in (tmp_path / "large").iterdir())
    assert on_disk > 30_000_000
    assert int(done.stdout) < 4_000  # KiB


def test_examples_are_streamed(tmp_path):
    """No more than a block is taken before what came first is on the disk."""
    taken = itertools.count()

    def examples():
        for n in range(5000):
            next(taken)
            if n == 3000:
                (staged,) = tmp_path.iterdir()
                assert (staged / "0.values").stat().st_size > 0
            yield {"input_ids": [1]}

    assert len(build(tmp_path / "cache", examples())) == next(taken) == 5000
