"""At how many rows, and when, searches will be slower than their goal; what to do then (pure).

Latency against rows is fitted to measurements of this machine, rows against time to the release log.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf, log2

import numpy as np
from scipy import optimize, stats

FEWEST_SIZES = 4
# Times are never nearer to what they will be than this share, however well the sizes that were measured fit.
LEAST_DOUBT = 0.05
FARTHEST = 1e11
FARTHEST_DAYS = 365.0 * 100
CONFIDENCE = 0.95
# Probes stay nearly the same, and each looks into rows / partitions: with about sqrt(rows) partitions, work grows with the root.
LATENCY_POWER = 0.5
# An index for fewer rows than this share of those of now looks into needlessly large partitions.
WORTH_REMAKING = 1.5


@dataclass(frozen=True, slots=True)
class Sized:
    """What an index of so many rows took, at the recall target: milliseconds of one search, seconds to build, bytes of index and table."""

    rows: int
    p50_ms: float
    p95_ms: float
    built_s: float
    index_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curve:
    """`base + slope * rows ** power`, with the relative error of a prediction at some distance from what was measured."""

    base: float
    slope: float
    power: float
    error: float
    largest: float

    def at(self, rows: float) -> Estimate:
        """The value at so many rows. The doubt grows with each doubling beyond the largest size that was measured."""
        value = self.base + self.slope * rows**self.power
        doublings = max(0.0, log2(rows / self.largest))
        doubt = 1 + self.error * (1 + doublings)
        return Estimate(value, value / doubt, value * doubt)

    def reaches(self, goal: float) -> Estimate | None:
        """From how many rows on the value is above the goal; None when that is beyond all bounds."""

        def crossing(part: str) -> float:
            def above(exponent: float) -> float:
                return float(getattr(self.at(10.0**exponent), part)) - goal

            top = np.log10(FARTHEST)
            if above(0.0) >= 0:
                return 1.0
            return float(10 ** optimize.brentq(above, 0.0, top)) if above(top) > 0 else inf

        value = crossing("value")
        return None if value == inf else Estimate(value, crossing("high"), crossing("low"))


def fit(rows: Sequence[float], values: Sequence[float], power: float) -> Curve:
    """The curve through measurements, by least squares of the relative errors; neither part of it is negative."""
    sizes, found = np.asarray(rows, dtype=float), np.asarray(values, dtype=float)
    design = np.column_stack([np.ones_like(sizes), sizes**power]) / found[:, None]
    scale = np.linalg.norm(design, axis=0)
    (base, slope), _ = optimize.nnls(design / scale, np.ones_like(sizes))
    base, slope = base / scale[0], slope / scale[1]
    spread = np.abs((base + slope * sizes**power) / found - 1)
    # Of few sizes: Student's factor for as many measurements as are left beside the two parts.
    free = max(1, len(sizes) - 2)
    error = float(np.sqrt((spread**2).sum() / free) * stats.t.ppf((1 + CONFIDENCE) / 2, free))
    return Curve(float(base), float(slope), power, max(LEAST_DOUBT, error), float(sizes.max()))


def growth(history: Sequence[tuple[datetime, int]]) -> Estimate | None:
    """Rows a day, from those of each release (any order): the median slope between pairs of days (Theil, 1950; Sen, 1968).

    None when there are less than three days.
    """
    last: dict[int, tuple[datetime, int]] = {}
    for at, rows in sorted(history):
        last[at.toordinal()] = (at, rows)
    if len(last) < 3:
        return None
    days = [at.timestamp() / 86_400 for at, _ in last.values()]
    slope = stats.theilslopes([rows for _, rows in last.values()], days, alpha=CONFIDENCE)
    return Estimate(float(slope.slope), float(slope.low_slope), float(slope.high_slope))


@dataclass(frozen=True, slots=True)
class Situation:
    """The index as it is served now, and the machine.

    Attributes:
        rows: all of them.
        p95_ms: of one search, in milliseconds.
        tail: rows that are in no index yet.
        made_for: the rows that the vector index was made for; None without one.
        vector_bytes: of one vector.
        memory: bytes that are free for the index and for the vectors in the system's cache.
        disk: bytes that are free.
    """

    rows: int
    p95_ms: float
    tail: int
    made_for: int | None
    vector_bytes: int
    memory: int
    disk: int


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do, and what it brings by the fitted curves."""

    do: str
    effect: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """When p95 passes the goal: at how many rows (`low` to `high`), on which day (`earliest` to `latest`).

    `reason` says why something is None. From `memory_full_at_rows` on searches read vectors from the disk; at `disk_full_at_rows`
    the tables fill it.
    """

    rows: int
    goal_ms: float
    p95_ms: float | None = None
    breaks_at_rows: int | None = None
    low: int | None = None
    high: int | None = None
    breaks_on: datetime | None = None
    earliest: datetime | None = None
    latest: datetime | None = None
    rows_per_day: float | None = None
    memory_full_at_rows: int | None = None
    disk_full_at_rows: int | None = None
    reason: str | None = None
    actions: Sequence[Action] = ()
    sizes: Sequence[Sized] = ()


def latency(sizes: Sequence[Sized]) -> Curve:
    """p95 of one search against rows."""
    return fit([size.rows for size in sizes], [size.p95_ms for size in sizes], LATENCY_POWER)


def forecast(now: Situation, sizes: Sequence[Sized], grown: Estimate | None, today: datetime, goal_ms: float) -> Forecast:
    """What the measurements say of the goal.

    Args:
        now: the index as it is.
        sizes: measurements of sub-samples of it, and of all of it.
        grown: rows a day.
        today: when that was measured.
        goal_ms: the goal of p95.
    """
    if len(sizes) < FEWEST_SIZES:
        return Forecast(now.rows, goal_ms, now.p95_ms, reason=f"{now.rows:,} rows are too few to measure several sizes of", sizes=sizes)
    curve = latency(sizes)
    breaks = curve.reaches(goal_ms)
    per_row = now.vector_bytes + max(size.index_bytes / size.rows for size in sizes)
    disk_per_row = max(size.disk_bytes / size.rows for size in sizes)
    known = Forecast(
        now.rows,
        goal_ms,
        now.p95_ms,
        memory_full_at_rows=_whole(now.memory / per_row),
        disk_full_at_rows=_whole(now.rows + now.disk / disk_per_row),
        rows_per_day=round(grown.value, 1) if grown else None,
        actions=tuple(actions(now, curve, goal_ms)),
        sizes=sizes,
    )
    if breaks is None:
        return replace(known, reason="p95 stays below the goal at any size that can be forecast")
    at_rows = replace(known, breaks_at_rows=_whole(breaks.value), low=_whole(breaks.low), high=_whole(breaks.high))
    if grown is None:
        return replace(at_rows, reason="releases of three days are needed to say when")
    return replace(
        at_rows,
        breaks_on=day_of(now.rows, breaks.value, grown.value, today),
        earliest=day_of(now.rows, breaks.low, grown.high, today),
        latest=day_of(now.rows, breaks.high, grown.low, today),
        reason=None if grown.value > 0 else "the index does not grow",
    )


def actions(now: Situation, curve: Curve, goal_ms: float) -> Iterator[Action]:
    """What brings p95 down, or keeps it there, the cheapest first; only what would bring something."""
    fresh = curve.at(now.rows).value
    if now.tail:
        yield Action(f"fold: start the deployment maintain; {now.tail:,} rows are in no index", f"p95 {now.p95_ms:.1f} -> {fresh:.1f} ms")
    if now.made_for and now.rows >= WORTH_REMAKING * now.made_for:
        did = f"make the index anew for {now.rows:,} rows (it was made for {now.made_for:,}): lower retrain_growth in the index policy"
        yield Action(did, f"p95 {now.p95_ms:.1f} -> {fresh:.1f} ms")
    for parts in (2, 4):
        half = curve.at(now.rows / parts).value
        then = curve.reaches(goal_ms)
        bound = f"; the goal holds up to {_whole(parts * then.value):,} rows" if then else ""
        yield Action(f"split the documents over {parts} indexes on {parts} machines", f"p95 {fresh:.1f} -> {half:.1f} ms{bound}")


def day_of(rows: int, target: float, per_day: float, today: datetime) -> datetime | None:
    """When so many rows are reached at this pace; None when never, or in more than a hundred years."""
    if target <= rows:
        return today
    days = (target - rows) / per_day if per_day > 0 else inf
    return today + timedelta(days=days) if days <= FARTHEST_DAYS else None


def _whole(rows: float) -> int | None:
    """Three digits of it: nothing is known better."""
    return None if rows == inf else int(float(f"{rows:.3g}"))
