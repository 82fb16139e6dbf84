"""Work that goes on in another thread while its caller does something else."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
_threads = ThreadPoolExecutor(2 * (os.cpu_count() or 1), "meanwhile")


def meanwhile(work: Callable[[], T]) -> Callable[[], T]:
    """Begins `work` now; what it returns gives its result, waits for it where need be, and raises what it raised.

    Where all threads are busy the one that wants the result does the work itself: nobody waits behind others.
    """
    begun = _threads.submit(copy_context().run, work)

    def result() -> T:
        return work() if begun.cancel() else begun.result()

    return result
