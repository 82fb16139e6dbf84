"""Lets a client read an answer that was given before it had sent everything."""

from asyncio import timeout
from time import monotonic
from typing import cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPResponseBodyEvent, Message, Receive, Scope, Send

MAX_DRAINED = 256 * 1024 * 1024
MAX_DRAINING_S = 10.0
TOO_SLOW = 408
END: HTTPResponseBodyEvent = {"type": "http.response.body", "body": b"", "more_body": False}


class EarlyAnswers:
    """Outermost: sends an early answer at once, but for its end, which waits until the rest of the body was read.

    The server closes the connection after the end of an answer to a body that was not read, and a client that is still
    sending then sees a reset instead of the 401 or 413 that tells it what is wrong.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        body = _Body(receive, waits=any(name == b"expect" for name, _ in scope["headers"]))
        is_early = False

        async def send_end_after_body(message: Message) -> None:
            nonlocal is_early
            if message["type"] == "http.response.start":
                # Not after a 408: there is no more patience.
                is_early = message["status"] >= 400 and message["status"] != TOO_SLOW and not body.ended
            elif is_early and message["type"] == "http.response.body" and not message.get("more_body", False):
                await send(cast(Message, {**message, "more_body": True}))
                await body.drain()
                message = END
            await send(message)

        await self._app(scope, body.receive, send_end_after_body)


class _Body:
    """What is left of the body of one request."""

    def __init__(self, receive: Receive, *, waits: bool) -> None:
        """`waits`: the client sends it when it is asked to, by the first `receive`: never, once it has its answer."""
        self._receive = receive
        self._waits = waits
        self.ended = False

    async def receive(self) -> HTTPReceiveMessage:
        """The next piece, for the app."""
        self._waits = False
        message = cast(HTTPReceiveMessage, await self._receive())
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Reads and forgets the rest, within limits."""
        size, until = 0, monotonic() + MAX_DRAINING_S
        while not self.ended and not self._waits and size < MAX_DRAINED and monotonic() < until:
            try:
                async with timeout(until - monotonic()):
                    message = await self.receive()
            except TimeoutError:
                return
            size += len(message.get("body", b"")) if message["type"] == "http.request" else 0
