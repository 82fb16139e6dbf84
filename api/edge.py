"""What stands before the app: limits of heads and bodies that hold for every route, and headers that make replies safe."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import cast
from urllib.parse import urlsplit

import msgspec
from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send

from api.dialects import media_type
from api.early_answers import EarlyAnswers
from api.problems import body_of
from index.errors import Misconfigured

ASSETS = ("/schema",)
# The page of OpenAPI holds no text of anybody, but a script of its own; other replies are shown to nobody by a browser.
PAGE_POLICY = (
    b"default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a request may have and how slowly it may come.

    Attributes:
        target: bytes of path and query.
        headers: their number.
        header_bytes: of all headers together.
        pause_s: the longest pause within a body.
        begin_s: seconds that a body may take whatever its size.
        bytes_per_s: the pace that is asked of a body after that.
    """

    target: int = 16 * 1024
    headers: int = 100
    header_bytes: int = 64 * 1024
    pause_s: float = 15.0
    begin_s: float = 30.0
    bytes_per_s: float = 16 * 1024


class TooSlow(HTTPException):
    """The body does not come."""

    status_code = 408


def cors(origins: Sequence[str]) -> CORSConfig | None:
    """Which pages of other origins a browser lets use the API; raises `Misconfigured` for `*`, which would be all of them."""
    if any("*" in origin for origin in origins):
        raise Misconfigured("cors_origins in the file of GROUNDWORK_SERVING: name each origin, such as https://app.example")
    sent = ["Authorization", "Content-Type", "Request-Timeout", "X-Request-Id"]
    read = ["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy"]
    return CORSConfig(allow_origins=list(origins), allow_headers=sent, expose_headers=read, max_age=600) if origins else None


def edge(app: ASGIApp, bounds: Bounds | None = None) -> ASGIApp:
    """The app as it is served."""
    return EarlyAnswers(Edge(app, bounds or Bounds()))


class Edge:
    """Refuses what no route could want, and watches the clock while a body comes."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        safely = _Safely(scope["path"], send)
        refused = self._refusal(scope)
        if refused:
            await _problem(safely.send, scope["path"], *refused)
            return
        try:
            await self._app(scope, _Clocked(receive, self._bounds).receive, safely.send)
        except TooSlow as error:  # raised to somebody who reads the body before the app does
            await _problem(safely.send, scope["path"], error.status_code, error.detail)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if size > self._bounds.target:
            return 414, f"path and query are too long: at most {self._bounds.target} bytes are taken"
        headers = list(scope["headers"])
        return self._too_much(headers) or _ambiguous(headers) or _encoded(headers)

    def _too_much(self, headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        if len(headers) > self._bounds.headers:
            return 431, f"the request has {len(headers)} headers; at most {self._bounds.headers} are taken"
        size = sum(len(name) + len(value) for name, value in headers)
        if size > self._bounds.header_bytes:
            return 431, f"the headers have {size} bytes; at most {self._bounds.header_bytes} are taken"
        return None


def _ambiguous(headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    if not all(map(is_host, hosts)):
        return 400, "the header Host is no host and port"
    if {b"content-length", b"transfer-encoding"} <= {name for name, _ in headers}:
        return 400, "the request has both Content-Length and Transfer-Encoding: where its body ends is anybody's guess"
    return None


def _encoded(headers: Sequence[tuple[bytes, bytes]]) -> tuple[int, str] | None:
    """Nothing here unpacks a body, so that limits hold of what comes: packed, JSON would be unreadable, and a document something else."""
    given = dict(headers)
    has_body = b"transfer-encoding" in given or given.get(b"content-length", b"0") != b"0"
    encodings = {each.strip().lower() for name, value in headers if name == b"content-encoding" for each in value.split(b",")}
    if has_body and not encodings <= {b"identity", b""}:
        return 415, "the body has a Content-Encoding, and none is taken here: send it uncompressed"
    return None


def is_host(text: str) -> bool:
    """Whether it is a host, with or without a port: what is not has no place in a URL (RFC 9112, section 3.2)."""
    try:
        parts = urlsplit(f"//{text}")
        _ = parts.port
    except ValueError:
        return False
    return parts.netloc == text and not any(mark in text for mark in " \t@")


class _Clocked:
    """The body of one request, which must come at some pace."""

    def __init__(self, receive: Receive, bounds: Bounds) -> None:
        self._receive = receive
        self._bounds = bounds
        self._began = monotonic()
        self._size = 0
        self._ended = False

    async def receive(self) -> HTTPReceiveMessage:
        """The next piece; once all is there, what is waited for is the end of the connection, and that may take its time."""
        if self._ended:
            return cast(HTTPReceiveMessage, await self._receive())
        allowed = self._bounds.begin_s + self._size / self._bounds.bytes_per_s
        left = min(self._bounds.pause_s, self._began + allowed - monotonic())
        try:
            # No `wait_for`: its task would let a client that has sent all, and closed its half, seem gone.
            async with asyncio.timeout(left):
                message = cast(HTTPReceiveMessage, await self._receive())
        except TimeoutError:
            self._ended = True
            raise TooSlow(f"the body came too slowly: {self._size} bytes in {monotonic() - self._began:.0f} s; send it again") from None
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        self._size += len(message.get("body", b"")) if message["type"] == "http.request" else 0
        return message


class _Safely:
    """Adds headers to one reply: what a browser must not guess, keep, frame or run."""

    def __init__(self, path: str, send: Send) -> None:
        page = path.startswith(ASSETS)
        self._send = send
        self._added = {
            b"x-content-type-options": b"nosniff",
            b"referrer-policy": b"no-referrer",
            b"content-security-policy": PAGE_POLICY if page else DATA_POLICY,
        } | ({} if page else {b"cache-control": b"no-store"})

    async def send(self, message: Message) -> None:
        """ASGI."""
        if message["type"] == "http.response.start":
            given = list(message.get("headers", ()))
            if message["status"] == TooSlow.status_code:
                given.append((b"connection", b"close"))
            present = {name.lower() for name, _ in given}
            message["headers"] = [*given, *((name, value) for name, value in self._added.items() if name not in present)]
        await self._send(message)


async def _problem(send: Send, path: str, status: int, detail: str) -> None:
    body = msgspec.json.encode(body_of(path, status, detail))
    headers = [(b"content-type", media_type(path).encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
