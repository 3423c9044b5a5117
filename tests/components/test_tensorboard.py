"""What the plugin writes, read back by TensorBoard's own reader."""

# The cases are attributes that an author fills with a list.
# ruff: noqa: RUF012

from __future__ import annotations

import logging
import struct
import sys

import pytest
from tracked_run import STEPS, Trap, after, logged, record_of, tracked

from codex_ml.plugins.tensorboard import TensorBoard
from codex_ml.testing import PluginTests

pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install 'codex-ml[tensorboard]'")


class TestConformance(PluginTests):
    name = "tensorboard"
    bad_options = [{"flush_seconds": 0}, {"flush_seconds": "soon"}, {"flush_seconds": 0.5}]


def reader(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    return accumulator.Reload()


def scalars(folder):
    read = reader(folder)
    return {tag: [(each.step, each.value) for each in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def single(values):
    """As TensorBoard keeps them: in 32 bits."""
    return [(step, struct.unpack("f", struct.pack("f", value))[0]) for step, value in values]


def expected(folder):
    record = record_of(folder)
    found = {name: single(values) for name, values in logged(folder).items()}
    return found | {name: single([(STEPS, value)]) for name, value in record["metrics"].items()}


def statuses(folder):
    told = reader(folder).Tensors("status/text_summary")
    return [(each.step, each.tensor_proto.string_val[0].decode()) for each in told]


def session(folder):
    """The hyperparameters and how the session ended, as the dashboard HParams reads them."""
    from tensorboard.plugins.hparams import api_pb2, metadata

    content = reader(folder).PluginTagToContent(metadata.PLUGIN_NAME)
    began = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in began.hparams.items()}
    if metadata.SESSION_END_INFO_TAG not in content:
        return values, None
    ended = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
    return values, api_pb2.Status.Name(ended.status)


@pytest.fixture(scope="module")
def continued(tmp_path_factory):
    root = tmp_path_factory.mktemp("continued") / "root"
    root.mkdir()
    tracked(TensorBoard, root, "kill:10", "stop:11", "whole")
    return root


@pytest.fixture(scope="module")
def restarted(tmp_path_factory):
    root = tmp_path_factory.mktemp("restarted") / "root"
    root.mkdir()
    tracked(TensorBoard, root, "early", "fail:3", "whole")
    return root


def test_all_that_was_logged_and_the_result_are_scalars(restarted):
    folder = after(restarted, 3)
    assert record_of(folder)["status"] == "completed"
    assert record_of(folder)["metrics"].keys() == {"accuracy"}
    assert scalars(folder) == expected(folder)
    assert [step for step, _ in scalars(folder)["loss"]] == list(range(1, STEPS + 1))


def test_the_hyperparameters_are_in_their_dashboard(restarted):
    values, ended = session(after(restarted, 3))
    assert values["trainer.lr"] == pytest.approx(0.05)
    assert values["trainer.schedule"] == "linear"
    assert values["task"] == "classification"
    assert values["metric.accuracy"] == "accuracy"
    assert ended == "STATUS_SUCCESS"


def test_a_run_that_fails_is_marked(restarted):
    before, during = after(restarted, 1), after(restarted, 2)
    assert session(before)[1] == session(during)[1] == "STATUS_FAILURE"
    assert statuses(before) == [(0, "failed: ValueError: nothing will come of this")]
    assert statuses(during)[-1] == (3, f"failed: {record_of(during)['error']['message']}")
    assert "the machine is on fire" in statuses(during)[-1][1]


def test_a_run_begun_again_without_a_checkpoint_has_no_step_twice(restarted):
    assert [step for step, _ in scalars(after(restarted, 2))["loss"]] == [1, 2, 3]
    assert statuses(after(restarted, 3))[-1] == (STEPS, "completed")


def test_a_killed_run_has_what_it_logged_up_to_its_checkpoint(continued):
    folder = after(continued, 1)
    assert single(logged(folder)["loss"])[:8] == scalars(folder)["loss"][:8]
    assert session(folder)[1] is None


def test_a_continued_run_goes_on_in_the_same_log_without_a_step_twice(continued):
    folder = after(continued, 3)
    assert record_of(folder)["resumed_from"] == [8, 11]
    assert scalars(folder) == expected(folder)


def test_an_interrupted_run_is_marked_until_it_is_done(continued):
    assert session(after(continued, 2))[1] == "STATUS_FAILURE"
    assert statuses(after(continued, 2))[-1][1].startswith("interrupted: the run was interrupted (SIGTERM)")
    assert session(after(continued, 3))[1] == "STATUS_SUCCESS"
    assert [told for step, told in statuses(after(continued, 3)) if step == STEPS] == ["completed"]


def test_nothing_is_sent_anywhere(tmp_path):
    with Trap() as trap:
        tracked(TensorBoard, tmp_path, "whole", environment={**trap.environment, "FENCE_LOG": str(tmp_path / "log")})
    assert trap.visits == 0
    assert not (tmp_path / "log").exists()
    assert scalars(tmp_path / "outputs" / "run")["loss"]


def test_what_it_cannot_write_does_not_fail_the_run(tmp_path):
    folder = tmp_path / "outputs" / "run"
    folder.mkdir(parents=True)
    (folder / "tensorboard").write_text("in the way")
    done = tracked(TensorBoard, tmp_path, "whole")
    assert record_of(folder)["status"] == "completed"
    assert "plugin=TensorBoard" in done.stderr
    assert "left out of the rest of the run" in done.stderr


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'codex-ml\[tensorboard\]'"):
        TensorBoard().on_run_start({"run_id": "abc", "folder": str(tmp_path)})


def test_without_a_folder_nothing_is_written_and_that_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        plugin = TensorBoard()
        plugin.on_run_start({"run_id": "abc"})
        plugin.on_log(1, {"loss": 0.5})
        plugin.on_run_end({"status": "completed", "metrics": {"f1": 0.5}})
    assert "nothing is tracked" in caplog.text
    assert not list(tmp_path.iterdir())
