"""The restart policy of a part: when to start it again, when to give up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile


@dataclass(frozen=True, slots=True)
class Life:
    """One run of a part, from its start to its death. `misconfigured`: it said that it can't run with these settings."""

    lived_s: float
    came_up: bool
    misconfigured: bool = False


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Back-off doubles over short lives in a row; so many quick deaths in a row are the end.

    A life is short under `settled_s`. A death is quick under `quick_s`, or in a short life that never
    came up: importing the libraries alone can take longer than `quick_s`.
    """

    first_wait_s: float = 0.5
    longest_wait_s: float = 10.0
    quick_s: float = 10.0
    settled_s: float = 60.0
    quick_deaths: int = 3

    def wait_after(self, lives: Sequence[Life]) -> float | None:
        """Seconds until the next start after these lives, oldest first; None: give up."""
        if lives[-1].misconfigured and not any(life.came_up for life in lives):
            return None  # the next would say the same
        if _streak([self._quick(life) for life in lives]) >= self.quick_deaths:
            return None
        short = _streak([self._short(life) for life in lives])
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** max(0, short - 1))

    def _short(self, life: Life) -> bool:
        return life.lived_s < self.settled_s

    def _quick(self, life: Life) -> bool:
        return life.lived_s < self.quick_s or (self._short(life) and not life.came_up)


def _streak(flags: Sequence[bool]) -> int:
    return sum(takewhile(bool, reversed(flags)))
