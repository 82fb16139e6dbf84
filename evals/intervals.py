"""Means with their 95 % interval (pure)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from index.evaluations import Score

CONFIDENCE = 0.95
RESAMPLES = 5_000
SEED = 1


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % bootstrap interval; all None when nothing was measured."""

    mean: float | None
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of the values, and the percentiles of means of resamples of them (seeded: the same each time)."""
    if not values:
        return Interval(None, None, None)
    mean = float(np.mean(values))
    if min(values) == max(values):  # nothing varies, so no resample would
        return Interval(mean, mean, mean)
    result = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    return Interval(mean, float(result.confidence_interval.low), float(result.confidence_interval.high))


def score(metric: str, values: Sequence[float | None], of: int | None = None) -> Score:
    """The score of one metric.

    Args:
        metric: its name.
        values: one per question; None and NaN are unmeasured and count neither as 0 nor as anything else.
        of: how many questions should have been measured; all that were given unless told otherwise.
    """
    measured = [value for value in values if value is not None and not math.isnan(value)]
    interval = mean_interval(measured)
    return Score(metric, interval.mean, interval.low, interval.high, len(measured), len(values) if of is None else of)
