"""How many requests a key may send. Counted in this process: workers and replicas know nothing of each other's."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api.keys import Key

WINDOW_S = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit. `resets_s`: when the oldest request that counts will count no more."""

    allowed: bool
    per_minute: int
    left: int
    resets_s: int

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """For the reply, so that a client can pace itself."""
        policy = f'"key";q={self.per_minute};w={WINDOW_S}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", f'"key";r={self.left};t={self.resets_s}'.encode())]


class RateLimits:
    """Counts requests by key, over the last minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time) -> None:
        """`per_minute` holds for keys without a limit of their own; 0 is none."""
        self._per_minute = per_minute
        self._clock = clock
        self._counted = MovingWindowRateLimiter(MemoryStorage())

    def take(self, key: Key) -> Allowance | None:
        """Counts a request, if it is allowed; None where there is no limit."""
        per_minute = key.per_minute or self._per_minute
        if not per_minute:
            return None
        limit = RateLimitItemPerMinute(per_minute)
        allowed = self._counted.hit(limit, key.id)
        window = self._counted.get_window_stats(limit, key.id)
        resets_s = max(1, ceil(window.reset_time - self._clock()))
        return Allowance(allowed, per_minute, window.remaining, resets_s)
