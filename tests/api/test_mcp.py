"""The Model Context Protocol, asked by its official client over a socket."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.api.running import RunningApi
from tests.fakes import HashingEmbedder
from tests.scripted_chat import ScriptedChat, chunk


@pytest.fixture(params=["auto", "legacy"])
def ask(api, request):
    """Does something with a client, of the protocol as it is now and as it was before."""
    return lambda do, key=None: with_client(api, request.param, do, key)


def with_client(api: RunningApi, mode: Any, do: Any, key: str | None = None, **headers: str) -> Any:
    """What comes of it, with more headers once the client knows whom it talks to."""

    async def session() -> Any:
        sent = {"Authorization": f"Bearer {key or api.admin}"}
        async with httpx2.AsyncClient(headers=sent, trust_env=False, timeout=60) as http:
            transport = streamable_http_client(f"http://127.0.0.1:{api.port}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                http.headers.update(headers)
                return await do(client)

    return asyncio.run(session())


@pytest.fixture(scope="module")
def mines(api):
    api.put("mcp/en", "The silver mine of Sala is deep.", metadata={"lang": "mcp-en"})
    api.put("mcp/sv", "The iron mine of Kiruna is large.", metadata={"lang": "mcp-sv"})


def call(name: str, **arguments: Any) -> Any:
    return lambda client: client.call_tool(name, arguments)


def test_the_server_tells_its_name_and_version(ask):
    async def introduced(client: Client) -> tuple[str, str]:
        return client.server_info.name, client.server_info.version

    assert ask(introduced) == ("groundwork", version("groundwork"))


def test_the_tools_say_what_they_take_and_that_they_change_nothing(ask):
    tools = {tool.name: tool for tool in ask(lambda client: client.list_tools()).tools}
    assert list(tools) == ["search", "ask", "document_status", "releases"]
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools.values())
    assert tools["search"].input_schema["required"] == ["query"]
    assert {tool.output_schema["type"] for tool in tools.values()} == {"object"}


@pytest.mark.thorough
def test_search_finds_passages_with_their_source(ask, mines):
    found = ask(call("search", query="the silver mine of Sala", k=1))
    [hit] = found.structured_content["hits"]
    assert (found.is_error, hit["doc_id"], hit["text"]) == (False, "mcp/en", "The silver mine of Sala is deep.")


def test_an_answer_has_citations_and_its_record_is_kept(api, ask, mines):
    answer = ask(call("ask", question="Which mine of Kiruna is large?", filter={"metadata.lang": "mcp-sv"})).structured_content
    assert [citation["doc_id"] for citation in answer["citations"]] == ["mcp/sv"]
    assert api.get(f"/v1/answers/{answer['id']}").status == 200


def test_a_document_and_the_releases_can_be_looked_up(api, ask, mines):
    assert ask(call("document_status", doc_id="mcp/en")).structured_content["state"] == "indexed"
    releases = ask(call("releases", limit=2)).structured_content["items"]
    assert len(releases) == 2
    assert [release["live"] for release in releases] == [True, False]


def test_a_key_with_a_filter_sees_only_its_documents(api, ask, mines):
    key = api.key("reader", {"metadata.lang": "mcp-sv"})
    found = ask(call("search", query="the silver mine of Sala"), key).structured_content
    assert {hit["doc_id"] for hit in found["hits"]} == {"mcp/sv"}
    answer = ask(call("ask", question="The silver mine of Sala is deep?"), key).structured_content
    assert "mcp/en" not in [citation["doc_id"] for citation in answer["citations"]]
    hidden = ask(call("document_status", doc_id="mcp/en"), key)
    assert (hidden.is_error, hidden.content[0].text) == (True, "document 'mcp/en' was never seen here")


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("search", {}, "missing required field `query`"),
        ("search", {"query": "mine", "k": 0}, "`int` >= 1"),
        ("search", {"query": "mine", "nonsense": 1}, "unknown field `nonsense`"),
        ("search", {"query": "  "}, "query is empty"),
        ("search", {"query": "mine", "filter": {"metadata.none": 1}}, "metadata.none"),
        ("search", {"query": "mine", "release": 99999}, "99999"),
        ("search", {"query": "mine", "mode": "magic"}, "Invalid enum value 'magic' - at `$.mode`; use hybrid, text, vector"),
        ("ask", {"question": ""}, "question is empty"),
        ("ask", {"question": 7}, "Expected `str`"),
        ("document_status", {"doc_id": "\n"}, "control characters"),
        ("releases", {"limit": 1000}, "`int` <= 50"),
    ],
)
def test_a_bad_argument_is_an_error_that_the_model_can_read(ask, name, arguments, told):
    reply = ask(call(name, **arguments))
    assert reply.is_error
    assert told in reply.content[0].text


def test_an_unknown_tool_is_an_error_of_the_protocol(ask):
    async def refused(client: Client) -> str:
        with pytest.raises(MCPError) as error:
            await client.call_tool("drop_everything", {})
        return error.value.message

    assert ask(refused) == "there is no such tool; there are: search, ask, document_status, releases"


HELLO = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize("key", [None, "gw_wrong"])
def test_without_a_key_nothing_is_told(api, key):
    reply = api.post("/mcp", HELLO, key, headers=ACCEPT)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:8000"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example:8000"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Host": "localhost"}, 200),
    ],
)
def test_a_page_under_another_name_is_refused(api, headers, status):
    reply = api.post("/mcp", HELLO, headers=ACCEPT | headers)
    assert reply.status == status
    assert status == 200 or "mcp_hosts" in reply.detail


def test_there_are_no_sessions_to_listen_to_or_to_end(api):
    assert [api.call(method, "/mcp", headers=ACCEPT).status for method in ("GET", "DELETE")] == [405, 405]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"jsonrpc": "2.0"}', b"\xff\xfe", b"[" * 5_000])
def test_what_is_no_message_is_refused(api, body):
    reply = api.post("/mcp", key="", content=body, headers=ACCEPT | {"Content-Type": "application/json"})
    assert 400 <= reply.status < 500


def test_who_goes_with_the_reply_gets_one_reply(api, caplog):
    body = json.dumps(HELLO).encode()
    told = f"Host: localhost\r\nAuthorization: Bearer {api.admin}\r\nContent-Type: application/json\r\nAccept: {ACCEPT['Accept']}"
    head = f"POST /mcp HTTP/1.1\r\n{told}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    replies = [api.raw(head + body) for _ in range(20)]
    assert {reply.count(b"HTTP/1.1 ") for reply in replies} == {1}
    assert all(reply.startswith(b"HTTP/1.1 200 ") for reply in replies)
    assert "Traceback" not in caplog.text


def test_a_body_that_is_too_large_is_refused(api):
    assert api.post("/mcp", HELLO | {"params": {"more": "x" * 1_100_000}}, headers=ACCEPT).status == 413


class Sleepy(HashingEmbedder):
    """Takes its time for questions that ask for it."""

    def embed_query(self, text: str) -> Any:
        sleep(4.0 if "slowly" in text else 0.0)
        return super().embed_query(text)


def endless(_: dict[str, Any]) -> Iterator[bytes | float]:
    """A language model that never comes to an end."""
    while True:
        yield chunk("and ")
        yield 0.02


@contextmanager
def endlessly_told(home: Path, threads: int, queue: int) -> Iterator[tuple[RunningApi, ScriptedChat]]:
    """An API whose language model never ends, and whose answers may take eight seconds."""
    lines = ("answer_seconds = 8", f"answer_threads = {threads}", f"answer_queue = {queue}", "batch_questions = false", "cache_mib = 0")
    (home / "serving.toml").write_text("\n".join(lines))
    serving = {"serving": home / "serving.toml"}
    with ScriptedChat(endless) as model, RunningApi(home, embedder=Sleepy, llm_url=model.url, llm_model="teller", **serving) as running:
        running.start_ingester().put("mine", "The silver mine of Sala is deep.")
        # The first answer from the sources loads what it takes; those that are timed don't.
        running.post("/v1/answers", {"question": "Which mine is deep?"}, headers={"Request-Timeout": "4"})
        yield running, model


@pytest.fixture(scope="module")
def late(tmp_path_factory) -> Iterator[tuple[RunningApi, ScriptedChat]]:
    """With room for the small requests that a client makes beside a call."""
    with endlessly_told(tmp_path_factory.mktemp("late"), threads=4, queue=4) as found:
        yield found


@pytest.fixture
def full(tmp_path) -> Iterator[RunningApi]:
    """With room for one request at a time."""
    with endlessly_told(tmp_path, threads=1, queue=0) as (api, _):
        yield api


def thread_is_free(api: RunningApi) -> None:
    """What was given up in a thread has come to its end there."""
    answers = api.app.state["pools"].by_name["answers"]
    api.until(lambda: answers.busy == 0)
    answers.threads.submit(int).result(30)


def late_call(name: str, **arguments: Any) -> Any:
    """What a client is told of a call that is late: by the tool, or where not even that is in time, by the protocol."""

    async def call(client: Client) -> str:
        try:
            reply = await client.call_tool(name, arguments)
        except MCPError as error:
            return error.message
        assert reply.is_error
        return reply.content[0].text

    return call


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.thorough
def test_a_tool_that_is_late_is_an_error_that_the_model_can_read(late, mode):
    api, _ = late
    told = with_client(api, mode, late_call("search", query="a mine, slowly"), **{"Request-Timeout": "2"})
    assert "the deadline passed while" in told
    assert "name a longer Request-Timeout" in told
    thread_is_free(api)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(("headers", "within_s"), [({"Request-Timeout": "5"}, 5.0), ({}, 8.0)])
@pytest.mark.thorough
def test_an_answer_comes_within_the_time_that_there_is_and_the_language_model_stops(late, mode, headers, within_s):
    api, model = late
    thread_is_free(api)
    model.left.clear()
    began = monotonic()
    reply = with_client(api, mode, call("ask", question="Which mine is deep?"), **headers)
    took_s = monotonic() - began
    assert not reply.is_error
    assert reply.structured_content["degraded"] == ["teller: not done in time; answered with extractive instead"]
    assert within_s / 2 < took_s < within_s + 4.0  # half a second where nothing else is done
    assert model.left.wait(5.0)


@pytest.mark.thorough
def test_what_is_refused_before_a_tool_begins_is_an_error_with_its_reason(full):
    async def both(client: Client) -> str:
        first = asyncio.create_task(client.call_tool("ask", {"question": "Which mine is deep?"}))
        await asyncio.to_thread(full.until, lambda: full.app.state["pools"].by_name["answers"].busy == 1)
        with pytest.raises(MCPError) as refused:
            await client.call_tool("search", {"query": "mine"})
        first.cancel()
        return refused.value.message

    # A client of the older protocol makes small requests of its own meanwhile, which would be refused as well.
    assert "too many requests: 1 are worked on" in with_client(full, "auto", both, **{"Request-Timeout": "5"})


def test_a_wrong_key_is_told_to_the_client(api):
    with pytest.raises(BaseExceptionGroup) as refused:
        with_client(api, "legacy", lambda client: client.list_tools(), "gw_wrong")
    assert "wrong, expired or revoked" in str(refused.value.exceptions)
