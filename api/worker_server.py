"""The server of a worker: it can retire, and begin only when it is ready. Imports little, so that it is there soon."""

import asyncio
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import uvicorn
from litestar.types import ASGIApp, Receive, Scope, Send

# Longer than a connection is kept that nobody uses: each has had a reply that closes it, or was closed unused, as always.
RETIRES_WITHIN_S = 10.0
READY_WITHIN_S = 180.0
LOOK_S = 0.1
CLOSE = (b"connection", b"close")


class Worker(uvicorn.Server):
    """A server that can retire: it takes no more connections, ends those it has with their next reply, and goes when all are done."""

    def __init__(self, config: uvicorn.Config, longest_s: float, ready: int, life: int) -> None:
        super().__init__(config)
        self._longest_s = longest_s
        self._ready, self._life = ready, life
        self._retiring: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept connections, and says so."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.retire)
        loop.add_reader(self._life, self._orphaned)
        with suppress(BrokenPipeError):  # of the first workers nobody wants to know
            os.write(self._ready, b"1")

    def retire(self) -> None:
        """Begins to."""
        if self._retiring is None:
            self._retiring = asyncio.create_task(self._retire())

    async def _retire(self) -> None:
        for server in self.servers:
            server.close()
        self.config.encoded_headers = [*self.config.encoded_headers, CLOSE]
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        began = monotonic()
        while self.server_state.connections:
            waited = monotonic() - began
            if waited > self._longest_s or (waited > RETIRES_WITHIN_S and not self.server_state.tasks):
                break
            await asyncio.sleep(LOOK_S)
        self.should_exit = True

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._life)
        self.should_exit = True


class WhenReady:
    """ASGI: begins to serve only when a search works, so that a worker that takes another one's place fails no request."""

    def __init__(self, app: ASGIApp, is_ready: Callable[[], bool], life: int) -> None:
        self._app, self._is_ready, self._life = app, is_ready, life

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        kind: str = scope["type"]
        if kind != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_when_ready(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete" and not await self._becomes_ready():
                message = {"type": "lifespan.startup.failed", "message": "no search worked in time, or nobody watches over it any more"}
            await send(message)

        await self._app(scope, receive, send_when_ready)

    async def _becomes_ready(self) -> bool:
        began = monotonic()
        while not await asyncio.to_thread(self._is_ready):
            if monotonic() - began > READY_WITHIN_S or _has_ended(self._life):
                return False
            await asyncio.sleep(LOOK_S)
        return True


def _has_ended(pipe: int) -> bool:
    readable, _, _ = select.select([pipe], [], [], 0)
    return bool(readable)
