"""The lease: one process at a time writes the rows of a chunk table, or moves its indexes."""

import fcntl
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Self


class Lease:
    """An exclusive file lock. The kernel frees it when the holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+")

    def acquire(self, on_wait: Callable[[], None], give_up: Callable[[], bool] = lambda: False, poll_s: float = 0.2) -> bool:
        """Waits until the lease is held; `on_wait` is called once if somebody else holds it.

        Returns False when `give_up()` became true first.
        """
        waited = False
        while not give_up():
            if self.try_acquire():
                return True
            if not waited:
                on_wait()
            waited = True
            sleep(poll_s)
        return False

    def try_acquire(self) -> bool:
        """Takes the lease if nobody holds it; waits for nobody."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Gives the lease back."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
