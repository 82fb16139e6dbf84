"""Work for a client who waits for it: it ends when the client goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from litestar.exceptions import HTTPException
from litestar.types import HTTPReceiveMessage, Receive

T = TypeVar("T")


class Gone(HTTPException):
    """The client has closed its connection: nobody reads this."""

    status_code = 408


class Shared:
    """What a client sends, for two: one who reads the body, and one who notices when the client goes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_read = asyncio.Event()

    async def body(self) -> HTTPReceiveMessage:
        """The next message of the body; there is none after its end."""
        if self._is_read.is_set():
            await asyncio.Future()
        message = cast(HTTPReceiveMessage, await self._receive())
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._is_read.set()
        return message

    async def rest(self) -> HTTPReceiveMessage:
        """The next message after the body, once that was read."""
        await self._is_read.wait()
        return cast(HTTPReceiveMessage, await self._receive())


async def while_there(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What the work comes to; it is cancelled, and this raises `Gone`, when the client goes. The body has been read before."""
    working, going = asyncio.ensure_future(work), asyncio.ensure_future(_goes(receive))
    try:
        await asyncio.wait((working, going), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone("the client has gone")
        return await working
    finally:
        working.cancel()
        going.cancel()


async def _goes(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
