"""The Model Context Protocol, asked by its official client over a socket."""

import asyncio
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError


@pytest.fixture(params=["auto", "legacy"])
def ask(api, request):
    """Does something with a client, of the protocol as it is now and as it was before."""

    def ask(do: Any, key: str | None = None, **headers: str) -> Any:
        async def session() -> Any:
            sent = {"Authorization": f"Bearer {key or api.admin}"} | headers
            async with httpx2.AsyncClient(headers=sent, trust_env=False) as http:
                transport = streamable_http_client(f"http://127.0.0.1:{api.port}/mcp", http_client=http)
                async with Client(transport, mode=request.param) as client:
                    return await do(client)

        return asyncio.run(session())

    return ask


@pytest.fixture(scope="module")
def mines(api):
    api.put("mcp/en", "The silver mine of Sala is deep.", metadata={"lang": "mcp-en"})
    api.put("mcp/sv", "The iron mine of Kiruna is large.", metadata={"lang": "mcp-sv"})


def call(name: str, **arguments: Any) -> Any:
    return lambda client: client.call_tool(name, arguments)


def test_the_tools_say_what_they_take_and_that_they_change_nothing(ask):
    tools = {tool.name: tool for tool in ask(lambda client: client.list_tools()).tools}
    assert list(tools) == ["search", "ask", "document_status", "releases"]
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools.values())
    assert tools["search"].input_schema["required"] == ["query"]
    assert {tool.output_schema["type"] for tool in tools.values()} == {"object"}


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


def test_a_body_that_is_too_large_is_refused(api):
    assert api.post("/mcp", HELLO | {"params": {"more": "x" * 1_100_000}}, headers=ACCEPT).status == 413
