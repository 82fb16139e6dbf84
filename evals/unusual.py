"""Whether the value of a day is out of what the days before let expect (pure)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from evals.drift import Numbers, Reading, Rule, unmeasured

Side = Literal["high", "low", "both"]
WEEK = 7
# Days with an alarm are no measure of what is usual; after so many they are, for nobody has mended it.
FORGIVEN = 14


@dataclass(frozen=True, slots=True)
class Scale:
    """On which days differ by about as much, whatever their value: as it is, or by factors of the value and a `floor`.

    Below the floor differences are small, however many times one value is another.
    """

    floor: float | None = None

    def of(self, values: Numbers) -> Numbers:
        """The values on this scale."""
        return values if self.floor is None else np.asarray(np.log(values + self.floor))

    def back(self, place: float) -> float:
        """The value at a place on it."""
        return place if self.floor is None else math.exp(place) - self.floor


AS_IT_IS = Scale()


def without(values: Sequence[float], alarmed: int) -> list[float]:
    """The days before today (the last one), but for the newest that had an alarm: what they were is not known to be usual."""
    bad = min(alarmed, len(values) - 1, FORGIVEN)
    return [*values[: len(values) - 1 - bad], *[math.nan] * bad]


def unusual(
    name: str,
    today: float,
    days: Sequence[float],
    side: Side,
    rule: Rule,
    matters: float,
    what: str,
    of: Sequence[int] | None = None,
    scale: Scale = AS_IT_IS,
) -> Reading:
    """Whether the value of a day is out of what the days before let expect.

    A prediction interval (Hahn and Meeker, Statistical Intervals, 1991): days differ by more than the chance of their questions,
    and by the day of the week where there are three weeks to know it from.

    Args:
        name: of the monitor.
        today: the value of the newest day.
        days: those of the days before, in their order, without gaps; nan where nothing was measured.
        side: on which side a value is bad.
        rule: how sure it must be; on both sides each has half of its chances.
        matters: the least change that matters, in the unit of the values.
        what: the values are, for people.
        of: where the values are shares of questions, of how many, today last: few may be many times their usual share by chance.
        scale: on which the days are alike.
    """
    known = sum(not math.isnan(value) for value in days)
    if math.isnan(today):
        return unmeasured(name, f"too little is known of today to tell {what}")
    if known < rule.days:
        return unmeasured(name, f"{known} days are known, {rule.days} are needed to tell an unusual one")
    centre, spread, freedom = _expectation(scale.of(np.asarray(days, np.float64)))
    level = rule.level / (2 if side == "both" else 1)
    limit, reach = (float(stats.t.ppf(1 - chance, freedom)) * spread for chance in (level, 0.025))
    expected, least, most = scale.back(centre), scale.back(centre - limit), scale.back(centre + limit)
    place = float(scale.of(np.asarray(today))) - centre
    p = _chance({"high": place, "low": -place, "both": abs(place)}[side], spread, freedom) * (2 if side == "both" else 1)
    if of is not None:
        likely = _predicted(days, of)
        most = max(most, float(likely.isf(level)) / of[-1])
        p = max(p, float(likely.sf(round(today * of[-1]) - 1)))
    effect = today - expected
    risen = side != "low" and today > most and effect >= matters
    fallen = side != "high" and today < least and -effect >= matters
    least, most = min(least, expected - matters), max(most, expected + matters)
    usual = {"high": f"up to {most:.3f}", "low": f"down to {least:.3f}", "both": f"{least:.3f} to {most:.3f}"}[side]
    told = f"{what}: {today:.3f}, expected {expected:.3f}, usual {usual}"
    bounds = (today - scale.back(centre + reach), today - scale.back(centre - reach))
    return Reading(name, "alarm" if risen or fallen else "ok", told, effect, *bounds, min(1.0, p))


def _chance(beyond: float, spread: float, freedom: float) -> float:
    """How likely a day is so far out, or farther, on one side."""
    return float(stats.t.sf(beyond / spread, freedom)) if spread else float(beyond <= 0)


def _predicted(days: Sequence[float], of: Sequence[int]) -> Any:
    """How many of today's questions are such a case, by the days before: the beta-binomial prediction from Jeffreys' prior.

    Gelman et al., Bayesian Data Analysis, 2013, chapter 2. Days without a single case say that cases are rare, not that two of them
    are impossible.
    """
    known = [(round(share * count), count) for share, count in zip(days, of, strict=False) if not math.isnan(share)]
    cases, asked = (sum(each) for each in zip(*known, strict=True))
    return stats.betabinom(of[-1], cases + 0.5, asked - cases + 0.5)


def _expectation(days: Numbers) -> tuple[float, float, float]:
    """What a next day is expected to be, with its standard deviation and degrees of freedom."""
    weekday = np.arange(len(days), 0, -1) % WEEK  # the next day has 0
    known = ~np.isnan(days)
    same = known & (weekday == 0)
    if known.sum() >= 3 * WEEK and same.sum() >= 3:
        fitted = np.array([np.nanmean(days[weekday == weekday[place]]) for place in np.flatnonzero(known)])
        freedom = float(known.sum() - WEEK)
        deviation = math.sqrt(float(((days[known] - fitted) ** 2).sum()) / freedom)
        return float(days[same].mean()), deviation * math.sqrt(1 + 1 / same.sum()), freedom
    values = days[known]
    return float(values.mean()), float(values.std(ddof=1)) * math.sqrt(1 + 1 / len(values)), float(len(values) - 1)
