"""Limits of heads and bodies on a real socket, and the headers of replies."""

import gzip
import json
import logging
import socket
import struct
from contextlib import suppress
from time import monotonic, sleep

import pytest

from api.edge import cors
from index.errors import Misconfigured
from tests.api.running import RunningApi

PATIENCE_S = 1.0
HEAD = "POST /v1/search HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n"


def told(connection):
    """All that the server says until it hangs up, and the seconds that it took."""
    began = monotonic()
    said = b"".join(iter(lambda: connection.recv(65536), b""))
    return said, monotonic() - began


def dripped(connection, byte, pause_s):
    """What the server says while it gets a byte now and then, and the seconds until it said it."""
    began, said = monotonic(), b""
    connection.settimeout(pause_s)
    while not said and monotonic() - began < 20:
        connection.sendall(byte)
        try:
            said = connection.recv(65536)
        except TimeoutError:
            continue
    return said, monotonic() - began


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """One that waits so shortly that tests of it don't take long."""
    with RunningApi(tmp_path_factory.mktemp("hasty"), patience_s=PATIENCE_S) as running:
        yield running


@pytest.fixture
def connection(hasty):
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=30) as opened:
        yield opened


@pytest.mark.thorough
def test_a_client_that_says_nothing_is_hung_up_on(connection):
    said, seconds = told(connection)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert PATIENCE_S - 0.5 < seconds < PATIENCE_S + 2


def test_a_head_that_drips_in_is_hung_up_on(connection):
    connection.sendall(b"GET /")
    said, seconds = dripped(connection, b"a", 0.1)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert seconds < PATIENCE_S + 3


def test_the_second_head_of_a_connection_has_no_more_time_than_the_first(connection):
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"GET /health/live HTT")
    said, seconds = told(connection)
    assert b"408 " in said
    assert seconds < PATIENCE_S + 2


def test_a_body_that_stops_coming_gets_a_408(hasty, connection):
    connection.sendall(HEAD.format(hasty.admin).encode() + b'Content-Length: 1000\r\n\r\n{"query": "')
    said, seconds = told(connection)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in said
    assert b"too slowly" in said or b"not arrive in time" in said
    assert seconds < PATIENCE_S + 3


@pytest.mark.thorough
def test_a_body_that_drips_in_gets_a_408(hasty, connection):
    connection.sendall(HEAD.format(hasty.admin).encode() + b"Content-Length: 100000\r\n\r\n")
    said, seconds = dripped(connection, b" ", 0.2)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert 3 * PATIENCE_S - 0.5 < seconds < 3 * PATIENCE_S + 3


@pytest.mark.parametrize(
    ("key", "more", "status"),
    [
        (True, "Content-Length: 20000000\r\n", b"413"),
        (True, "Content-Length: 999999999999\r\n", b"413"),
        (False, "Content-Length: 20000000\r\n", b"401"),
        (False, "Content-Length: 20000000\r\nExpect: 100-continue\r\n", b"401"),
        (True, "Content-Length: 20000000\r\nExpect: 100-continue\r\n", b"413"),
    ],
)
def test_who_announces_what_is_refused_is_told_before_he_sends_it(api, key, more, status):
    with socket.create_connection(("127.0.0.1", api.port), timeout=4) as opened:
        opened.sendall((HEAD.format(api.admin if key else "gw_nobody") + more + "\r\n").encode())
        began, said = monotonic(), b""
        while b"}" not in said:
            said += opened.recv(65536)
    assert said.startswith(b"HTTP/1.1 " + status)
    assert monotonic() - began < 2


def test_who_sends_all_before_he_reads_gets_his_refusal_though_the_body_is_large(api):
    megabytes = 30
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as opened:
        opened.sendall((HEAD.format("gw_nobody") + f"Content-Length: {megabytes * 2**20}\r\n\r\n").encode())
        for _ in range(megabytes):
            opened.sendall(b" " * 2**20)
        opened.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        said, _ = told(opened)
    assert (said.startswith(b"HTTP/1.1 401 "), said.count(b"HTTP/1.1 200 ")) == (True, 1)


def test_a_body_that_stops_coming_after_its_reply_is_hung_up_on(connection):
    """The route reads no body; a byte of it must not keep the connection for ever."""
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"a")
    connection.settimeout(PATIENCE_S + 6)
    said, seconds = told(connection)
    assert b"HTTP/1.1" not in said
    assert seconds < PATIENCE_S + 4


@pytest.mark.parametrize(
    "head",
    [
        "PATCH //?limit=-1 HTTP/1.0\r\nUpgrade: websocket",
        "GET /v1/releases HTTP/1.1\r\nUpgrade: websocket",
        "GET /v1/releases HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "GET /v1/releases HTTP/1.1\r\nUpgrade: h2c",
    ],
    ids=["half of one", "without a key", "a whole one", "to HTTP/2"],
)
def test_a_client_that_asks_for_another_protocol_gets_an_answer_in_this_one_and_can_not_stay(connection, head):
    connection.sendall(f"{head}\r\nConnection: upgrade\r\nHost: here\r\n\r\n".encode() + b"\xed{\xe3\x8f")
    said, seconds = told(connection)
    assert said.startswith((b"HTTP/1.1 401 ", b"HTTP/1.1 404 ", b"HTTP/1.1 405 ")), said
    assert b"101 Switching" not in said
    assert seconds < PATIENCE_S + 3


@pytest.mark.thorough
def test_a_slow_reader_of_a_reply_that_waits_is_no_slow_sender(hasty):
    """A request that has come whole may be worked on for longer than its body might have taken."""
    began = monotonic()
    assert hasty.put("late", "Nobody ingests.", wait=PATIENCE_S * 1.5).status == 202
    assert monotonic() - began > PATIENCE_S


@pytest.mark.parametrize(
    ("head", "status", "says"),
    [
        ("GET /v1/documents?cursor=" + "a" * 20_000 + " HTTP/1.1\r\n", 414, b"at most 16384"),
        ("GET /health/live HTTP/1.1\r\n" + "".join(f"X-{n}: a\r\n" for n in range(150)), 431, b"at most 100"),
        ("GET /health/live HTTP/1.1\r\nX: " + "a" * 100_000 + "\r\n", 431, b"at most 65536"),
        ("GET /" + "a" * 100_000 + " HTTP/1.1\r\n", 414, b"at most 16384"),
    ],
    ids=["a long target", "many headers", "a huge header", "a huge target"],
)
def test_a_head_that_is_too_large_is_refused(hasty, connection, head, status, says):
    connection.sendall(head.encode() + b"Host: here\r\nConnection: close\r\n\r\n")
    said, _ = told(connection)
    assert said.startswith(f"HTTP/1.1 {status} ".encode())
    assert says in said
    assert hasty.get("/health/live", None).status == 200


BOMBS = [
    b"[" * 500_000,
    b'{"query": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"query": "a", "filter": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    b'{"query": "a", "filter": {"metadata.n": ' + b"[" * 60 + b"]" * 60 + b"}}",
    b'{"query": "a", "k": ' + b"9" * 100_000 + b"}",
    b'{"query": "a", "filter": {"metadata.n": ' + b"9" * 100_000 + b"}}",
    b'{"query": "a", "filter": {"metadata.n": 1e400}}',
    b'{"query": "a", "filter": {"doc_id": {"in": [' + b"1," * 100_000 + b"null]}}}",
    b'{"query": "a", "k": -0.0}',
    b"\xff\xfe{\x00",
    b'{"query": "a", "query": "b", "qu\\u0065ry": 7}',
]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb[:40].decode("latin-1") + f" ({len(bomb)})")
def test_json_that_is_made_to_hurt_is_the_callers_fault_and_quickly_told(api, bomb):
    began = monotonic()
    reply = api.post("/v1/search", content=bomb, headers={"Content-Type": "application/json"})
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    assert len(reply.text) < 2_000
    assert monotonic() - began < 5


@pytest.mark.parametrize("path", ["/v1/releases", "/v1/nothing", "/health/live", "/metrics"])
def test_replies_are_neither_guessed_kept_framed_nor_run(api, path):
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "server" not in headers


def test_the_page_of_openapi_may_load_from_here_only(api):
    policy = api.get("/schema", None).headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self' 'unsafe-inline'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:4200"])
def test_no_other_site_is_let_in_by_default(api, origin):
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,request-timeout,x-request-id",
    }
    for reply in (api.call("OPTIONS", "/v1/search", key=None, headers=asked), api.call("GET", "/v1/releases", headers={"Origin": origin})):
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/json", "json"]
)
def test_json_under_another_name_is_a_415(api, kind):
    """What a page of another site can send without asking first is of the first three kinds."""
    reply = api.post("/v1/search", content=json.dumps({"query": "a"}), headers={"Content-Type": kind})
    assert (reply.status, "application/json" in reply.detail) == (415, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/search"),
        ("POST", "/v1/answers"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/rollback"),
        ("PUT", "/v1/documents/a"),
    ],
)
def test_json_that_does_not_say_what_it_is_is_a_415(api, method, path):
    """A page of another site can send that too without asking first: a body of bytes alone, without a type."""
    reply = api.call(method, path, content=b'{"query": "a"}')
    assert (reply.status, "content-type: application/json" in reply.detail) == (415, True)


@pytest.mark.parametrize("path", ["/v1/answers/lost/replay", "/v1/keys/lost/rotate", "/v1/documents/mine/replay"])
def test_a_request_without_a_body_needs_not_say_what_it_is(api, path):
    assert api.post(path).status in (404, 409)


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", '"UTF-16LE"', "nonsense"])
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/v1/search", "application/json"),
        ("PUT", "/v1/documents/a", "application/json"),
        ("POST", "/v1/documents", "application/x-ndjson"),
        ("PUT", "/v1/golden/a", "application/x-ndjson"),
    ],
)
def test_json_in_another_charset_is_a_415(api, method, path, kind, charset):
    reply = api.call(method, path, content=b'{"text": "a"}', headers={"Content-Type": f"{kind}; charset={charset}"})
    assert (reply.status, "send it as utf-8" in reply.detail) == (415, True)


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
def test_json_may_say_that_it_is_utf_8(api, charset):
    kind = f"application/json; charset={charset}"
    assert api.post("/v1/search", content=json.dumps({"query": "järn"}).encode(), headers={"Content-Type": kind}).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "nonsense"])
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/v1/search", "application/json"),
        ("PUT", "/v1/documents/packed", "text/plain"),
        ("PUT", "/v1/documents/packed", "application/json"),
        ("POST", "/v1/documents", "application/x-ndjson"),
        ("POST", "/mcp", "application/json"),
    ],
)
def test_a_compressed_body_is_a_415_and_no_document(api, method, path, kind, encoding):
    headers = {"Content-Type": kind, "Content-Encoding": encoding}
    reply = api.call(method, path, content=gzip.compress(b'{"query": "a"}'), headers=headers)
    assert (reply.status, "uncompressed" in reply.detail) == (415, True)
    assert api.status("packed").status == 404


def test_a_body_may_say_that_it_is_not_compressed_and_no_body_may_say_anything(api):
    assert api.post("/v1/search", {"query": "a"}, headers={"Content-Encoding": "Identity"}).status == 200
    assert api.post("/v1/documents/mine/replay", headers={"Content-Encoding": "gzip"}).status == 409
    chunked = b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n"
    assert api.raw(HEAD.format(api.admin).encode() + chunked).startswith(b"HTTP/1.1 415 ")


def test_pages_of_the_origins_that_are_named_are_let_in_and_no_others(tmp_path):
    (tmp_path / "serving.toml").write_text('cors_origins = ["https://app.example"]')
    with RunningApi(tmp_path, serving=tmp_path / "serving.toml") as api:
        for origin, allowed in (("https://app.example", "https://app.example"), ("https://evil.example", None)):
            asked = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,request-timeout,x-request-id",
            }
            assert api.call("OPTIONS", "/v1/search", key=None, headers=asked).headers.get("access-control-allow-origin") == allowed
            reply = api.call("GET", "/v1/releases", headers={"Origin": origin})
            assert reply.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in reply.headers
            assert allowed is None or "retry-after" in reply.headers["access-control-expose-headers"].lower()


def test_all_origins_at_once_can_not_be_named():
    with pytest.raises(Misconfigured, match="name each origin"):
        cors(["*"])


@pytest.mark.parametrize("host", ["here:port", "here:99999", "here:-1", "[here", "a b", "a@b", "a/b", "a?b", "a#b"])
@pytest.mark.parametrize("line", ["GET /v1/releases", "TRACE //nowhere"])
def test_a_host_that_is_none_is_the_callers_fault(api, line, host):
    reply = api.raw(f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 400"), reply
    assert b"Host" in reply


@pytest.mark.parametrize(
    "head",
    [
        "GET /health/live HTTP/1.1\r\nHost: here\r\n folded: yes",
        "GET /health/live HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "GET /health/live HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nContent-Length: 6",
        "GET /health/live HTTP/1.1\r\nHost: here\r\nContent-Length: +5",
        "GET /health/live HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked, identity",
        "GET /health/live HTTP/1.1\r\nHost: here\r\nX-No-Space : yes",
        "GET /health/live HTTP/1.1\r\nHost: here\r\nX: a\x00b",
        "GET /health/\xe9 HTTP/1.1\r\nHost: here",
    ],
)
def test_a_head_that_a_proxy_might_read_otherwise_is_refused(api, head):
    """Else a second request could be smuggled in one body (RFC 9112, section 11.2)."""
    reply = api.raw(f"{head}\r\nConnection: close\r\n\r\n".encode("latin-1") + b"0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 400"), reply
    assert b"content-type: application/problem+json" in reply.lower()
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["status"] == 400


def test_a_trailer_is_no_header(api):
    """The key comes after the body, where whoever checks keys before has not seen it."""
    head = "GET /v1/releases HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    reply = api.raw(f"{head}0\r\nAuthorization: Bearer {api.admin}\r\n\r\n".encode())
    assert reply.startswith(b"HTTP/1.1 401"), reply


def test_requests_that_come_before_their_replies_are_answered_in_order(api):
    heads = [f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n" for path in ("/health/live", "/v1/nowhere", "/health/live")]
    last = "GET /v1/releases HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    reply = api.raw("".join([*heads, last]).encode())
    assert [int(part[:3]) for part in reply.split(b"HTTP/1.1 ")[1:]] == [200, 404, 200, 401]


def test_a_request_gets_its_reply_though_what_comes_behind_it_is_none(api):
    head = "GET /v1/releases HTTP/1.1\r\nHost: here\r\n\r\n"
    reply = api.raw(f"{head}{head}no request\r\n\r\n{head}".encode())
    assert [int(part[:3]) for part in reply.split(b"HTTP/1.1 ")[1:]] == [401, 401, 400]


@pytest.mark.parametrize("behind", [b"", b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n", b"no request\r\n\r\n"])
@pytest.mark.thorough
def test_a_client_that_goes_before_its_reply_is_no_error_of_ours(hasty, behind, caplog):
    line = f"PUT /v1/documents/gone?wait={PATIENCE_S / 2} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {hasty.admin}\r\n"
    head = f"{line}Content-Type: text/plain\r\nContent-Length: 4\r\n\r\nMine"
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=30) as connection:
        connection.sendall(head.encode() + behind)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sleep(PATIENCE_S)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert hasty.get("/health/live", None).status == 200


def test_who_offers_another_protocol_loses_no_body(api):
    """As the HTTP client of Java does, with each request."""
    body = b'{"query": ""}'
    offer = "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    reply = api.raw(f"{HEAD.format(api.admin)}{offer}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert b"query is empty" in reply


@pytest.mark.parametrize("hosts", ["", "Host: here\r\nHost: there\r\n"])
def test_a_request_for_no_host_or_for_two_is_refused(api, hosts):
    assert api.raw(f"GET /health/live HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 400")


def test_an_empty_line_after_a_reply_does_not_keep_a_connection(connection):
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"\r\n")
    assert told(connection)[1] < PATIENCE_S + 9


def test_a_client_of_before_gets_a_stream_without_chunks(api):
    body = b'{"question": "Where is the mine?", "stream": true}'
    head = HEAD.format(api.admin).replace("search HTTP/1.1", "answers HTTP/1.0")
    reply = api.raw(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    assert b"chunked" not in reply.lower()


def test_many_requests_at_once_hold_up_nobody(hasty, connection):
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\n\r\n" * 5_000)
    began = monotonic()
    assert hasty.get("/health/live", None).status == 200
    assert monotonic() - began < 2


MUCH = b"GET /schema/openapi.json HTTP/1.1\r\nHost: here\r\n\r\n" * 100


@pytest.fixture
def narrow(hasty):
    """A connection of a client with small buffers: what it does not read waits on our side."""
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.settimeout(30)
        opened.connect(("127.0.0.1", hasty.port))
        yield opened


@pytest.mark.thorough
def test_who_does_not_read_replies_is_hung_up_on(hasty, narrow):
    narrow.sendall(MUCH)
    RunningApi.until(lambda: hasty.connections == 1)
    RunningApi.until(lambda: hasty.connections == 0)


@pytest.mark.thorough
def test_who_reads_replies_slowly_is_not_hung_up_on(hasty, narrow):
    narrow.sendall(MUCH)
    end = monotonic() + 5 * PATIENCE_S
    while monotonic() < end:
        assert narrow.recv(2048)
        sleep(PATIENCE_S / 20)
    assert hasty.connections == 1


def test_a_head_without_an_end_is_refused_before_it_fills_the_memory(connection):
    connection.sendall(b"GET /health/live HTTP/1.1\r\nX: ")
    connection.settimeout(10)
    with suppress(ConnectionError):
        for _ in range(100):
            connection.sendall(b"a" * 64 * 1024)
    with suppress(ConnectionError):
        assert told(connection)[0].startswith(b"HTTP/1.1 400 ")


def test_a_connection_whose_body_came_after_its_reply_is_closed_when_nobody_uses_it(connection):
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.sendall(b"abc")
    assert told(connection)[1] < PATIENCE_S + 9


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "search.example", "[::1]:8000", "", "xn--bcher-kva.example:443"])
def test_any_host_may_be_asked_for(api, host):
    assert api.raw(f"GET /health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 200")


def test_a_path_that_looks_like_another_host_is_nowhere(api):
    reply = api.raw(b"TRACE //elsewhere:port HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    assert reply.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405")), reply
