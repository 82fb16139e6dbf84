"""Whatever a language model's endpoint does: the sources or a clear error, in time, and never half an answer as if it were whole."""

import gzip
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import pytest

from api.events import MEDIA_TYPE as EVENTS
from tests.api.running import Reply, RunningApi
from tests.fakes import completion
from tests.scripted_chat import DONE, Script, ScriptedChat, chunk, event, says

pytestmark = pytest.mark.thorough

FACT = "The Faxe brewery stands in southern Zealand."
MORE = "It was founded in 1901 by a widow."
QUESTION = "In southern Zealand stands the Faxe brewery?"
FIRST = f'{FACT} [1: "{FACT}"] '
KEY = "sk-hostile-1f2e3d4c5b6a"
MEGABYTE = 1024 * 1024
JSON = "application/json"
CALL = {"name": "delete_documents", "arguments": "{}"}
TOOLS = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": CALL}]}


@dataclass(frozen=True)
class Bad:
    """What an endpoint does instead of answering, and what `degraded` says of it."""

    name: str
    says: str
    script: Script
    content_type: str = EVENTS
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    within: float = 20.0
    asked: int = 1

    def __str__(self) -> str:
        return self.name


def sends(*pieces: bytes | float) -> Script:
    return lambda _: pieces


def whole(message: Any, finish: str = "stop") -> bytes:
    """A completion that does not stream."""
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}).encode()


def dripping(text: bytes, seconds: float) -> Script:
    def script(_: dict[str, Any]) -> Iterable[bytes | float]:
        for byte in text:
            yield bytes([byte])
            yield seconds

    return script


def delta(**parts: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": parts, "finish_reason": None}]})


SLOWLY: tuple[bytes | float, ...] = (b"x", 1.0) * 30
GOOD = completion(f'{FACT} [1: "{FACT}"]').encode()
STREAM = b"".join((chunk(FIRST), chunk(finish="stop"), DONE))
NO_COMPLETION, EMPTY, TOO_MUCH, NO_TOOL = "what it sent is no completion", "sent an empty answer", "sent more than", "asked for a tool"
CASES = [
    Bad("busy", "HTTP 429", sends(b"{}"), JSON, 429, asked=2),
    Bad("busy for an hour", "HTTP 429", sends(b"{}"), JSON, 429, {"Retry-After": "3600"}),
    Bad("broken", "HTTP 500", sends(b"boom"), "text/plain", 500, asked=2),
    Bad("broken for a while", "HTTP 503", sends(b""), JSON, 503, {"Retry-After": "1"}),
    Bad("a byte a second, past the deadline", "not done in time", dripping(STREAM, 1.0), within=2.5),
    Bad("a byte a second of JSON, past the deadline", "not done in time", dripping(GOOD, 1.0), JSON, within=2.5),
    Bad("comments for ever", "not done in time", lambda _: (step for _ in iter(int, 1) for step in (b": wait\n\n", 0.1)), within=2.5),
    Bad("a tool call", NO_TOOL, sends(whole(TOOLS, "tool_calls")), JSON),
    Bad("a tool call, streamed", NO_TOOL, sends(delta(**TOOLS), chunk(finish="tool_calls"), DONE)),
    Bad("a function call", NO_TOOL, sends(whole({"content": None, "function_call": CALL}, "function_call")), JSON),
    Bad("a function call, streamed", NO_TOOL, sends(delta(function_call=CALL), chunk(finish="function_call"), DONE)),
    Bad("no choice", EMPTY, sends(b'{"choices": []}'), JSON),
    Bad("no choice, streamed", EMPTY, sends(event({"choices": []}), DONE)),
    Bad("filtered before the first word", EMPTY, sends(chunk("", "content_filter"), DONE)),
    Bad("too long before the first word", EMPTY, sends(whole({"content": ""}, "length")), JSON),
    Bad("50 MB of JSON", TOO_MUCH, lambda _: [b'{"choices": ["', *([b"x" * MEGABYTE] * 50)], JSON),
    Bad("50 MB of comments", TOO_MUCH, lambda _: [b": " + b"x" * MEGABYTE + b"\n"] * 50),
    Bad("50 MB of empty events", TOO_MUCH, lambda _: [event({"choices": []}) * 40_000] * 50),
    Bad("50 MB of text", "wrote more than", lambda _: [chunk("beer " * 200_000)] * 50),
    Bad("50 MB, packed", TOO_MUCH, sends(gzip.compress(b" " * 50 * MEGABYTE)), JSON, headers={"Content-Encoding": "gzip"}),
    Bad("packed in another way than it says", "DecodingError", sends(GOOD), JSON, headers={"Content-Encoding": "gzip"}, asked=1),
    Bad("invalid UTF-8", NO_COMPLETION, sends(GOOD.replace(b"Faxe", b"F\xffxe")), JSON),
    Bad("invalid UTF-8, streamed", NO_COMPLETION, sends(STREAM.replace(b"Faxe", b"F\xffxe"))),
    Bad("a page", NO_COMPLETION, sends(b"<html>Sign in</html>"), "text/html"),
    Bad("events that say they are JSON", NO_COMPLETION, sends(STREAM), JSON),
    Bad("JSON that says it is events", EMPTY, sends(GOOD)),
    Bad("an older API", EMPTY, sends(b'{"choices": [{"index": 0, "text": "%s", "finish_reason": "stop"}]}' % FACT.encode()), JSON),
    Bad("another API", EMPTY, sends(b'{"type": "message", "content": [{"type": "text", "text": "%s"}]}' % FACT.encode()), JSON),
    Bad("nesting without end", NO_COMPLETION, sends(b'{"choices": ' + b"[" * 200_000), JSON),
    Bad("a number without end", NO_COMPLETION, sends(b'{"usage": ' + b"9" * 100_000 + b"}"), JSON),
    Bad("less than it says", "RemoteProtocolError", sends(GOOD[:40]), JSON, headers={"Content-Length": "1000"}, asked=1),
    Bad("a redirect to nowhere", "HTTP 302", sends(b""), JSON, 302),
    Bad("a redirect to what is no address", "RemoteProtocolError", sends(b""), JSON, 302, {"Location": "http://[::1/\x80"}, asked=2),
]
CUT_OFF = [
    Bad("a tool call", NO_TOOL, sends(chunk(FIRST), chunk("It was "), delta(**TOOLS), chunk(finish="tool_calls"), DONE)),
    Bad("invalid UTF-8", NO_COMPLETION, sends(chunk(FIRST), chunk("It was "), b'data: {"choices": "\xff"}\n\n')),
    Bad("an error", "it sent an error", sends(chunk(FIRST), chunk("It was "), event({"error": {"message": KEY}}))),
    Bad("50 MB", TOO_MUCH, lambda _: [chunk(FIRST), chunk("It was "), *([b": " + b"x" * MEGABYTE] * 50)]),
    Bad("another shape", NO_COMPLETION, sends(chunk(FIRST), chunk("It was "), event(["founded"]))),
    Bad("a byte a second", "not done in time", lambda _: [chunk(FIRST), chunk("It was "), *SLOWLY], within=4.0),
]
HALVES = [
    ("length", "cut off at its longest"),
    ("content_filter", "cut off by a filter"),
    ("tool_calls", "did not say that the answer is whole"),
    (KEY, "did not say that the answer is whole"),
]


@pytest.fixture(scope="module")
def chat() -> Iterator[ScriptedChat]:
    with ScriptedChat(says()) as scripted:
        yield scripted


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, chat: ScriptedChat) -> Iterator[RunningApi]:
    with RunningApi(tmp_path_factory.mktemp("served"), llm_url=chat.url, llm_model="teller", llm_key=KEY) as running:
        running.start_ingester().put("brewery", f"{FACT} {MORE}")
        yield running


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No line of the log has the endpoint's key."""
    caplog.set_level(logging.INFO)
    yield
    assert KEY not in caplog.text + "".join(repr(vars(record)) for record in caplog.records)


def does(chat: ScriptedChat, bad: Bad) -> None:
    chat.script, chat.status, chat.content_type, chat.headers = bad.script, bad.status, bad.content_type, bad.headers
    chat.asked.clear()


def ask(served: RunningApi, within: float = 20.0, *, stream: bool = False) -> Reply:
    began = monotonic()
    reply = served.post("/v1/answers", {"question": QUESTION, "stream": stream}, headers={"Request-Timeout": str(within)})
    assert monotonic() - began < within + 1
    assert reply.status == 200, reply
    assert KEY not in reply.text
    return reply


def events(reply: Reply) -> list[tuple[str, Any]]:
    blocks = [block.splitlines() for block in reply.text.split("\n\n") if block and not block.startswith(":")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


@pytest.mark.parametrize("bad", CASES, ids=str)
def test_an_endpoint_that_does_not_answer_is_replaced_by_the_sources_in_time(served, chat, bad):
    does(chat, bad)
    made = ask(served, bad.within).json
    asked = len(chat.asked)
    (kind, done) = events(ask(served, bad.within, stream=True))[-1]
    assert kind == "done"
    for answer in (made, done):
        assert (answer["generator"], answer["grounded"]) == ("extractive", True)
        assert FACT in answer["answer"]
        assert bad.says in answer["degraded"][0]
    assert asked == bad.asked


@pytest.mark.parametrize("bad", CUT_OFF, ids=str)
def test_an_endpoint_that_fails_after_the_first_sentence_ends_a_stream_with_an_error(served, chat, bad):
    does(chat, bad)
    made = ask(served, bad.within).json
    assert (made["generator"], made["grounded"]) == ("extractive", True)
    *_, (token, said), (kind, problem) = events(ask(served, bad.within, stream=True))
    assert (token, said["text"], kind, problem["status"]) == ("token", f"{FACT} [1]", "error", 503)
    assert bad.says in problem["detail"]
    assert "what came of it is not whole" in problem["detail"]


@pytest.mark.parametrize(("finish", "remark"), HALVES)
@pytest.mark.parametrize("streams", [True, False], ids=["events", "JSON"])
def test_an_answer_that_its_endpoint_cut_off_says_so(served, chat, finish, remark, streams):
    written = [chunk(FIRST), chunk("It was fou", finish), DONE] if streams else [whole({"content": f"{FIRST} It was fou"}, finish)]
    does(chat, Bad("half", remark, sends(*written), EVENTS if streams else JSON))
    for answer in (ask(served).json, events(ask(served, stream=True))[-1][1]):
        assert answer["answer"] == f"{FACT} [1]"
        assert [remark in said for said in answer["degraded"]] == [True]


@pytest.mark.parametrize("kind", [EVENTS, "Text/Event-Stream; charset=UTF-8", JSON])
def test_a_slow_drip_within_the_deadline_is_an_answer(served, chat, kind):
    does(chat, Bad("slow", "", dripping(GOOD if kind == JSON else STREAM, 0.005), kind))
    for answer in (ask(served).json, events(ask(served, stream=True))[-1][1]):
        assert (answer["generator"], answer["answer"], answer["degraded"]) == ("teller", f"{FACT} [1]", [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_with_the_key_or_without(served, chat, status):
    with ScriptedChat(says(FIRST)) as other:
        does(chat, Bad("moved", f"HTTP {status}", sends(b""), JSON, status, {"Location": other.url.replace("127.0.0.1", "localhost")}))
        for answer in (ask(served).json, events(ask(served, stream=True))[-1][1]):
            assert (answer["generator"], f"HTTP {status}" in answer["degraded"][0]) == ("extractive", True)
        assert (other.asked, other.keys) == ([], [])
    assert chat.keys[-1] == f"Bearer {KEY}"
