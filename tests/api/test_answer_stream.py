"""Streamed answers over a real socket, with a language model behind real HTTP."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from api.events import COMMENT, Send, events
from tests.api.running import RunningApi
from tests.scripted_chat import ScriptedChat, chunk, says

FACTS = ("The Faxe brewery stands in southern Zealand.", "It was founded in 1901 by a widow.")
QUESTION = "In southern Zealand stands the Faxe brewery?"
ASKED = {"question": QUESTION, "stream": True}
FIRST = f'{FACTS[0]} [1: "{FACTS[0]}"] '


@dataclass(frozen=True)
class Heard:
    """An event."""

    name: str
    data: Any


def heard(running: RunningApi, asked: dict[str, Any] = ASKED, within: float = 20) -> list[Heard]:
    """All events of a streamed answer."""
    reply = running.post("/v1/answers", asked, headers={"Request-Timeout": str(within)})
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "text/event-stream"), reply
    blocks = [block.splitlines() for block in reply.text.split("\n\n") if block and not block.startswith(":")]
    return [Heard(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


@pytest.fixture(scope="module")
def chat() -> Iterator[ScriptedChat]:
    with ScriptedChat(says()) as scripted:
        yield scripted


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, chat: ScriptedChat) -> Iterator[RunningApi]:
    """An API whose language model follows `chat.script`, and whose answers may take twenty seconds."""
    home = tmp_path_factory.mktemp("told")
    (home / "serving.toml").write_text('answer_seconds = 20\nunsupported = "mark"\n')
    with RunningApi(home, llm_url=chat.url, llm_model="teller", serving=home / "serving.toml") as running:
        running.start_ingester().put("brewery", " ".join(FACTS))
        yield running


@pytest.mark.thorough
def test_the_sentences_of_the_sources_stream_as_the_whole_reply_tells_them(api):
    api.put("brewery", f"Beer is old. {FACTS[0]} Nobody knows why.")
    sources, *tokens, done = heard(api)
    whole = api.post("/v1/answers", ASKED | {"stream": False}).json
    assert (sources.name, {token.name for token in tokens}, done.name) == ("sources", {"token"}, "done")
    assert "".join(token.data["text"] for token in tokens) == done.data["answer"] == whole["answer"]
    assert [token.data["citation"] for token in tokens] == done.data["citations"] == whole["citations"]
    assert set(done.data) == set(whole)
    assert {citation["chunk_id"] for citation in done.data["citations"]} <= {id_ for source in sources.data for id_ in source["chunk_ids"]}
    assert [citation["n"] for citation in done.data["citations"]] == list(range(1, len(done.data["citations"]) + 1))
    assert all("n" not in source for source in sources.data), "[1] in the text is citation 1, whichever source that quotes"
    assert api.get(f"/v1/answers/{done.data['id']}").json["answer"] == done.data["answer"]


def test_that_there_is_no_answer_is_streamed_too(api):
    _, token, done = heard(api, {"question": "Quantum chromodynamics lattice?", "filter": {"doc_id": "mine"}, "stream": True})
    assert (token.data["citation"], done.data["grounded"]) == (None, False)
    assert token.data["text"] == done.data["answer"]


def test_what_is_wrong_before_the_stream_begins_is_a_plain_problem(api):
    assert api.post("/v1/answers", ASKED | {"release": 99_999}).status == 404
    assert api.post("/v1/answers", ASKED | {"filter": {"nothing": 1}}).status == 400


@pytest.mark.thorough
def test_each_sentence_is_sent_once_it_is_checked_and_the_rest_is_marked(told, chat):
    chat.script = says(
        "The Faxe brewery ",
        f'stands in southern Zealand. [1: "{FACTS[0]}"',
        "] It is the ",
        "best. Founded by a king",
        " in 1801 [1].",
        usage=(90, 30),
    )
    _, *tokens, done = heard(told)
    assert [token.data["text"] for token in tokens] == [
        "The Faxe brewery stands in southern Zealand. [1]",
        " It is the best. [unsupported]",
        " Founded by a king in 1801 [unsupported]",
    ]
    assert [bool(token.data["citation"]) for token in tokens] == [True, False, False]
    assert (done.data["usage"], done.data["generator"]) == ({"prompt_tokens": 90, "completion_tokens": 30}, "teller")
    record = told.get(f"/v1/answers/{done.data['id']}").json
    assert (record["usage"], record["answer"]) == (done.data["usage"], "".join(token.data["text"] for token in tokens))


def test_a_sentence_is_there_before_the_next_is_written(told, chat):
    chat.script = lambda _: [chunk(FIRST), chunk("It was"), 1.0, chunk(' founded in 1901 [1: "founded in 1901"]', "stop")]
    before = chat.sent
    with streaming(told) as connection:
        until(connection, b"event: token")
        assert chat.sent - before <= 2


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (says("The Faxe brew", finish=None, ends=False), "stopped in the middle of an answer"),
        (says(FIRST[:-3], finish=None), "stopped in the middle of an answer"),
        (lambda _: [b"data: {broken\n\n"], "what it sent is no completion"),
        (lambda _: [b"data: [1, 2]\n\n"], "what it sent is no completion"),
        (lambda _: [b'data: {"error": {"message": "secret"}}\n\n'], "it sent an error"),
        (lambda _: [b"data: " + b"x" * 1_000_000] * 6, "more than"),
        (lambda _: (chunk("beer " * 500) for _ in iter(int, 1)), "more than"),
        (lambda _: [5.0], "not done in time"),
    ],
    ids=["ends early", "ends without its reason", "no JSON", "another shape", "an error", "a huge line", "no end", "silence"],
)
@pytest.mark.thorough
def test_a_model_that_fails_before_its_first_sentence_is_replaced(told, chat, script, reason):
    chat.script = script
    within = 2 if reason == "not done in time" else 20
    began = monotonic()
    *_, done = heard(told, within=within)
    assert (done.name, done.data["generator"]) == ("done", "extractive")
    assert FACTS[0] in done.data["answer"]
    assert reason in done.data["degraded"][0]
    assert monotonic() - began < within
    whole = told.post("/v1/answers", ASKED | {"stream": False}, headers={"Request-Timeout": str(within)})
    assert whole.json["degraded"] == done.data["degraded"]


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ([], "stopped in the middle of an answer"),
        ([b"data: {broken\n\n"], "what it sent is no completion"),
        ([5.0], "not done in time"),
    ],
    ids=["ends early", "no JSON", "silence"],
)
@pytest.mark.thorough
def test_a_model_that_fails_after_its_first_sentence_is_an_error(told, chat, rest, reason):
    chat.script = lambda _: [chunk(FIRST), chunk("It was "), *rest]
    within = 2 if reason == "not done in time" else 20
    _, token, error = heard(told, within=within)
    assert (token.name, error.name, error.data["status"]) == ("token", "error", 503)
    assert reason in error.data["detail"]
    assert "what came of it is not whole" in error.data["detail"]
    whole = told.post("/v1/answers", ASKED | {"stream": False}, headers={"Request-Timeout": str(within)}).json
    assert (whole["generator"], whole["grounded"]) == ("extractive", True)


def test_an_answer_that_was_cut_off_at_its_longest_says_so(told, chat):
    chat.script = says(FIRST, "It was fou", finish="length")
    *_, done = heard(told)
    assert done.data["degraded"] == ["the model's answer was cut off at its longest: its end is missing"]


def test_who_goes_away_stops_the_language_model_within_a_second(told, chat):
    records = set((told.home / "answers").rglob("*.json"))
    chat.left.clear()
    chat.script = lambda _: (step for i in range(1_000) for step in (chunk(FIRST if i == 0 else "more "), 0.02))
    with streaming(told) as connection:
        until(connection, b"event: token")
    gone = monotonic()
    assert chat.left.wait(3), "the model still writes"
    assert chat.left_at is not None
    assert chat.left_at - gone < 1
    sent = chat.sent
    sleep(0.1)
    assert chat.sent == sent
    assert set((told.home / "answers").rglob("*.json")) == records


def test_a_silent_model_is_left_too(told, chat):
    """It writes nothing that could fail: its end of the connection sees that the other is closed."""
    chat.left.clear()
    asked = len(chat.asked)
    chat.script = lambda _: (step for _ in range(200) for step in (b": nothing yet\n\n", 0.02))
    with streaming(told):
        RunningApi.until(lambda: len(chat.asked) > asked)
    gone = monotonic()
    assert chat.left.wait(3)
    assert chat.left_at is not None
    assert chat.left_at - gone < 1


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/answers", {"question": QUESTION}),
        ("/v1/chat/completions", {"model": "groundwork", "messages": [{"role": "user", "content": QUESTION}]}),
        ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": {"question": QUESTION}}}),
    ],
)
def test_who_goes_away_before_a_whole_answer_stops_the_language_model_too(told, chat, path, asked):
    chat.left.clear()
    before = len(chat.asked)
    chat.script = lambda _: (step for _ in range(200) for step in (b": nothing yet\n\n", 0.02))
    body = json.dumps(asked).encode()
    kinds = "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {told.admin}\r\n{kinds}"
    with socket.create_connection(("127.0.0.1", told.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        RunningApi.until(lambda: len(chat.asked) > before)
    gone = monotonic()
    assert chat.left.wait(3), "the model still writes"
    assert chat.left_at is not None
    assert chat.left_at - gone < 1


def test_what_a_model_used_up_is_told_though_nothing_of_it_is_borne_out(told, chat):
    chat.script = says("Beer is made of moonlight.", usage=(123, 45))
    reply = told.post("/v1/answers", ASKED | {"stream": False}).json
    assert (reply["generator"], reply["usage"]) == ("extractive", {"prompt_tokens": 123, "completion_tokens": 45})


def test_comments_keep_a_quiet_stream_alive():
    async def slow(send: Send) -> None:
        await asyncio.sleep(0.05)
        await send(b"data: 1\n\n")

    async def collect() -> list[bytes]:
        return [piece async for piece in events(slow, keep_alive_s=0.02)]

    *comments, last = asyncio.run(collect())
    assert set(comments) == {COMMENT}
    assert last == b"data: 1\n\n"


@contextmanager
def streaming(running: RunningApi) -> Iterator[socket.socket]:
    """A connection that has asked for a streamed answer."""
    body = json.dumps(ASKED).encode()
    head = f"POST /v1/answers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.admin}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        yield connection


def until(connection: socket.socket, wanted: bytes) -> None:
    """Reads until something has come."""
    came = b""
    while wanted not in came:
        came += (piece := connection.recv(4096))
        assert piece, came


def test_the_folder_of_records_is_where_the_test_above_looks(told, chat):
    chat.script = says(FIRST)
    *_, done = heard(told)
    assert list(Path(told.home).rglob(f"{done.data['id']}.json"))
