"""Pools: each kind of request has threads of its own and a queue before them, so that slow ones never slow the others."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from math import ceil
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from index.serving import Serving

# The beginnings of paths; everything else is `other`.
PATHS = {
    "/v1/search": "search",
    "/v1/answers": "answers",
    "/v1/chat": "answers",
    "/mcp": "answers",
    "/health": "health",
    "/metrics": "health",
}
OTHER_THREADS = 16
HEALTH_THREADS = 2
HEALTH_REQUESTS = 64
# Requests that the estimate of their time looks back on, and those that tell how many are refused.
LOOKS_BACK = 50
# Of those that find no place free. A standing queue serves nobody sooner: then half of it makes those who are served wait half as long.
MOST_REFUSED = 2 / 3
_POOL: ContextVar["Pool | None"] = ContextVar("pool", default=None)
P = ParamSpec("P")
R = TypeVar("R")


class Busy(Exception):
    """No place in the queue, or none that comes up in time. `retry_after_s`: when there is likely to be one."""

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Pool:
    """One kind of request. Belongs to one event loop.

    `slots` requests are worked on at once, by `threads`; `queue` more may wait, and half as many while more than two of three are refused.
    They get their turn in the order in which they came.
    """

    def __init__(self, name: str, slots: int, queue: int, most_s: float, threads: int | None = None) -> None:
        self.name = name
        self.slots = slots
        self.queue = queue
        self.most_s = most_s
        self.threads = ThreadPoolExecutor(threads or slots, name)
        self.busy = 0
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._mean_s = 0.0
        self._refused = 0.0

    @property
    def is_full(self) -> bool:
        """Whether the next request must wait."""
        return self.busy >= self.slots

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @property
    def wait_s(self) -> float:
        """How long one that comes now is likely to wait, by how long the last ones took."""
        ahead = self.busy + self.waiting - self.slots + 1
        return max(0.0, ahead * self._mean_s / self.slots)

    def check(self, deadline: float) -> None:
        """Raises `Busy` when there is no place, or no hope that one comes up before the deadline. Takes microseconds."""
        if not self.is_full:
            self._refused = 0.0
            return
        if self.waiting >= self._room:
            self._count(refused=True)
            raise Busy(f"too many requests: {self.busy} are worked on and {self.waiting} wait; try again later", self._retry_after_s())
        if monotonic() + self.wait_s > deadline:
            raise Busy(f"{self.waiting} requests wait: there is no time for this one before its deadline", self._retry_after_s())

    async def enter(self, deadline: float, left: "asyncio.Future[Any] | None" = None) -> float:
        """Returns when it is this request's turn, with the time; `leave` gives the turn back.

        Raises `Busy` as `check` does, and when the deadline passes in the queue.
        Raises `CancelledError` when `left` is done: nobody waits for it any more.
        """
        self.check(deadline)
        if not self.is_full:
            self.busy += 1
            return monotonic()
        self._count(refused=False)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        if left is not None:
            left.add_done_callback(lambda _: turn.cancel())
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - monotonic()):
                await turn
        except TimeoutError:
            self._give_up(turn)
            raise Busy("its deadline passed while it waited; nothing was done for it", self._retry_after_s()) from None
        except asyncio.CancelledError:
            self._give_up(turn)
            raise
        return monotonic()

    def leave(self, entered: float) -> None:
        """The request is done, or given up: the next one's turn."""
        took = monotonic() - entered
        self._mean_s += (took - self._mean_s) / LOOKS_BACK if self._mean_s else took
        self._next()

    @property
    def _room(self) -> int:
        return self.queue // 2 if self._refused > MOST_REFUSED else self.queue

    def _count(self, *, refused: bool) -> None:
        self._refused += (refused - self._refused) / LOOKS_BACK

    def _next(self) -> None:
        while self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        """Out of the queue; a turn that came at the same moment goes to the next one."""
        if turn.done() and not turn.cancelled():
            self._next()
        self._waiting.pop(turn, None)

    def _retry_after_s(self) -> int:
        return max(1, ceil(self.wait_s))


class Pools(ThreadPoolExecutor):
    """All pools. As the executor of an event loop it runs what a request hands to a thread in the threads of its pool."""

    def __init__(self, pools: Iterable[Pool]) -> None:
        super().__init__(OTHER_THREADS, "thread")
        self.by_name: Mapping[str, Pool] = {pool.name: pool for pool in pools}

    def of(self, path: str) -> Pool:
        """The pool of a request."""
        name = next((name for start, name in PATHS.items() if path.startswith(start)), "other")
        return self.by_name[name]

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """In the pool of the request in hand."""
        pool = _POOL.get()
        return pool.threads.submit(fn, *args, **kwargs) if pool else super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the threads of all pools."""
        for pool in self.by_name.values():
            pool.threads.shutdown(wait, cancel_futures=cancel_futures)
        super().shutdown(wait, cancel_futures=cancel_futures)


def work_in(pool: Pool) -> None:
    """From now on the request in hand uses the threads of this pool."""
    _POOL.set(pool)


def pools(serving: Serving, cores: int, *, model_here: bool = True) -> Pools:
    """Those of a process. Searches that wait for a model at a service leave the cores to others."""
    # Questions are embedded ahead of their searches: more threads than cores would only take turns with them.
    searches = max(2, cores) if model_here and serving.batch_questions else max(4, 2 * cores)
    return Pools(
        [
            Pool("search", serving.search_threads or searches, serving.search_queue, serving.search_seconds),
            Pool("answers", max(1, serving.answer_threads), serving.answer_queue, serving.answer_seconds),
            # Some wait long for what they wrote to be searchable, without a thread.
            Pool("other", max(1, serving.other_requests), 0, float("inf"), OTHER_THREADS),
            Pool("health", HEALTH_REQUESTS, 0, float("inf"), HEALTH_THREADS),
        ]
    )
