"""Becomes the program it is given, tied to the life of the process that started it.

`python leash.py PARENT_PID NICE PROGRAM ARGUMENT...`. It runs in the child after the fork, as a program of its
own, because running Python between fork and exec of a process with threads can hang.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(sent: signal.Signals) -> None:
    """Asks the kernel to send us this signal when our parent dies, however it dies. Linux only; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, sent)


def _become(parent: int, nice: int, program: list[str]) -> None:
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it died before we had asked
        sys.exit(1)
    _yield_to_others(nice)
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted: the program is run as given


def _yield_to_others(nice: int) -> None:
    os.nice(nice)
    # Where Linux schedules by session, the number above counts within our session only; this is that of the session.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
