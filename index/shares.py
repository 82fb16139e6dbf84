"""How many of the rows match a condition: known from a few minutes ago, as they change slowly and counting takes milliseconds."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic

REMEMBERED = 256
FOR_S = 300.0


class Shares:
    """The shares (0 to 1) of the rows of one generation that match conditions. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def of(self, condition: str, count: Callable[[], float]) -> float:
        """The share of a condition; counted when it was not in the last five minutes."""
        with self._lock:
            share, at = self._known.get(condition, (0.0, -FOR_S))
        if self._clock() - at < FOR_S:
            return share
        share = count()
        with self._lock:
            self._known[condition] = (share, self._clock())
            self._known.move_to_end(condition)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return share
