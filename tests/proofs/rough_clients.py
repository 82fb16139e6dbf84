"""Clients that break rules on a raw socket: what they send is made up by a seeded generator, and how they leave too."""

import json
import re
import socket
import string
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "P\tT", "")
PATHS = ("/v1/search", "/v1/answers", "/v1/documents", "/v1/chat/completions", "/v1/feedback", "/v1/keys", "/v1/plans", "/mcp", "/metrics")
WITH_ID = (
    "/v1/documents/{}",
    "/v1/answers/{}",
    "/v1/releases/{}",
    "/v1/rebuilds/{}",
    "/v1/evaluations/{}",
    "/v1/golden/{}",
    "/v1/keys/{}",
    "/v1/models/{}",
    "/v1/pictures/{}",
    "/v1/golden/{}/proposals/{}",
    "/v1/releases/{}/shadow",
    "/{}",
    "/schema/{}",
)
IDS = (
    "%00",
    "a%00b",
    "..",
    "%2e%2e",
    "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd",
    "%2F",
    "%5C..%5C",
    "%",
    "%zz",
    "%ff%fe",
    "%F0%9F%92%A5",
    "%ED%A0%80",
    "a" * 600,
    "%41" * 600,
    "-1",
    "0",
    "9" * 30,
    "1e3",
    "%0D%0AX-Forged:%20yes",
    "%27%20OR%201=1--",
    "%25%30%30",
    "+",
    "~",
    "con",
    "mine",
    ".",
    "%C0%AF",
    "%E2%80%AE",
    "{}",
    "*",
    "\\",
    "live",
)
QUERIES = (
    "limit=-1",
    "limit=1e9",
    "cursor=%00",
    "cursor=" + "A" * 900,
    "wait=nan",
    "wait=inf",
    "wait=-1",
    "as_of=%FF",
    "release=" + "9" * 40,
    "&&==&",
    "wait=0&wait=1",
)
HEADERS = (
    b"Content-Type: application/json; charset=utf-7",
    b"Content-Type: ",
    b"Content-Type: application/x-ndjson",
    b"Accept: text/event-stream;q=x",
    b"Content-Encoding: gzip",
    b"Expect: 100-continue",
    b"Upgrade: websocket\r\nConnection: upgrade",
    b"Range: bytes=0-",
    b"Request-Timeout: nan",
    b"Request-Timeout: -1",
    b"Request-Timeout: 1e309",
    b"Idempotency-Key: \xff\xfe",
    b"Traceparent: 00-" + b"z" * 60,
    b"X: \x80\x81",
    b"Cookie: a=\xff; b",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 3",
    b"Host: a\r\nHost: b",
    b" folded: yes",
    b"No colon",
    b"Last-Event-ID: \x00",
    b"Origin: null",
    b"Authorization: Basic \xff",
    b"Authorization: Bearer ",
    b"If-Match: *",
    b"X-Forwarded-For: ::%eth0",
    b"Mcp-Session-Id: " + b"\xe9" * 40,
)
NAMES = (
    "doc_id",
    "metadata.lang",
    "metadata.",
    "metadata.a'b",
    "metadata.a`b",
    "metadata.\x00",
    "source",
    "and",
    "or",
    "not",
    "$where",
    "",
    "metadata.x.y",
    "title",
)
OPERATORS = ("eq", "ne", "in", "nin", "lt", "gte", "exists", "contains", "and", "or", "not", "", "like")
ATOMS = (None, True, -0.0, 1e308, 10**30, "", "'", "\x00", "\ud800", "%", "a" * 3_000, "2020-13-45T99:99:99Z", [], {}, [None], [[]])


@dataclass(frozen=True, slots=True)
class Visit:
    """What one client does.

    Attributes:
        kind: the name of what it sends.
        pieces: what it sends, in this order.
        reads: bytes that it reads before it goes; None for all of them.
        rudely: whether it resets the connection where it could close it.
    """

    kind: str
    pieces: tuple[bytes, ...]
    reads: int | None = None
    rudely: bool = False

    def pay(self, port: int, timeout_s: float) -> bytes:
        """Returns what was answered; raises `TimeoutError` if the server neither answers nor hangs up."""
        said = b""
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            try:
                for piece in self.pieces:
                    connection.sendall(piece)
                if self.reads is None:
                    connection.shutdown(socket.SHUT_WR)
                while self.reads is None or len(said) < self.reads:
                    piece = connection.recv(65536 if self.reads is None else self.reads - len(said))
                    if not piece:
                        break
                    said += piece
            except TimeoutError:
                raise
            except OSError:
                pass  # the server has hung up on what it does not take
            if self.rudely:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return said


@dataclass(frozen=True, slots=True)
class Tour:
    """What came of the visits of one client: replies by kind and status, server errors with what was said, and visits without an end."""

    statuses: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[Visit, bytes]] = field(default_factory=list)
    hung: list[Visit] = field(default_factory=list)


def tour(port: int, key: str, seed: int, seconds: float, timeout_s: float) -> Tour:
    """Visits one after the other for so long. Has its own process: beside the server in one, a client would wait for what it waits for."""
    found, end = Tour(), monotonic() + seconds
    for visit in visits(seed, key):
        if monotonic() > end:
            break
        try:
            said = visit.pay(port, timeout_s)
        except TimeoutError:
            found.hung.append(visit)
            continue
        told = re.findall(rb"HTTP/1\.1 (\d{3}) ", said)
        errors = [status for status in told if status >= b"500" and not (status == b"503" and b"retry-after" in said.lower())]
        # The page of OpenAPI shows what one looks like.
        if errors or (b'"status":500' in said and b"text/event-stream" in said):
            found.failed.append((visit, said))
        found.statuses.update(f"{visit.kind} {status.decode()}" for status in told[:1])
    return found


def visits(seed: int, key: str) -> Iterator[Visit]:
    """Visits without end; the same for the same seed."""
    random = Random(seed)
    while True:
        yield random.choice(KINDS)(random, key)


def _garbage(random: Random, key: str) -> Visit:
    return Visit("garbage", _pieces(random, random.randbytes(random.randrange(1, 5_000))), **_leaving(random))


def _odd_head(random: Random, key: str) -> Visit:
    lines = [
        f"{random.choice(METHODS)} {_target(random)} HTTP/{random.choice(('1.1', '1.1', '1.1', '1.0', '2.0', '9', ''))}".encode(
            "latin-1", "replace"
        )
    ]
    lines += [b"Host: here"] * random.choice((0, 1, 1, 1)) + [f"Authorization: Bearer {key}".encode()] * random.choice((0, 1, 1, 2))
    lines += [random.choice((*HEADERS, b"X: " + random.randbytes(20))) for _ in range(random.randrange(4))]
    ending = random.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"))
    return Visit(
        "odd head", _pieces(random, ending.join(lines) + ending * 2 + random.choice((b"", b"{}", random.randbytes(40)))), **_leaving(random)
    )


def _odd_target(random: Random, key: str) -> Visit:
    head = f"{random.choice(METHODS[:4])} {_target(random)} HTTP/1.1"
    return Visit("odd target", (_request(head, key, json.dumps(_body(random)).encode()),))


def _odd_body(random: Random, key: str) -> Visit:
    body = random.choice(
        (
            lambda: random.randbytes(random.randrange(3_000)),
            lambda: _cut(random, json.dumps(_body(random)).encode()),
            lambda: _flipped(random, json.dumps(_body(random)).encode()),
        )
    )()
    head = f"POST {random.choice(PATHS)} HTTP/1.1"
    if random.random() < 0.3:
        head = f"PUT {_with_id(random)} HTTP/1.1"
    return Visit("odd body", _pieces(random, _request(head, key, body)), **_leaving(random))


def _huge_filter(random: Random, key: str) -> Visit:
    asked = {"query": "copper", "question": "copper", "filter": _filter(random, random.choice((3, 6, 40)), [random.choice((10, 300))])}
    return Visit("filter", (_request(f"POST {random.choice(PATHS[:2])} HTTP/1.1", key, json.dumps(asked).encode()),))


def _broken_chunks(random: Random, key: str) -> Visit:
    body = json.dumps(_body(random)).encode()
    chunk = b"%x\r\n%s\r\n" % (len(body), body)
    broken = random.choice(
        (
            chunk + b"0\r\n\r\n",
            b"zz\r\n" + body,
            b"-1\r\n" + body,
            b"ffffffffffffffff\r\n" + body,
            chunk + b"0\r\nTrailer: \xff\r\n\r\n",
            chunk,
            b"%x;ext=%s\r\n%s\r\n0\r\n\r\n" % (len(body), b"a" * 70_000, body),
            chunk + b"0\r\n" + b"T: a\r\n" * 500,
            b"\r\n\r\n",
            b"5\r\nabc\r\n0\r\n\r\n",
            b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n",
            _cut(random, chunk),
            _flipped(random, chunk),
        )
    )
    head = f"POST {random.choice(PATHS)} HTTP/1.1\r\nTransfer-Encoding: chunked"
    return Visit("chunks", _pieces(random, _request(head, key, broken, sized=False)), **_leaving(random))


def _leaves_a_stream(random: Random, key: str) -> Visit:
    question = random.choice(("Where is the great copper mine?", "What is in Falun?", "Quantum chromodynamics lattice?"))
    path, asked = random.choice(
        (
            ("/v1/answers", {"question": question, "stream": True}),
            ("/v1/chat/completions", {"model": "groundwork", "stream": True, "messages": [{"role": "user", "content": question}]}),
        )
    )
    whole = _request(f"POST {path} HTTP/1.1", key, json.dumps(asked).encode())
    return Visit("stream", (whole,), reads=random.choice((0, 1, 20, 200, 800, 2_000, 10**6)), rudely=random.random() < 0.5)


def _pipelined(random: Random, key: str) -> Visit:
    many = (
        _request(f"POST {random.choice(PATHS[:2])} HTTP/1.1", key, json.dumps(_body(random)).encode(), close=False)
        for _ in range(random.randrange(2, 12))
    )
    return Visit("pipelined", (b"".join(many),), **_leaving(random))


KINDS: tuple[Callable[[Random, str], Visit], ...] = (
    _garbage,
    _odd_head,
    _odd_head,
    _odd_target,
    _odd_target,
    _odd_body,
    _odd_body,
    _huge_filter,
    _broken_chunks,
    _leaves_a_stream,
    _leaves_a_stream,
    _pipelined,
)


def _request(head: str, key: str, body: bytes, sized: bool = True, close: bool = True) -> bytes:
    lines = [head, "Host: here", f"Authorization: Bearer {key}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}"] * sized + ["Connection: close"] * close
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def _target(random: Random) -> str:
    made_up = "/" + "".join(random.choices(string.printable, k=random.randrange(1, 30)))
    path = random.choice(
        (_with_id(random), _with_id(random), random.choice(PATHS), made_up, "*", "http://other/v1/search", "//", "/v1/../v1/search")
    )
    return path + random.choice(("", "", "?" + random.choice(QUERIES)))


def _with_id(random: Random) -> str:
    return random.choice(WITH_ID).replace("{}", random.choice(IDS))


def _body(random: Random) -> Any:
    usual = {
        "query": "copper",
        "question": "copper?",
        "text": "Copper.",
        "k": 3,
        "wait": 0,
        "metadata": {"lang": "en"},
        "filter": {"doc_id": "mine"},
    }
    some = {name: value for name, value in usual.items() if random.random() < 0.6}
    for _ in range(random.randrange(3)):
        some[random.choice((*usual, "cursor", "release", "min_release", "stream", "mode", "messages", "rerank", "url"))] = random.choice(
            ATOMS
        )
    return random.choice((some, some, some, [some], random.choice(ATOMS)))


def _filter(random: Random, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if depth == 0 or left[0] < 0:
        return random.choice(ATOMS)
    return random.choice(
        (
            lambda: {random.choice(NAMES): _filter(random, depth - 1, left) for _ in range(random.randrange(1, 4))},
            lambda: {random.choice(NAMES): {random.choice(OPERATORS): random.choice(ATOMS)}},
            lambda: {random.choice(NAMES): {"in": [random.choice(ATOMS) for _ in range(random.randrange(500))]}},
            lambda: {random.choice(("and", "or")): [_filter(random, depth - 1, left) for _ in range(random.randrange(1, 6))]},
        )
    )()


def _cut(random: Random, whole: bytes) -> bytes:
    return whole[: random.randrange(len(whole))]


def _flipped(random: Random, whole: bytes) -> bytes:
    broken = bytearray(whole)
    for _ in range(random.randrange(1, 4)):
        broken[random.randrange(len(broken))] = random.randrange(256)
    return bytes(broken)


def _pieces(random: Random, whole: bytes) -> tuple[bytes, ...]:
    at = random.randrange(len(whole) + 1)
    return random.choice(((whole,), (whole[:at], whole[at:])))


def _leaving(random: Random) -> dict[str, Any]:
    return random.choice(({}, {}, {}, {"reads": 0}, {"reads": random.randrange(200), "rudely": True}))
