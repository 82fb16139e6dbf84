"""Admission: decides on each request before anything is done for it. What can't be served in time is refused at once."""

import asyncio
from contextlib import nullcontext
from time import monotonic
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Gauge

from api import deadlines
from api.ahead import Ahead
from api.exchange import READ_AT_MOST, Body, Headers, Refused, Reply
from api.keys import Key, Keys
from api.limits import Allowance, RateLimits
from api.pools import Busy, Pool, Pools, work_in
from index.errors import BadRequest, Unavailable

# Bodies of searches and answers are read before it is their turn: who sends slowly takes nobody's place. Not those that will be refused.
READ_BEFORE = ("search", "answers")


class Admission:
    """ASGI: limits of keys, places in the pools, deadlines."""

    def __init__(self, app: ASGIApp, pools: Pools, limits: RateLimits, keys: Keys, registry: CollectorRegistry, ahead: Ahead) -> None:
        self._app = app
        self._pools = pools
        self._limits = limits
        self._keys = keys
        self._ahead = ahead
        what = "Requests that were refused before anything was done for them, by pool and reason."
        self._refused = Counter("groundwork_refused_requests_total", what, ["pool", "reason"], registry=registry)
        self._waiting = _by_pool("groundwork_requests_waiting", "Requests that wait for their turn.", pools, registry)
        self._in_hand = _by_pool("groundwork_requests_in_hand", "Requests that are worked on now.", pools, registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        pool = self._pools.of(scope["path"])
        body, reply = Body(receive), Reply(send, scope["path"])
        try:
            key = self._key(scope) if pool.name != "health" else None
            reply.headers = self._within_limits(key) if key else []
            deadline = deadlines.deadline_after(_header(scope, deadlines.HEADER), pool.most_s)
            pool.check(deadline)
            if pool.name in READ_BEFORE and _announced(scope) <= READ_AT_MOST:
                await body.read(deadline)
            embeds = pool.name == "search" and pool.is_full and key
            with self._ahead.of(body.so_far) if embeds else nullcontext():
                await self._admitted(pool, deadline, body, scope, reply)
        except Refused as refused:
            await self._refuse(reply, pool, refused)
        except Busy as busy:
            await self._refuse(reply, pool, Refused(503, "full", str(busy), busy.retry_after_s))
        except Unavailable as error:
            await self._refuse(reply, pool, Refused(503, "keys", str(error), error.retry_after_s))
        except BadRequest as error:
            await self._refuse(reply, pool, Refused(400, "bad header", str(error)))
        finally:
            body.close()

    async def _admitted(self, pool: Pool, deadline: float, body: "Body", scope: Scope, reply: "Reply") -> None:
        try:
            with self._waiting[pool.name].track_inprogress():
                entered = await pool.enter(deadline, body.left() if pool.is_full else None)
        except asyncio.CancelledError:
            if body.is_left:
                return
            raise
        timer = _at(deadline, reply.overdue)
        try:
            deadlines.keep(deadline)
            work_in(pool)
            with self._in_hand[pool.name].track_inprogress():
                await self._app(scope, body.receive, reply.send)
        finally:
            if timer:
                timer.cancel()
            pool.leave(entered)

    def _key(self, scope: HTTPScope) -> Key | None:
        scheme, _, secret = (_header(scope, b"authorization") or b"").decode("latin-1").partition(" ")
        return self._keys.find(secret.strip()) if scheme.lower() == "bearer" and secret else None

    def _within_limits(self, key: Key) -> Headers:
        """The headers that tell of the limit; raises `Refused`."""
        allowance = self._limits.take(key)
        if allowance is None:
            return []
        if not allowance.allowed:
            raise Refused(429, "limit", _over(allowance), allowance.resets_s, allowance.headers)
        return allowance.headers

    async def _refuse(self, reply: "Reply", pool: Pool, refused: "Refused") -> None:
        self._refused.labels(pool.name, refused.reason).inc()
        await reply.problem(refused.status, refused.detail, refused.retry_after_s, refused.headers)


def _by_pool(name: str, what: str, pools: Pools, registry: CollectorRegistry) -> dict[str, Gauge]:
    """One for each pool, 0 at first. Of several workers the sum is told, of those that live."""
    gauge = Gauge(name, what, ["pool"], registry=registry, multiprocess_mode="livesum")
    return {pool: gauge.labels(pool) for pool in pools.by_name}


def _at(deadline: float, call: Any) -> asyncio.TimerHandle | None:
    if deadline == float("inf"):
        return None
    loop = asyncio.get_running_loop()
    return loop.call_at(loop.time() + deadline - monotonic(), call)


def _header(scope: HTTPScope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _announced(scope: HTTPScope) -> int:
    """The size of the body, as its head has it; 0 where it says nothing."""
    return int(_header(scope, b"content-length") or 0)


def _over(allowance: Allowance) -> str:
    return f"this key may send {allowance.per_minute} requests a minute, and has; try again in {allowance.resets_s} s"
