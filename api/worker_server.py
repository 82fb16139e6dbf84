"""The server of a worker: it can retire, and begin only when it is ready. Imports little, so that it is there soon."""

import asyncio
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread, Timer
from time import monotonic
from typing import Any

import uvicorn
from litestar.types import ASGIApp, Receive, Scope, Send

# Longer than a connection is kept that nobody uses: each has had a reply that closes it, or was closed unused, as always.
RETIRES_WITHIN_S = 10.0
READY_WITHIN_S = 180.0
# After what is in flight has had its time: for what stops in order.
LAST_S = 10.0
LOOK_S = 0.1
CLOSE = (b"connection", b"close")


class Worker(uvicorn.Server):
    """A server that can retire: it takes no more connections, ends those it has with their next reply, and goes when all are done."""

    def __init__(self, config: uvicorn.Config, longest_s: float, ready: int, life: "Life") -> None:
        super().__init__(config)
        self._longest_s = longest_s
        self._ready, self._life = ready, life
        self._retiring: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept connections, and says so."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.retire)
        self._life.at_its_end(partial(loop.call_soon_threadsafe, self._orphaned))
        with suppress(BrokenPipeError):  # nobody watches over it any more
            os.write(self._ready, b"1")

    def retire(self) -> None:
        """Begins to."""
        if self._retiring is None:
            self._retiring = asyncio.create_task(self._retire())

    async def _retire(self) -> None:
        _leave_within(self._longest_s + LAST_S)
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
        _leave_within(LAST_S)
        self.should_exit = True


class Life:
    """The pipe that ends when the process does that watches over this one."""

    def __init__(self, pipe: int) -> None:
        """Until `at_its_end` is called its end is that of this process, whatever it is about: nobody has asked it anything yet."""
        self._pipe = pipe
        self._end: Callable[[], object] = partial(os._exit, 1)
        Thread(target=self._watch, name="life", daemon=True).start()

    def at_its_end(self, end: Callable[[], object]) -> None:
        """Has `end` called in its place, in a thread of its own."""
        self._end = end

    def _watch(self) -> None:
        select.select([self._pipe], [], [])
        with suppress(RuntimeError):  # it has just stopped
            self._end()


def _leave_within(seconds: float) -> None:
    """Whatever a thread may still wait for: the port and the memory are wanted by others."""
    timer = Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()


class WhenReady:
    """ASGI: begins to serve only when a search works, so that a worker that takes another one's place fails no request."""

    def __init__(self, app: ASGIApp, is_ready: Callable[[], bool]) -> None:
        self._app, self._is_ready = app, is_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        kind: str = scope["type"]
        if kind != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_when_ready(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete" and not await self._becomes_ready():
                message = {"type": "lifespan.startup.failed", "message": "no search worked in time"}
            await send(message)

        await self._app(scope, receive, send_when_ready)

    async def _becomes_ready(self) -> bool:
        began = monotonic()
        while not await asyncio.to_thread(self._is_ready):
            if monotonic() - began > READY_WITHIN_S:
                return False
            await asyncio.sleep(LOOK_S)
        return True
