"""Processes that a run has left behind, wherever they moved: found by the mark in their environment.

A flow run may start a session of its own, so killing process groups is not enough. Linux only (/proc);
elsewhere nothing is found.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

MARK = "GROUNDWORK_RUN"


def mark(run: str, part: str) -> str:
    """The value of `MARK` in the environment of a part and of everything it starts."""
    return f"{run}.{part}"


def find(run: str, part: str = "") -> list[int]:
    """Ids of the living processes of a run, or of one of its parts; never our own."""
    wanted = f"{MARK}={mark(run, part)}".encode()
    found = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _has(folder, wanted, exact=bool(part))]
    return [pid for pid in found if pid != os.getpid()]


def kill(run: str, part: str = "", patience_s: float = 2.0) -> list[int]:
    """Kills them, those they start meanwhile too; returns those that would not go (stuck in the kernel)."""
    deadline = time.monotonic() + patience_s
    while (left := find(run, part)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    return left


def _has(folder: Path, wanted: bytes, *, exact: bool) -> bool:
    # A process that has ended, or is not ours, can't be read; a zombie reads as empty.
    with suppress(OSError):
        variables = (folder / "environ").read_bytes().split(b"\0")
        return wanted in variables if exact else any(variable.startswith(wanted) for variable in variables)
    return False
