"""A remote embedder, against a real server on loopback that answers as it is told to."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import monotonic
from typing import Any

import httpx
import numpy as np
import pytest
from pydantic import SecretStr

from index.embedder import open_embedder
from index.embedding_service import EmbeddingService, retry_after
from index.errors import Misconfigured, Unavailable
from index.remote_embedder import FOR_A_QUESTION, RemoteEmbedder
from index.settings import Settings

Answer = tuple[int, dict[str, str], str]
KEY = "sk-very-secret"


class LetterService:
    """Embeds a text as its counts of a, b and c (and 1), 10 tokens each. `script` holds answers that are sent before that."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.script: list[Answer] = []
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda reply: reply
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, request: dict[str, Any]) -> Answer:
        with self._lock:
            self.requests.append(request)
            self.times.append(monotonic())
            if self.script:
                return self.script.pop(0)
        if path != "/v1/embeddings":
            return 404, {}, "no such page"
        rows = [{"index": place, "embedding": [1, *map(text.count, "abc")]} for place, text in enumerate(request["input"])]
        reply = {"data": rows[::-1], "usage": {"total_tokens": 10 * len(rows)}}
        return 200, {}, json.dumps(self.change(reply))

    def _handler(service) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.keys.append(self.headers["Authorization"])
                status, headers, body = service.answer(self.path, request)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body.encode()))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Stays quiet."""

        return Handler


@pytest.fixture
def service() -> Iterator[LetterService]:
    found = LetterService()
    yield found
    found.stop()


@pytest.fixture
def embedder(service: LetterService) -> RemoteEmbedder:
    found = RemoteEmbedder(service.url, "letters", KEY, price=2.0)
    service.requests.clear()
    service.times.clear()
    return found


def unit(*counts: int) -> list[float]:
    return [float(count / np.linalg.norm(counts)) for count in counts]


def test_vectors_have_norm_1_and_stand_where_their_texts_stood(embedder: RemoteEmbedder):
    vectors = embedder.embed(["aa", "b", ""])
    assert vectors.tolist() == [pytest.approx(unit(1, 2, 0, 0)), pytest.approx(unit(1, 0, 1, 0)), pytest.approx(unit(1, 0, 0, 0))]
    assert vectors.dtype == np.float32
    assert embedder.embed_query("c").tolist() == pytest.approx(unit(1, 0, 0, 1))
    assert embedder.embed([]).shape == (0, 4)


def test_it_sends_what_openai_asks_for(embedder: RemoteEmbedder, service: LetterService):
    embedder.embed(["a", "", "b"])
    assert service.requests == [{"model": "letters", "input": ["a", " ", "b"], "encoding_format": "float"}]
    assert set(service.keys) == {f"Bearer {KEY}"}


def test_many_texts_go_in_requests_of_32(embedder: RemoteEmbedder, service: LetterService):
    vectors = embedder.embed(["a" * (number % 7) for number in range(100)])
    assert sorted(len(request["input"]) for request in service.requests) == [4, 32, 32, 32]
    assert vectors[:, 1] == pytest.approx([unit(1, number % 7, 0, 0)[1] for number in range(100)])


def test_long_texts_go_in_requests_of_at_most_8192_tokens(embedder: RemoteEmbedder, service: LetterService):
    embedder.embed(["a " * 3000, "b " * 3000, "c " * 3000, "a " * 9000, "b"])
    assert sorted(len(request["input"]) for request in service.requests) == [1, 1, 1, 2]


def test_a_stream_sends_no_more_than_is_asked_for(embedder: RemoteEmbedder, service: LetterService):
    stream = embedder.embed_stream(["a"] * 1000)
    places, vectors = next(stream)
    stream.close()
    assert (places.tolist(), vectors.shape) == (list(range(32)), (32, 4))
    assert len(service.requests) <= 4


def test_it_counts_tokens_and_money(embedder: RemoteEmbedder):
    embedder.embed(["a"] * 49)
    assert embedder.tokens == 500
    assert embedder.spent == pytest.approx(0.001)


def test_tokens_are_counted_where_the_service_counts_none(embedder: RemoteEmbedder, service: LetterService):
    service.change = lambda reply: {"data": reply["data"]}
    before = embedder.tokens
    embedder.embed(["three short words"])
    assert embedder.tokens - before == 5


def test_a_rate_limit_is_waited_for_as_long_as_the_service_asks(embedder: RemoteEmbedder, service: LetterService):
    service.script = [(429, {"Retry-After": "0.3"}, "slow down"), (503, {}, "")]
    assert embedder.embed(["a"]).shape == (1, 4)
    assert len(service.requests) == 3
    assert service.times[1] - service.times[0] >= 0.3


def test_a_service_that_asks_for_longer_than_we_wait_is_unavailable_at_once(embedder: RemoteEmbedder, service: LetterService):
    service.script = [(429, {"Retry-After": "120"}, "")]
    with pytest.raises(Unavailable, match="answered 429") as error:
        embedder.embed(["a"])
    assert error.value.retry_after_s == 120
    with pytest.raises(Unavailable, match="asked to wait") as again:
        embedder.embed_query("a")
    assert again.value.retry_after_s > 100
    assert len(service.requests) == 1


def test_a_service_that_stays_broken_is_unavailable(embedder: RemoteEmbedder, service: LetterService):
    service.script = [(500, {}, "")] * 10
    with pytest.raises(Unavailable, match="answered 500"):
        embedder.embed_query("a")
    assert len(service.requests) == 2


def test_a_service_that_is_not_there_is_unavailable():
    with pytest.raises(Unavailable, match=r"http://127.0.0.1:1/v1 does not answer \(ConnectError\)"):
        EmbeddingService("http://127.0.0.1:1/v1", "letters").vectors(["a"], 1, FOR_A_QUESTION)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"refused the key \(401\): set GROUNDWORK_EMBEDDER_KEY"),
        (403, r"refused the key \(403\)"),
        (404, r"\(404\): check GROUNDWORK_EMBEDDER_URL, and GROUNDWORK_EMBEDDER=letters"),
        (400, r"refused the request \(400\): no model for \*\*\*"),
    ],
)
def test_a_refusal_is_a_wrong_setting_and_never_shows_the_key(service: LetterService, status: int, message: str):
    service.script = [(status, {}, f"no model for {KEY}")]
    with pytest.raises(Misconfigured, match=message) as error:
        RemoteEmbedder(service.url, "letters", KEY)
    assert KEY not in str(error.value)
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        "{}",
        '{"data": []}',
        '{"data": [{"index": 0, "embedding": [0, 0, 0, 0]}]}',
        '{"data": [{"index": 0, "embedding": ["a"]}]}',
    ],
)
def test_a_reply_that_can_not_be_right_is_asked_for_again(embedder: RemoteEmbedder, service: LetterService, body: str):
    service.script = [(200, {}, body)]
    assert embedder.embed_query("a").tolist() == pytest.approx(unit(1, 1, 0, 0))
    assert len(service.requests) == 2


def test_another_number_of_dimensions_is_another_model(embedder: RemoteEmbedder, service: LetterService):
    service.change = lambda reply: {"data": [{"index": 0, "embedding": [1, 2]}]}
    with pytest.raises(Misconfigured, match="sent 2 dimensions in place of 4: another model answers as letters"):
        embedder.embed_query("a")


@pytest.mark.thorough
def test_the_fingerprint_names_service_model_and_dimensions(embedder: RemoteEmbedder, service: LetterService):
    assert embedder.dimensions == 4
    assert RemoteEmbedder(service.url + "/embeddings", "letters").fingerprint == embedder.fingerprint
    assert RemoteEmbedder(service.url.replace("//", "//user:password@"), "letters").fingerprint == embedder.fingerprint
    assert RemoteEmbedder(service.url, "other").fingerprint != embedder.fingerprint
    service.change = lambda reply: {"data": [{"index": 0, "embedding": [1, 2]}]}
    assert RemoteEmbedder(service.url, "letters").fingerprint != embedder.fingerprint


@pytest.mark.parametrize("url", ["", "localhost:8080/v1", "ftp://host/v1", "http://"])
def test_what_is_no_url_is_refused(url: str):
    with pytest.raises(Misconfigured, match="GROUNDWORK_EMBEDDER_URL is no URL"):
        RemoteEmbedder(url, "letters")


def test_the_settings_open_it(service: LetterService, monkeypatch: pytest.MonkeyPatch):
    for name, value in {"": "letters", "_URL": service.url, "_KEY": KEY, "_PRICE": "0.02"}.items():
        monkeypatch.setenv(f"GROUNDWORK_EMBEDDER{name}", value)
    settings = Settings()
    assert settings.embedder_key == SecretStr(KEY)
    embedder = open_embedder(settings.embedder, settings.home, settings.embedder_url, KEY, settings.embedder_price)
    assert isinstance(embedder, RemoteEmbedder)
    assert (embedder.name, embedder.price, embedder.max_tokens) == ("letters", 0.02, 256)
    assert embedder.kernel == f"service {service.url}"
    assert len(embedder.tokenizer().encode("word " * 1000, add_special_tokens=False).ids) == 1000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
    ],
)
def test_the_time_to_wait_is_read_in_all_its_forms(headers: dict[str, str], seconds: float):
    assert retry_after(httpx.Headers(headers)) == seconds
