"""Lets a client read an answer that was given before it had sent everything."""

from asyncio import timeout
from time import monotonic
from typing import cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send

MAX_DRAINED = 256 * 1024 * 1024
MAX_DRAINING_S = 10.0
TOO_SLOW = 408


class EarlyAnswers:
    """Outermost: reads the rest of a body before an early answer goes out.

    The server closes the connection after an answer to a body that was not read, and a client that is still
    sending then sees a reset instead of the 401 or 413 that tells it what is wrong.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        body = _Body(receive)

        async def send_after_body(message: Message) -> None:
            # Not after a 408: there is no more patience.
            if message["type"] == "http.response.start" and message["status"] >= 400 and message["status"] != TOO_SLOW:
                await body.drain()
            await send(message)

        await self._app(scope, body.receive, send_after_body)


class _Body:
    """What is left of the body of one request."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def receive(self) -> HTTPReceiveMessage:
        """The next piece, for the app."""
        message = cast(HTTPReceiveMessage, await self._receive())
        self._ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Reads and forgets the rest, within limits."""
        size, until = 0, monotonic() + MAX_DRAINING_S
        while not self._ended and size < MAX_DRAINED and monotonic() < until:
            try:
                async with timeout(until - monotonic()):
                    message = await self.receive()
            except TimeoutError:
                return
            size += len(message.get("body", b"")) if message["type"] == "http.request" else 0
