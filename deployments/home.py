"""The home of a run: writable, and one supervisor's at a time."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from deployments import strays
from deployments.refusal import CannotStart

_STOPPING_S = 12.0


class RunLock:
    """Held by the supervisor of a home as long as it lives. The file says who and, while it runs, which run."""

    def __init__(self, file: IO[str], pid: int) -> None:
        self._file = file
        self._pid = pid

    def running(self, run: str) -> None:
        """Remembers the run, so that the next supervisor can clean up if this one is killed."""
        self._write(f"{self._pid} {run}")

    def stopping(self) -> None:
        """Tells the next supervisor that waiting is worth it."""
        self._write(f"{self._pid} stopping")

    def stopped(self) -> None:
        """Nothing is left to clean up."""
        self._write("")

    def _write(self, text: str) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text)
        self._file.flush()


@contextmanager
def claimed(home: Path, pid: int) -> Iterator[RunLock]:
    """Makes the home and holds its lock; what a killed supervisor has left running is killed first.

    Raises `CannotStart` when the home can't be written or somebody else runs on it.
    """
    with _opened(home) as file:
        _lock(file, home)
        _clean_up(file)
        yield RunLock(file, pid)


def _opened(home: Path) -> IO[str]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        return (home / "run.lock").open("a+")
    except OSError as error:
        raise CannotStart(f"GROUNDWORK_HOME={home} can't be written ({error.strerror}): set it to a folder of yours") from error


def _lock(file: IO[str], home: Path) -> None:
    deadline = time.monotonic() + _STOPPING_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, state = _read(file).partition(" ")
            if state != "stopping" or time.monotonic() > deadline:
                who = f"process {pid}" if pid else "another process"
                raise CannotStart(f"{who} runs on GROUNDWORK_HOME={home}: stop it, or set GROUNDWORK_HOME to another folder") from None
            time.sleep(0.1)


def _clean_up(file: IO[str]) -> None:
    _, _, run = _read(file).partition(" ")
    if run and run != "stopping":
        strays.kill(run)


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
