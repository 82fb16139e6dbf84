"""How many documents go into a piece of work that shall take about so long (pure)."""

from collections import deque
from dataclasses import dataclass, field
from statistics import linear_regression

REMEMBERED = 8
GROWS_BY = 4
# Seconds a document: less is not told from none.
LEAST_S = 1e-4


@dataclass(slots=True)
class Pieces:
    """Learns what a document takes beside what each piece takes, however small it is.

    Without telling the two apart, pieces would shrink to a single document where what each takes alone is longer than wished: then
    nearly all of the time would go into that.

    Attributes:
        size: documents of the next piece.
        most: documents of a piece.
    """

    size: int
    most: int
    _taken: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def took(self, documents: int, seconds: float, wished_s: float) -> None:
        """A piece took so long; the documents of the next one shall take about `wished_s` beside what each piece takes."""
        self._taken.append((documents, seconds))
        grown = GROWS_BY * self.size
        self.size = max(1, min(self.most, grown, round(wished_s / max(LEAST_S, self._seconds_each()))))

    def _seconds_each(self) -> float:
        documents, seconds = zip(*self._taken, strict=True)
        if len(set(documents)) == 1:
            return sum(seconds) / sum(documents)
        slope: float = linear_regression(documents, seconds).slope
        return slope
