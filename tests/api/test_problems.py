"""Whatever is sent: the right 4xx as a problem that says what is wrong, and the server goes on."""

import base64
import json
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Bad:
    """A request that can't be served, its status and words of its `detail`."""

    name: str
    method: str
    path: str
    body: Any
    status: int
    says: str
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def search(name: str, body: Any, says: str, status: int = 400) -> Bad:
    return Bad(name, "POST", "/v1/search", body, status, says)


def put(name: str, body: Any, says: str, doc_id: str = "x") -> Bad:
    return Bad(name, "PUT", f"/v1/documents/{doc_id}", body, 400, says)


SEARCHES = [
    search("malformed JSON", b'{"query": ', "the body can't be read: it is not valid json in utf-8: input data was truncated"),
    search("an empty body", b"", "body is missing"),
    search("a list as the body", b"[]", "expected `object`"),
    search("null as the body", b"null", "expected `object`"),
    search("bytes that are not UTF-8", b'{"query": "\xff"}', "utf-8"),
    search("nesting without end", b"[" * 100_000, "nested more than 64 deep"),
    search("a lone surrogate", b'{"query": "\\ud800 mine"}', "not valid json in utf-8: a string of it holds a lone surrogate"),
    search("a lone surrogate at the end", b'{"query": "\\ud800"}', "holds a lone surrogate"),
    search("the second half of a pair alone", b'{"query": "\\\\\\udE00"}', "holds a lone surrogate"),
    search("a backslash before what looks like one", b'{"query": "\\\\ud800', "truncated"),
    search("a pair, cut off", b'{"query": "\\ud83d\\ude00', "truncated"),
    search("no query", {}, "required field `query`"),
    search("a number for the query", {"query": 7}, "expected `str`, got `int`"),
    search("an unknown field", {"query": "a", "limit": 3}, "unknown field `limit`"),
    search("an empty query", {"query": " \n"}, "query is empty"),
    search("a long query", {"query": "x" * 8_001}, "length <= 8000"),
    search("a query of 10 MB", {"query": "x" * 10 * MEGABYTE}, f"at most {MEGABYTE} bytes", status=413),
    search("a negative k", {"query": "a", "k": -1}, "k: expected `int` >= 1"),
    search("a text for k", {"query": "a", "k": "5"}, "k: expected `int`, got `str`"),
    search("a text for a release", {"query": "a", "release": "1"}, "release: expected `int | null`, got `str`"),
    search("a text for yes", {"query": "a", "exact": "true"}, "exact: expected `bool`, got `str`"),
    search("a number for yes", {"query": "a", "one_per_document": 1}, "one_per_document: expected `bool`, got `int`"),
    search("a huge k", {"query": "a", "k": 10**9}, "k: expected `int` <= 1000"),
    search("an unknown mode", {"query": "a", "mode": "magic"}, "mode: invalid enum value 'magic'; use hybrid, text, vector"),
    search("an unknown filter field", {"query": "a", "filter": {"author": "me"}}, "unknown field 'author'; use doc_id"),
    search("a metadata field that nothing has", {"query": "a", "filter": {"metadata.author": "me"}}, "no document of this release has"),
    search("SQL as a filter field", {"query": "a", "filter": {"doc_id' OR 1=1 --": "x"}}, "unknown field"),
    search("an unknown operator", {"query": "a", "filter": {"doc_id": {"like": "%"}}}, "unknown operator 'like'; use in, gt"),
    search("an empty list in a filter", {"query": "a", "filter": {"doc_id": {"in": []}}}, "at least one"),
    search("a text for a list in a filter", {"query": "a", "filter": {"source": {"in": "sample"}}}, "{'in': [...]}"),
    search("null in a filter", {"query": "a", "filter": {"doc_id": None}}, "a string, a number or a boolean"),
    search("a filter that is a list", {"query": "a", "filter": []}, "filter: expected `object`"),
    search("release 0", {"query": "a", "release": 0}, "release: expected `int` >= 1"),
    search("an unknown release", {"query": "a", "release": 10**9}, "there is no release 1000000000; get /v1/releases", status=404),
    search("a release that is not there yet", {"query": "a", "min_release": 10**9}, "older than min_release", status=409),
    Bad("a form", "POST", "/v1/search", b"query=a", 415, "send application/json", {"Content-Type": "application/x-www-form-urlencoded"}),
]
MANY_PARTS = b"".join(b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nx\r\n' for _ in range(2_000)) + b"--b--\r\n"
DOCUMENTS = [
    put("no content", {}, "'text' or as 'content_base64', one of the two"),
    put("two contents", {"text": "a", "content_base64": "YQ=="}, "one of the two"),
    put("bad base64", {"content_base64": "@@@"}, "not valid base64"),
    put("base64 with a hole", {"content_base64": "YQ=="[:3]}, "not valid base64"),
    put("an unknown field of a document", {"text": "a", "author": "me"}, "unknown field `author`"),
    put("deep metadata", {"text": "a", "metadata": {"lang": [[[[[[[[["en"]]]]]]]]]}}, "nested more than 8 deep"),
    put("much metadata", {"text": "a", "metadata": {"lang": ["en"] * 1_001}}, "more than 1000 values"),
    put("metadata nested without end", b'{"metadata": {"a": ' + b"[" * 100_000, "recursion"),
    put("much metadata", {"text": "a", "metadata": {"note": "x" * 70_000}}, "larger than 65536 bytes"),
    put("a lone surrogate in the text", b'{"text": "\\ud800 mine"}', "surrogate"),
    put(
        "a lone surrogate at the end of the text", b'{"text": "\\ud800"}', "not valid json in utf-8: a string of it holds a lone surrogate"
    ),
    put("NUL in the id", {"text": "a"}, "control characters", doc_id="a%00b"),
    put("a line end in the id", {"text": "a"}, "control characters", doc_id="a%0Ab"),
    put("an id that is not UTF-8", {"text": "a"}, "not utf-8", doc_id="%FF"),
    put("a surrogate in the id", {"text": "a"}, "not utf-8", doc_id="%ED%A0%80"),
    put("a long id", {"text": "a"}, "1 to 512 characters, this one has 513", doc_id="x" * 513),
    put("a time to wait that is no number", {"text": "a"}, "wait: expected `float`", doc_id="x?wait=long"),
    put("not a number as the time to wait", {"text": "a"}, "wait: expected `float` >= 0", doc_id="x?wait=nan"),
    put("a negative time to wait", {"text": "a"}, "wait: expected `float` >= 0", doc_id="x?wait=-1"),
    put("an endless wait", {"text": "a"}, "wait: expected `float` <= 300", doc_id="x?wait=1e9"),
    Bad("an unknown document", "GET", "/v1/documents/unknown", None, 404, "'unknown' was never seen"),
    Bad("deleting an unknown document", "DELETE", "/v1/documents/unknown", None, 404, "never seen"),
    Bad("purging nothing", "DELETE", "/v1/documents/unknown?purge=true", None, 404, "never seen"),
    Bad("replaying an unknown document", "POST", "/v1/documents/unknown/replay", None, 404, "never seen"),
    Bad("replaying what is not in quarantine", "POST", "/v1/documents/mine/replay", None, 409, "not in quarantine"),
    Bad("posting to a document", "POST", "/v1/documents/mine", None, 404, "did you mean .../replay"),
    Bad("an unknown state", "GET", "/v1/documents?state=lost", None, 400, "state: invalid enum value 'lost'; use accepted, deleted, dup"),
    Bad(
        "an unknown form of a golden set",
        "GET",
        "/v1/golden/default?format=xml",
        None,
        400,
        "format: invalid enum value 'xml'; use json, nd",
    ),
    Bad("an unknown part", "POST", "/v1/evaluations", {"part": "best"}, 400, "part: invalid enum value 'best'; use development, held_out"),
    Bad("an unknown precision", "POST", "/v1/rebuilds", {"vector_bits": 8}, 400, "vector_bits: invalid enum value 8; use 16, 32"),
    Bad("an empty page", "GET", "/v1/documents?limit=0", None, 400, "limit: expected `int` >= 1"),
    Bad("a cursor of somebody else", "GET", "/v1/documents?cursor=***", None, 400, "not one that this api gave"),
    Bad("an empty bulk request", "POST", "/v1/documents", b"\n\n", 400, "holds no document", {"Content-Type": "application/x-ndjson"}),
    Bad("a form without a boundary", "POST", "/v1/documents", b"x", 400, "boundary", {"Content-Type": "multipart/form-data"}),
    Bad("many parts of a form", "POST", "/v1/documents", MANY_PARTS, 400, "too large", {"Content-Type": "multipart/form-data; boundary=b"}),
    Bad("lines that say they are a page", "POST", "/v1/documents", b"{}", 415, "x-ndjson lines", {"Content-Type": "text/html"}),
    Bad("a broken form", "POST", "/v1/documents", b"x", 400, "multipart", {"Content-Type": "multipart/form-data; boundary=b"}),
]
OTHERS = [
    Bad("an empty question", "POST", "/v1/answers", {"question": " "}, 400, "question is empty: ask something"),
    Bad("no question", "POST", "/v1/answers", {}, 400, "required field `question`"),
    Bad("an empty question, streamed", "POST", "/v1/answers", {"question": " ", "stream": True}, 400, "question is empty"),
    Bad("an unknown release by its number", "GET", "/v1/releases/99999", None, 404, "there is no release 99999"),
    Bad("release 0 by its number", "GET", "/v1/releases/0", None, 400, "number: expected `int` >= 1"),
    Bad("a release with a name", "GET", "/v1/releases/best", None, 404, "/schema lists"),
    Bad("a release with 5,000 digits", "GET", "/v1/releases/" + "9" * 5_000, None, 404, "/schema lists"),
    Bad("a cursor of another list", "GET", "/v1/releases?cursor=YQ==", None, 400, "not one that this api gave"),
    Bad("rolling back to nowhere", "POST", "/v1/rollback", {"to": 99_999}, 404, "there is no release 99999"),
    Bad("rolling back to a text", "POST", "/v1/rollback", {"to": "1"}, 400, "to: expected `int | null`, got `str`"),
    Bad("cutting by a text", "POST", "/v1/rebuilds", {"chunking": {"tokens": "64"}}, 400, "chunking.tokens: expected `int`, got `str`"),
    Bad("planning a text", "POST", "/v1/plans", {"paths": "/tmp"}, 400, "paths: expected `array`, got `str`"),
    Bad("rotating by a text", "POST", "/v1/keys/lost/rotate", {"grace_seconds": "0"}, 400, "grace_seconds: expected `float`, got `str`"),
    Bad("rolling back twice", "POST", "/v1/rollback", {"to": 1, "before": "2026-01-01T00:00:00Z"}, 400, "not both"),
    Bad("rolling back beyond the start", "POST", "/v1/rollback", {"before": "2020-01-01T00:00:00Z"}, 409, "no release from before 2020"),
    Bad("rolling back to no time", "POST", "/v1/rollback", {"before": "yesterday"}, 400, "before: invalid"),
    Bad("rebuilding with a model that is not there", "POST", "/v1/rebuilds", {"embedder": "lost"}, 400, "can't be loaded"),
    Bad("keeping more dimensions than there are", "POST", "/v1/rebuilds", {"dimensions": 3_885}, 400, "has 64 dimensions: 3885 of them"),
    Bad("a cursor of the audit", "GET", "/v1/audit?cursor=eA", None, 400, "cursor"),
    Bad("promoting nothing", "POST", "/v1/releases/99999/promote", {"reason": "x"}, 404, "there is no release 99999"),
    Bad("evaluating an unknown release", "POST", "/v1/evaluations", {"release": 99_999}, 404, "there is no release 99999"),
    Bad("evaluating on no question", "POST", "/v1/evaluations", {"sample": 0}, 400, "sample: expected `int` >= 1"),
    Bad("evaluating on a path", "POST", "/v1/evaluations", {"dataset": "../x"}, 400, "dataset: expected `str` matching regex"),
    Bad("an evaluation that is no UUID", "GET", "/v1/evaluations/first", None, 404, "/schema lists"),
    Bad("planning nothing", "POST", "/v1/plans", {}, 400, "give 'source'"),
    Bad("planning an unknown source", "POST", "/v1/plans", {"source": "lost"}, 400, "no source 'lost' is configured"),
    Bad("planning a relative path", "POST", "/v1/plans", {"paths": ["here"]}, 400, "absolute path"),
    Bad("planning a path with a NUL", "POST", "/v1/plans", {"paths": ["/\0"]}, 400, "absolute path"),
    Bad("planning a path that is too long", "POST", "/v1/plans", {"paths": ["/" + "x" * 5_000]}, 400, "absolute path"),
    Bad("an unknown role", "POST", "/v1/keys", {"role": "boss"}, 400, "role: invalid enum value 'boss'; use admin, reader, writer"),
    Bad("a key with an unusable filter", "POST", "/v1/keys", {"filter": {"author": 1}}, 400, "unknown field 'author'"),
    Bad("an unknown key", "DELETE", "/v1/keys/lost", None, 404, "there is no key lost; get /v1/keys"),
    Bad("an unknown route", "GET", "/v1/nothing", None, 404, "nothing is at /v1/nothing; /schema lists"),
    Bad("an unknown method", "PATCH", "/v1/search", {}, 405, "patch is not allowed on /v1/search"),
]


@pytest.mark.parametrize("bad", [*SEARCHES, *DOCUMENTS, *OTHERS], ids=str)
def test_a_bad_request_is_a_problem_that_says_what_is_wrong(api, bad):
    content = bad.body if isinstance(bad.body, bytes) else None if bad.body is None else json.dumps(bad.body).encode()
    reply = api.call(bad.method, bad.path, content=content, headers={"Content-Type": "application/json"} | bad.headers)
    assert reply.status == bad.status, reply
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.json["status"], set(reply.json)) == (bad.status, {"type", "title", "status", "detail", "request_id"})
    assert bad.says in reply.detail, reply.detail
    assert "traceback" not in reply.text.lower()


@pytest.mark.parametrize(
    "query",
    ['it\'s "quoted" AND (text: OR *', "'; DROP TABLE documents; --", "mine\0", "\u202emine", "mine~3^2", "\\", "mine " * 1_500],
    ids=["query syntax", "SQL", "NUL", "right to left", "more syntax", "backslash", "7,500 characters"],
)
@pytest.mark.parametrize("mode", ["text", "hybrid"])
def test_nothing_in_a_query_is_syntax(api, query, mode):
    assert api.post("/v1/search", {"query": query, "mode": mode}).status == 200


@pytest.mark.parametrize("value", ["mine' OR '1'='1", "'", '"', "%", "mine\0", "\\'"])
@pytest.mark.parametrize("field", ["doc_id", "metadata.lang"])
def test_nothing_in_a_filter_value_is_syntax(api, field, value):
    assert api.found("copper mine", filter={field: value}) == []


@pytest.mark.parametrize("media_type", ["", ";;;", "text/plain; charset=nonsense", "text/plain; charset*=utf-8''%FF", "text/\xe9"])
def test_an_odd_content_type_is_no_server_error(api, media_type):
    reply = api.call("PUT", "/v1/documents/odd", content=b"abc", headers={"Content-Type": media_type.encode("latin-1")})
    assert reply.status in (202, 400, 415)


def test_a_body_that_is_cut_off_leaves_no_trace(api, caplog):
    head = f"PUT /v1/documents/cut HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {api.admin}\r\nContent-Length: 1000\r\n\r\n"
    for _ in range(5):
        api.raw(head.encode() + b'{"text": "The great', then_close=True)
        assert api.raw(head.encode() + b'{"text": "The great') == b""
    assert api.get("/health/ready").status == 200
    assert api.status("cut").status == 404
    assert [record for record in caplog.records if record.name == "groundwork.api"] == []


@pytest.mark.parametrize(
    "request_",
    [b"nonsense\r\n\r\n", b"GET /v1/\xff HTTP/1.1\r\n\r\n", b"GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"],
    ids=["no HTTP", "a byte that no path has", "a length that is no number"],
)
def test_what_is_no_http_is_refused_and_the_server_goes_on(api, request_, caplog):
    assert api.raw(request_).startswith(b"HTTP/1.1 400 ")
    assert api.get("/health/live").status == 200
    assert "Traceback" not in caplog.text


BROKEN = b" HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n-1\r\n{}"


@pytest.mark.parametrize("target", [b"POST /metrics", b"POST /v1/search", b"PUT /v1/documents/broken"])
def test_a_body_of_broken_chunks_gets_one_reply(api, target, caplog):
    assert api.raw(target + BROKEN).count(b"HTTP/1.1 ") == 1
    assert "Traceback" not in caplog.text


def test_a_body_that_breaks_after_its_early_reply_ends_the_connection(api, caplog):
    head, _, chunk = BROKEN.partition(b"-1")
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        connection.sendall(b"PUT /v1/documents/broken" + head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")
        connection.sendall(b"-1" + chunk)
        while connection.recv(65536):
            pass
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(("key", "status"), [("right", 413), ("wrong", 401)])
def test_a_body_of_10_mb_can_be_sent_to_its_end_before_the_reply_is_read(api, key, status):
    """Simple clients send everything first; a server that hangs up meanwhile looks like one that has crashed."""
    body = b'{"query": "' + b"x" * 10 * MEGABYTE + b'"}'
    bearer = f"Authorization: Bearer {api.admin if key == 'right' else key}"
    head = f"POST /v1/search HTTP/1.1\r\nHost: here\r\n{bearer}\r\nContent-Length: {len(body)}\r\n\r\n"
    assert api.raw(head.encode() + body).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.thorough
def test_a_storage_that_fails_is_a_503_and_what_was_there_stays(own):
    own.start_ingester()
    own.put("kept", "The storage is fine.")
    staging = own.store.folder / "inbox" / "staging"
    staging.rename(staging.with_name("aside"))
    staging.write_text("a file where a folder should be")
    reply = own.put("lost", "The storage fails.")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert "storage" in reply.detail
    staging.unlink()
    staging.with_name("aside").rename(staging)
    assert own.put("lost", "The storage is back.").status == 200
    assert sorted(own.found("storage")) == ["kept", "lost"]


def test_base64_may_hold_any_bytes(api):
    encoded = base64.b64encode(bytes(range(256))).decode()
    assert api.call("PUT", "/v1/documents/binary", {"content_base64": encoded}).status == 202
