"""Work for a client who waits for it: it ends when the client goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar.exceptions import HTTPException
from litestar.types import Receive

T = TypeVar("T")


class Gone(HTTPException):
    """The client has closed its connection: nobody reads this."""

    status_code = 408


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
