# The cases are attributes that an author fills with a list.
# ruff: noqa: RUF012

from __future__ import annotations

import logging

from codex_ml.plugins.hello import Hello
from codex_ml.testing import PluginTests


class TestConformance(PluginTests):
    name = "hello"
    options = {"whom": "Ada"}
    bad_options = [{"whom": 3.5}, {"who": "Ada"}]


def test_it_says_a_line_at_the_start_and_one_at_the_end(caplog):
    plugin = Hello(whom="Ada")
    with caplog.at_level(logging.INFO):
        plugin.on_run_start({"run_id": "abc123", "status": "running"})
        plugin.on_run_end({"run_id": "abc123", "status": "interrupted"})
    assert caplog.messages == ["hello, Ada: this is run abc123", "goodbye, Ada: run abc123 is interrupted"]
