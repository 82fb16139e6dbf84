"""Work done ahead of whoever asks for it, by a bounded number of items."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def computed_ahead(executor: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Generator[tuple[Item, Result]]:
    """Each item and its result, in order; up to `ahead` more items are being worked on when one is handed out.

    Who stops asking stops the work: what has begun ends by itself, what has not is dropped.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, executor.submit(work, item)))
            if len(waiting) > ahead:
                yield _finished(waiting)
        while waiting:
            yield _finished(waiting)
    finally:
        for _, future in waiting:
            future.cancel()


def _finished(waiting: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Result]:
    item, future = waiting.popleft()
    return item, future.result()
