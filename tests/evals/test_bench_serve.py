"""The load of the benchmark of serving, on a small server, and what is made of the replies."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import sleep
from typing import ClassVar

import pytest

from evals.bench import load
from evals.bench.figures import Case
from evals.bench.load import Replies, Target
from evals.bench.platform import PlatformFailed
from evals.bench.serve import latencies, overload, served, shares

SERVED_AT_ONCE = 2
SERVICE_S = 0.02


class Small(BaseHTTPRequestHandler):
    """Serves two at once in 20 ms each, and refuses what is more."""

    protocol_version = "HTTP/1.1"
    busy = 0
    lock = Lock()
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
        with self.lock:
            Small.asked.append(question)
            Small.busy += 1
            status = 200 if Small.busy <= SERVED_AT_ONCE else 503
        if status == 200:
            sleep(SERVICE_S)
        with self.lock:
            Small.busy -= 1
        body = json.dumps({"timings_ms": {"embed": 5.0, "search": 6.0, "read": 1.0, "total": 14.0}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Small.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Small) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_clients_ask_each_question_once(url):
    replies = load._run(load._clients, Target(url, "/search", ["copper", "silver"], begin=10), 2, 6)
    assert replies.status == [200] * 6
    assert sorted(Small.asked) == ["copper 10", "copper 12", "copper 14", "silver 11", "silver 13", "silver 15"]
    assert len(latencies(Case("serve", "small"), replies)) == 3


def test_a_rate_waits_for_nobody(url, monkeypatch):
    monkeypatch.setattr("evals.bench.serve.at_rate", lambda *asked: load._run(load._rate, *asked))
    many = load._run(load._clients, Target(url, "/search", ["copper"]), SERVED_AT_ONCE, 10)
    figures = {figure.metric: figure.value for figure in overload("small", Target(url, "/", ["tin"]), many, Case("serve", "full"), 0.5)}
    assert figures["offered"] > 4 * figures["served"] > 0
    assert figures["refused in, p50"] > 0
    assert figures["errors"] == 0


def test_a_reply_that_is_missing_fails_the_benchmark():
    with pytest.raises(PlatformFailed, match="statuses"):
        served(load._run(load._clients, Target("http://127.0.0.1:1", "/", ["copper"]), 1, 1))


def test_the_rest_of_the_time_is_ours():
    body = json.dumps({"timings_ms": {"embed": 5.0, "search": 6.0, "read": 1.0, "total": 14.0}}).encode()
    found = {figure.metric: figure.value for figure in shares(Case("serve", "one"), Replies([200], [0.016], [0.0], [body], 1.0))}
    assert found["HTTP and own code"] == pytest.approx(25.0)
    assert found["LanceDB"] == 7.0
