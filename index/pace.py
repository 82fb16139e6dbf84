"""How fast the inbox empties, as its readers leave it for those who must tell a client when to come back."""

import math
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import monotonic, time

LONGEST_WAIT_S = 600
RATE_OVER_S = 60.0
# Documents a second, until it has been measured.
FIRST_RATE = 10.0


class Pace:
    """Documents a second over the last minute, in one small file that any process may read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._done: list[tuple[float, int]] = []

    def note(self, documents: int) -> None:
        """Counts documents that went into the index now."""
        now = monotonic()
        self._done = [(at, count) for at, count in self._done if now - at < RATE_OVER_S] + [(now, documents)]
        spent = max(now - self._done[0][0], 1.0)
        self._file.write_text(f"{sum(count for _, count in self._done) / spent:.3f}")

    def seconds_until_done(self, documents: int, oldest: datetime | None) -> int:
        """How long so many documents take at the rate that was measured last; the longest wait when nothing has moved for a while.

        Args:
            documents: how many must go into the index first.
            oldest: when the one that waits longest was accepted; None: nothing waits.
        """
        rate, moved_at = FIRST_RATE, -math.inf
        with suppress(OSError, ValueError):
            rate, moved_at = float(self._file.read_text()), self._file.stat().st_mtime
        waited_s = time() - max(moved_at, oldest.timestamp()) if oldest else 0.0
        if waited_s > RATE_OVER_S:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, max(1, math.ceil(documents / max(rate, 0.1))))
