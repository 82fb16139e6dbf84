"""The time by which a request must be answered: that of its pool, or a shorter one that its caller names."""

from contextvars import ContextVar
from math import isfinite
from time import monotonic

from index.errors import BadRequest

HEADER = b"request-timeout"
_DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)


def deadline_after(asked: bytes | None, most_s: float) -> float:
    """When a request that came now must be answered, on the clock `monotonic`; raises `BadRequest`.

    Args:
        asked: the value of the header `Request-Timeout`: seconds.
        most_s: seconds at most, and where the header is missing.
    """
    if asked is None:
        return monotonic() + most_s
    try:
        seconds = float(asked)
    except ValueError:
        seconds = float("nan")
    if not isfinite(seconds) or seconds <= 0:
        raise BadRequest("the header Request-Timeout is not a number of seconds above 0, such as 2.5")
    return monotonic() + min(seconds, most_s)


def keep(deadline: float) -> None:
    """From now on this is the deadline of the request in hand."""
    _DEADLINE.set(deadline)


def remaining() -> float | None:
    """Seconds that are left for the request in hand, 0 at least; None outside of a request. Threads that work for it know it too."""
    deadline = _DEADLINE.get()
    return None if deadline is None else max(0.0, deadline - monotonic())
