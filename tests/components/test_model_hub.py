from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading

import pytest
from tiny_models import build


class Answering(http.server.BaseHTTPRequestHandler):
    """A hub, or a proxy, that has nothing."""

    def do_HEAD(self):
        self.server.asked.append(self.path)
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


@pytest.fixture
def silent():
    """The port of a server that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


ASKING = (
    "import logging, time\nlogging.basicConfig(level=logging.INFO)\n"
    "from codex_ml.models.gpt2 import gpt2\nbegun = time.monotonic()\n"
    "try: gpt2({'model_name': 'nobody/mine', 'head': {'kind': 'causal_lm'}})\n"
    "except OSError as error: print(error)\n"
    "print(time.monotonic() - begun)"
)


def asked(**environment):
    """What a process that asks the hub says on stderr, and prints: an error, and the seconds that it took."""
    done = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, env=environment, check=False)
    return done.stderr, done.stdout


def test_without_a_network_the_ways_out_are_told_at_once_and_nothing_else(silent, tmp_path):
    for hub, seconds in (("http://127.0.0.1:9", 5), (f"http://127.0.0.1:{silent}", 10)):
        noise, out = asked(HF_HOME=str(tmp_path), HF_ENDPOINT=hub)
        told, took = out.splitlines()
        begins = "model.model_name: cannot get 'nobody/mine' from the Hugging Face hub or its cache (no connection to"
        assert told.startswith(f"{begins} {hub}: ")
        assert "model.model_name=<folder>" in told
        assert float(took) < seconds
        assert noise == ""


def test_a_hub_that_answers_is_asked_through_a_proxy_too(answering, tmp_path):
    own = f"http://127.0.0.1:{answering.server_address[1]}"
    for hub, proxy in ((own, {}), ("http://hub.invalid", {"HTTP_PROXY": own})):
        answering.asked.clear()
        noise, out = asked(HF_HOME=str(tmp_path), HF_ENDPOINT=hub, **proxy)
        told, _ = out.splitlines()
        assert told.startswith("model.model_name: cannot get 'nobody/mine' from the Hugging Face hub or its cache (")
        assert "no connection" not in told
        assert any(path.endswith("/nobody/mine/resolve/main/config.json") for path in answering.asked)
        assert noise == ""


def test_without_a_network_the_hub_s_cache_serves(tmp_path):
    place = tmp_path / "models--nobody--mine"
    build("gpt2").save_pretrained(place / "snapshots/abc")
    (place / "refs").mkdir()
    (place / "refs/main").write_text("abc")
    noise, _ = asked(HF_HUB_CACHE=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9")
    first, *more = noise.splitlines()
    told = "nobody/mine is taken from the cache of the Hugging Face hub, as there is no connection to http://127.0.0.1"
    assert told in first
    assert any("model: weights from" in line for line in more)
    assert not any("Retry" in line for line in more)
