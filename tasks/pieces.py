"""How much work goes into a piece that shall take about so long (pure)."""

from collections import deque
from dataclasses import dataclass, field
from statistics import linear_regression

REMEMBERED = 8
GROWS_BY = 4
# Seconds that nothing takes less than; so little is not told from none.
LEAST_S = 1e-9


@dataclass(slots=True)
class Pieces:
    """Learns what a unit of work (a document, a byte) takes, and what each piece takes beside that, whatever is in it.

    Told together, pieces would shrink where each takes long by itself, as on a busy machine: then nearly all of the time would go
    into that, and what waits would only grow.

    Attributes:
        first: units of the first piece.
    """

    first: float
    _taken: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def took(self, units: float, seconds: float) -> None:
        """A piece of so many units took so long."""
        self._taken.append((units, seconds))

    def fitting(self, seconds: float) -> float:
        """Units of a piece that takes about so long; longer where else less than half of its time would go into them.

        At most four times as many as in the largest of the last pieces.
        """
        if not self._taken:
            return self.first
        beside, each = self._costs()
        return min(max(seconds - beside, beside) / each, GROWS_BY * max(units for units, _ in self._taken))

    def _costs(self) -> tuple[float, float]:
        """Seconds that a piece takes beside its units, and that each unit takes: the line through the last pieces."""
        units, seconds = zip(*self._taken, strict=True)
        if len(set(units)) > 1:
            line = linear_regression(units, seconds)
            if line.intercept >= 0:
                return line.intercept, max(LEAST_S, line.slope)
        return 0.0, max(LEAST_S, sum(seconds) / max(LEAST_S, sum(units)))
