"""Values per question to a score with its 95 % interval (pure)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from index.evaluations import Score

CONFIDENCE = 0.95
RESAMPLES = 5_000
SEED = 1
Z = float(stats.norm.isf((1 - CONFIDENCE) / 2))


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % interval; all None when nothing was measured."""

    mean: float | None
    low: float | None
    high: float | None


UNMEASURED = Interval(None, None, None)


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean of values of any scale, and the percentiles of means of resamples of them (seeded: the same each time)."""
    if not values:
        return UNMEASURED
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


def share_interval(values: Sequence[float]) -> Interval:
    """The mean of values from 0 to 1, and Wilson's score interval at the number of yes-or-no values that would vary as much.

    Of 0s and 1s it is Wilson's (JASA 22, 1927). Values between vary less: by the share `varies` of what 0s and 1s of the same mean
    would, so that n of them say as much as n / varies of those (the effective sample size of surveys; as an interval: Franco, Little,
    Louis and Slud, Journal of Survey Statistics and Methodology 7, 2019). Where nothing varies, how much the next ones will is not
    known: as much as they can, so that 30 questions that are all right are no proof of perfection.

    Why no bootstrap: of 1,000 simulated samples of 50 questions with values as nDCG has them, 95 % intervals hold the true mean of .95
    in 95.0 % (this), 89.5 % (percentile), 92.0 % (BCa) and 97.3 % (studentised); over means from .3 to .95 and 50, 150 and 300
    questions in 94.1 to 96.0 %, 89.5 to 95.6 %, 92.0 to 96.1 % and 94.4 to 97.7 %. Resamples of a sample that has seen few failures
    see even fewer. The first is what `tests/evals/test_intervals.py` proves.
    """
    if not values:
        return UNMEASURED
    mean = float(np.mean(values))
    most = mean * (1 - mean)
    spread = float(np.var(values, ddof=1)) if len(values) > 1 else 0.0
    varies = min(1.0, spread / most) if most > 0 and spread > 0 else 1.0
    return _wilson(mean, len(values) / varies)


def proportion_interval(successes: int, trials: int) -> Interval:
    """The share of successes, with Wilson's score interval."""
    return _wilson(successes / trials, trials) if trials else UNMEASURED


def f1_interval(both: int, one: int) -> Interval:
    """F1 of `both` questions that were picked rightly and `one` that were picked wrongly or wrongly left.

    F1 = 2J / (1 + J) grows with J = both / (both + one), which is a share of questions: so its interval is that of the share
    (Lam, Gopal and Qian, "Confidence intervals for the F1 score", arXiv 2309.14621, 2023: "Wilson direct").
    """
    share = proportion_interval(both, both + one)
    if share.mean is None or share.low is None or share.high is None:
        return UNMEASURED
    return Interval(*(2 * each / (1 + each) for each in (share.mean, share.low, share.high)))


def score(metric: str, values: Sequence[float | None], of: int | None = None) -> Score:
    """The score of one metric.

    Args:
        metric: its name.
        values: one per question; None and NaN are unmeasured and count neither as 0 nor as anything else.
        of: how many questions should have been measured; all that were given unless told otherwise.
    """
    measured = [value for value in values if value is not None and not math.isnan(value)]
    is_share = all(0.0 <= value <= 1.0 for value in measured)
    interval = share_interval(measured) if is_share else mean_interval(measured)
    return scored(metric, interval, len(measured), len(values) if of is None else of)


def scored(metric: str, interval: Interval, measured: int, of: int) -> Score:
    """An interval as a score; where it can't be told nothing was measured."""
    return Score(metric, interval.mean, interval.low, interval.high, 0 if interval.mean is None else measured, of)


def _wilson(share: float, trials: float) -> Interval:
    """Of a share of so many trials."""
    pull = Z * Z / trials
    middle = (share + pull / 2) / (1 + pull)
    half = Z * math.sqrt(share * (1 - share) / trials + pull / (4 * trials)) / (1 + pull)
    return Interval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))
