"""Server-sent events of work that goes on while they are sent, and that ends when nobody reads them any more."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from litestar.response import Stream

from api.problems import problem_of
from index.errors import GroundworkError

MEDIA_TYPE = "text/event-stream"
# Shorter than the patience of proxies, which is 30 s and more.
KEEP_ALIVE_S = 10.0
COMMENT = b": still working\n\n"
# Proxies that keep replies back until they are whole are asked not to.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
Send = Callable[[bytes], Awaitable[None]]
Work = Callable[[Send], Awaitable[None]]
Fail = Callable[[Exception], bytes]
_log = logging.getLogger("groundwork.api")


def event(name: str, data: object) -> bytes:
    """One event with JSON as its data."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def error_event(error: Exception) -> bytes:
    """The problem that an error is, as the last event."""
    return event("error", problem_of(error))


def streamed(work: Work, fail: Fail = error_event, keep_alive_s: float = KEEP_ALIVE_S) -> Stream:
    """The reply that sends what `work` sends, and what `fail` makes of its error."""
    return Stream(events(work, fail, keep_alive_s), media_type=MEDIA_TYPE, headers=HEADERS, status_code=200)


async def events(work: Work, fail: Fail = error_event, keep_alive_s: float = KEEP_ALIVE_S) -> AsyncIterator[bytes]:
    """What `work` sends, and a comment where it sends nothing for long. It is cancelled when this is closed."""
    # Without a bound: what an answer may send is bounded, and a slow reader does not keep a language model waiting.
    sent: asyncio.Queue[bytes | None] = asyncio.Queue()
    working = asyncio.create_task(_worked(work, fail, sent))
    try:
        while True:
            try:
                async with asyncio.timeout(keep_alive_s):
                    piece = await sent.get()
            except TimeoutError:
                piece = COMMENT
            if piece is None:
                return
            yield piece
    finally:
        working.cancel()


async def _worked(work: Work, fail: Fail, sent: asyncio.Queue[bytes | None]) -> None:
    try:
        await work(sent.put)
    except GroundworkError as error:
        sent.put_nowait(fail(error))
    except Exception as error:  # noqa: BLE001 - the reply has begun: whatever went wrong, the reader is told that it is not whole
        _log.error("a streamed reply failed", exc_info=error)
        sent.put_nowait(fail(error))
    finally:
        sent.put_nowait(None)
