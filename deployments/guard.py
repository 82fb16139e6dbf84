"""Cleans up after a supervisor that was killed and could not: `python -m deployments.guard SUPERVISOR_PID RUN`.

The parts themselves are on a leash; what they have started is not. Linux only; elsewhere it ends at once.
"""

import os
import sys
from contextlib import suppress
from select import select

from deployments import strays


def outlive(supervisor: int, run: str) -> None:
    """Waits for the supervisor's end, then kills what is left of its run."""
    if sys.platform == "linux":
        with suppress(ProcessLookupError):
            select([os.pidfd_open(supervisor)], [], [])
        strays.kill(run, patience_s=5.0)


if __name__ == "__main__":
    outlive(int(sys.argv[1]), sys.argv[2])
