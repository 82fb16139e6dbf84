"""What was live when (pure)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

import numpy as np
import pyarrow as pa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Columns over all events, in their order.

    Attributes:
        seqs: the numbers of the events.
        times: when they were, in microseconds since 1970.
        lives: the release that was live from then on.
    """

    seqs: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    times: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    lives: "np.ndarray[tuple[int], np.dtype[np.int64]]"

    @classmethod
    def of(cls, events: pa.Table) -> Self:
        """From the columns `seq`, `at` and `live` of events, in any order; one that comes twice counts once."""
        seqs, first = np.unique(events["seq"].to_numpy(), return_index=True)
        times = events["at"].cast(pa.int64()).to_numpy()[first]
        # Clocks are set back now and then; the order of events is not.
        return cls(seqs, np.maximum.accumulate(times), events["live"].to_numpy()[first])

    def before(self, seq: int) -> int:
        """What was live until an event; 0: nothing."""
        return self._after(int(np.searchsorted(self.seqs, seq)))

    def at(self, time: datetime) -> int:
        """What was live at a time; 0: nothing."""
        return self._after(self._until(time))

    def between(self, since: datetime, until: datetime) -> set[int]:
        """All that was live from a time to another."""
        return {self.at(since), *map(int, self.lives[self._until(since) : self._until(until)])} - {0}

    def _until(self, time: datetime) -> int:
        """How many events there were up to and at a time."""
        return int(np.searchsorted(self.times, (time - _EPOCH) // timedelta(microseconds=1), side="right"))

    def _after(self, events: int) -> int:
        return int(self.lives[events - 1]) if events else 0
