"""One request and its reply, between the server and the app."""

import asyncio
from collections import deque
from collections.abc import Iterable
from time import monotonic
from typing import Any, cast

import msgspec
from litestar.types import HTTPReceiveMessage, Message, Receive, Send

from api.dialects import media_type
from api.problems import body_of

READ_AT_MOST = 1024 * 1024
Header = tuple[bytes, bytes]
Headers = list[Header]


class Refused(Exception):
    """A request that is not served, and why."""

    def __init__(self, status: int, reason: str, detail: str, retry_after_s: int | None = None, headers: Headers | None = None) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail, self.retry_after_s, self.headers = status, reason, detail, retry_after_s, headers or []


class Body:
    """The body of a request, read before the app asks for it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._read: deque[HTTPReceiveMessage] = deque()
        self._ended = False
        self._rest: asyncio.Task[HTTPReceiveMessage] | None = None

    @property
    def is_left(self) -> bool:
        """Whether the client has gone."""
        return bool(self._rest and self._rest.done() and not self._rest.cancelled() and self._rest.result()["type"] == "http.disconnect")

    @property
    def so_far(self) -> bytes:
        """What was read of it."""
        return b"".join(cast(bytes, message.get("body", b"")) for message in self._read)

    async def read(self, deadline: float) -> None:
        """Reads it, or as much as is taken at most; raises `Refused` when it is not there by the deadline."""
        size = 0
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - monotonic()):
                while size <= READ_AT_MOST:
                    message = cast(HTTPReceiveMessage, await self._receive())
                    self._read.append(message)
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        self._ended = True
                        return
                    size += len(message.get("body", b""))
        except TimeoutError:
            raise Refused(408, "slow body", "the body did not arrive in time; send it faster, or name a longer Request-Timeout") from None

    def left(self) -> "asyncio.Task[HTTPReceiveMessage] | None":
        """What is done when the client goes away; None while its body is not read, for that can't be known before."""
        if self._rest is None and self._ended:
            self._rest = asyncio.ensure_future(cast(Any, self._receive()))
        return self._rest

    async def receive(self) -> HTTPReceiveMessage:
        """The next message, for the app."""
        if self._read:
            return self._read.popleft()
        if self._rest is not None:
            rest, self._rest = self._rest, None
            return await rest
        return cast(HTTPReceiveMessage, await self._receive())

    def close(self) -> None:
        """Nobody asks any more."""
        if self._rest is not None:
            self._rest.cancel()


class Reply:
    """The reply to one request: that of the app, or ours when the deadline comes first."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self._begun = False
        self._ours: asyncio.Task[None] | None = None
        self.headers: Headers = []

    async def send(self, message: Message) -> None:
        """Passes on what the app says, unless the deadline came first."""
        if self._ours is not None:
            return
        if message["type"] == "http.response.start":
            self._begun = True
            if self.headers:
                message["headers"] = [*message["headers"], *self.headers]
        await self._send(message)

    def overdue(self) -> None:
        """Tells the client that the deadline has passed, if it has heard nothing yet."""
        if not self._begun:
            late = "the deadline passed while it was worked on; ask for less, or name a longer Request-Timeout"
            self._ours = asyncio.ensure_future(self.problem(504, late, 1))

    async def problem(
        self, status: int, detail: str, retry_after_s: int | None = None, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """A problem, without the detour over the app: this must be quick."""
        body = msgspec.json.encode(body_of(self._path, status, detail))
        sent = [(b"content-type", media_type(self._path).encode()), (b"content-length", str(len(body)).encode()), *headers]
        if retry_after_s is not None:
            sent.append((b"retry-after", str(retry_after_s).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": sent})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
