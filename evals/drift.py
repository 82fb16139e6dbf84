"""Whether retrieval got worse, and whether people ask otherwise than before, told from chance (pure)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.spatial.distance import cdist

from evals.intervals import Interval, mean_interval

State = Literal["ok", "alarm", "unmeasured"]
Side = Literal["high", "low"]
Numbers = npt.NDArray[np.float64]
WEEK = 7
BATCH = 500  # resamples at once: memory stays bounded
# Of the questions of a day: energy distances take the square of it.
COMPARED = 200
# Directions of most variance among the vectors of a time; more are mostly noise where there are a hundred questions a day.
DIRECTIONS = 20
# The share of all differences that is between two days rather than within them: less is of no use to anybody.
STRANGE = 0.02


@dataclass(frozen=True, slots=True)
class Rule:
    """When there is an alarm: a change must be beyond chance, and so large that it matters.

    All monitors share the false alarms of a year, and every day asks them anew (Bonferroni). Looking more often at the same
    questions and the same days is not counted: what is looked at is the same.

    Attributes:
        false_alarms: of all monitors together in a year in which nothing happens.
        monitors: how many there are.
        matters: the fall that matters, as a share of the value before.
        questions: fewer say nothing about a fall.
        days: fewer say nothing about a day.
        power: how often a fall is to be seen that is called detectable.
        resamples: of a permutation test.
        seed: of it; the same values give the same reading.
    """

    false_alarms: float = 1.0
    monitors: int = 13
    matters: float = 0.05
    questions: int = 30
    days: int = 7
    power: float = 0.9
    resamples: int = 20_000
    seed: int = 1

    @property
    def level(self) -> float:
        """How likely one monitor may raise a false alarm on one day."""
        return self.false_alarms / (365 * self.monitors)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one monitor says.

    Attributes:
        name: of the monitor.
        state: "unmeasured" when there is too little to say anything.
        detail: in a sentence, with its numbers.
        effect: the change; of a fall as a share of the value before, else in the unit of what is watched.
        low, high: its 95 % interval.
        p: how likely chance alone does as much; None where that is not how it is told.
        detectable: the smallest fall that would be seen, as a share of the value before.
        examples: that people can read.
    """

    name: str
    state: State
    detail: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    detectable: float | None = None
    examples: tuple[str, ...] = ()


def unmeasured(name: str, why: str) -> Reading:
    """A monitor that can't say anything."""
    return Reading(name, "unmeasured", why)


def fallen(name: str, now: Mapping[str, float], before: Mapping[str, float], rule: Rule) -> Reading:
    """Whether the values of the same questions (by id; higher is better) fell.

    A sign-flip permutation test of the paired differences: had nothing changed, each could as well be the other way round
    (Good, Permutation Tests, 2000). It needs no distribution: most questions do not change at all, and some change fully.
    """
    shared = sorted(now.keys() & before.keys())
    if len(shared) < rule.questions:
        return unmeasured(name, f"{len(shared)} questions were measured both now and before, {rule.questions} are needed")
    deltas = np.array([now[question] - before[question] for question in shared])
    was = float(np.mean([before[question] for question in shared]))
    if was <= 0:
        return unmeasured(name, "nothing was found before")
    interval = mean_interval(list(deltas))
    effect, low, high = (float(value or 0.0) / was for value in (interval.mean, interval.low, interval.high))
    p = sign_flip(deltas, rule)
    detectable = _detectable(deltas, was, rule)
    told = f"{was:.3f} -> {was * (1 + effect):.3f} ({effect:+.1%}) on {len(shared)} questions"
    alarm = effect <= -rule.matters and p <= rule.level
    if not alarm:
        told = f"{told}; a fall of {detectable:.0%} would be seen"
    lost = sorted((question for question in shared if now[question] < before[question]), key=lambda each: now[each] - before[each])
    return Reading(name, "alarm" if alarm else "ok", told, effect, low, high, p, detectable, tuple(lost[:5]))


def fallen_lately(name: str, lately: Sequence[Mapping[str, float]], before: Mapping[str, float], rule: Rule) -> Reading:
    """Whether the values fell, by the newest evaluation alone or, where each asks other questions, by all of the last ones together.

    Args:
        name: of the monitor.
        lately: the values of the last evaluations by question, the newest last; the newest value of a question counts.
        before: what they are compared with.
        rule: how sure it must be; where there are two ways to an alarm, each has half of its chances.
    """
    if not lately:
        return unmeasured(name, "nothing was evaluated yet")
    together = {question: value for values in lately for question, value in values.items()}
    ways = [lately[-1]] if together.keys() == lately[-1].keys() else [lately[-1], together]
    shared = replace(rule, monitors=rule.monitors * len(ways))
    found = [fallen(name, now, before, shared) for now in ways]
    return next((reading for reading in found if reading.state == "alarm"), found[0] if found[0].state != "unmeasured" else found[-1])


def sign_flip(deltas: Numbers, rule: Rule) -> float:
    """How likely a mean as low as that of the differences is when each sign is a matter of chance."""
    if deltas.mean() >= 0:
        return 1.0
    # What did not change has no sign, and only takes time.
    changed = deltas[deltas != 0]
    if len(changed) == 1:
        return 0.5
    found = stats.permutation_test(
        (changed,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        alternative="less",
        n_resamples=rule.resamples,
        batch=BATCH,
        rng=np.random.default_rng(rule.seed),
    )
    return float(found.pvalue)


def unusual(
    name: str, today: float, days: Sequence[float], side: Side, rule: Rule, matters: float, what: str, of: Sequence[int] | None = None
) -> Reading:
    """Whether the value of a day is out of what the days before let expect.

    A prediction interval (Hahn and Meeker, Statistical Intervals, 1991): days differ by more than the chance of their questions,
    and by the day of the week where there are three weeks to know it from.

    Args:
        name: of the monitor.
        today: the value of the newest day.
        days: those of the days before, in their order, without gaps; nan where nothing was measured.
        side: on which side a value is bad.
        rule: how sure it must be.
        matters: the least change that matters, in the unit of the values.
        what: the values are, for people.
        of: where the values are shares of questions, of how many, today last: few may be many times their usual share by chance.
    """
    known = sum(not math.isnan(value) for value in days)
    if math.isnan(today):
        return unmeasured(name, f"too little was asked today to tell {what}")
    if known < rule.days:
        return unmeasured(name, f"{known} days are known, {rule.days} are needed to tell an unusual one")
    expected, spread, freedom = _expectation(np.asarray(days, np.float64))
    effect = today - expected
    limit = float(stats.t.ppf(1 - rule.level, freedom)) * spread
    reach = float(stats.t.ppf(0.975, freedom)) * spread
    beyond = effect if side == "high" else -effect
    p = float(stats.t.sf(beyond / spread, freedom)) if spread else float(beyond <= 0)
    if of is not None:
        chance = _predicted(days, of)
        limit = max(limit, float(chance.isf(rule.level)) / of[-1] - expected)
        p = max(p, float(chance.sf(round(today * of[-1]) - 1)))
    alarm = beyond > limit and beyond >= matters
    bound = max(limit, matters)
    told = f"{what}: {today:.3f}, expected {expected:.3f}, usual {'up to' if side == 'high' else 'down to'} "
    told += f"{expected + bound if side == 'high' else expected - bound:.3f}"
    return Reading(name, "alarm" if alarm else "ok", told, effect, effect - reach, effect + reach, p)


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


def strange(name: str, today: Numbers, days: Sequence[Numbers], rule: Rule, texts: Sequence[str] = ()) -> Reading:
    """Whether the questions of a day are like those of none of the days before.

    The energy distance (Székely and Rizzo, 2013) between two days' questions says how different they are; that to the nearest day
    is compared with how far each earlier day is from its nearest. So a Sunday may differ from a Monday, as long as there was such
    a Sunday; no assumption is made about what people ask.

    Args:
        name: of the monitor.
        today: vectors of the questions, shape (questions, dimensions).
        days: those of the days before.
        rule: how sure it must be.
        texts: the questions of today, for examples.
    """
    known = [day[-COMPARED:] for day in days if len(day) >= rule.questions]
    if len(today) < rule.questions:
        return unmeasured(name, f"{len(today)} questions came today, {rule.questions} are needed")
    if len(known) < rule.days:
        return unmeasured(name, f"{len(known)} days have {rule.questions} questions, {rule.days} are needed to tell an unusual one")
    apart = _energies(_reduced([today[-COMPARED:], *known]))
    nearest, usual = apart[0].min(), apart[1:, 1:].min(axis=1)
    limit = usual.mean() + float(stats.t.ppf(1 - rule.level, len(usual) - 1)) * usual.std(ddof=1) * math.sqrt(1 + 1 / len(usual))
    limit = max(limit, 1.5 * float(usual.max()), STRANGE)
    alarm = nearest > limit
    told = f"{len(today)} questions are {nearest:.3f} from those of the most similar day before (0: the same, 1: nothing in common)"
    told += f", usual up to {limit:.3f}"
    far = _farthest(today, np.concatenate(known), texts) if alarm else ()
    return Reading(name, "alarm" if alarm else "ok", told, float(nearest), None, None, None, examples=far)


def _energies(days: Sequence[Numbers]) -> Numbers:
    """The energy distance between each two samples, shapes (n, d), as a share from 0 (one population) to 1; infinite to themselves.

    Can be just below 0, for it is not biased: a sample's points are not compared with themselves.
    """
    within = [cdist(day, day).sum() / (len(day) * (len(day) - 1)) for day in days]
    apart = np.full((len(days), len(days)), np.inf)
    for one, other in combinations(range(len(days)), 2):
        between = cdist(days[one], days[other]).mean()
        apart[one, other] = apart[other, one] = (between - (within[one] + within[other]) / 2) / between if between else 0.0
    return apart


def _reduced(groups: Sequence[Numbers]) -> list[Numbers]:
    """The vectors of all groups in the directions in which they differ most."""
    everything = np.concatenate(groups).astype(np.float64)
    centred = everything - everything.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)  # in the order of growing variance
    reduced = centred @ directions[:, -DIRECTIONS:]
    return list(np.split(reduced, np.cumsum([len(group) for group in groups])[:-1]))


def _farthest(today: Numbers, before: Numbers, texts: Sequence[str]) -> tuple[str, ...]:
    """The questions that are least like any question before."""
    if len(texts) != len(today):
        return ()
    nearest = (today @ before.T).max(axis=1)
    return tuple(dict.fromkeys(texts[place] for place in np.argsort(nearest)))[:5]


def below(name: str, found: Interval, target: float, what: str) -> Reading:
    """Whether a measured share is surely below its target; the interval is that of the measurement."""
    if found.mean is None or found.low is None or found.high is None:
        return unmeasured(name, f"{what} was not measured")
    told = f"{what} {found.mean:.3f} ({found.low:.3f} to {found.high:.3f}), target {target}"
    state: State = "alarm" if found.high < target else "ok"
    return Reading(name, state, told, found.mean - target, found.low - target, found.high - target)


def fewer(name: str, now: tuple[int, int], before: tuple[int, int], rule: Rule, what: str) -> Reading:
    """Whether a share (how many, of how many) is smaller than before: Fisher's exact test, and Newcombe's interval of the difference."""
    if min(now[1], before[1]) < rule.questions:
        return unmeasured(name, f"{what}: {now[1]} now and {before[1]} before, {rule.questions} of each are needed")
    share, was = now[0] / now[1], before[0] / before[1]
    table = np.array([[now[0], now[1] - now[0]], [before[0], before[1] - before[0]]])
    p = float(stats.fisher_exact(table, alternative="less").pvalue)
    low, high = _newcombe(now, before)
    alarm = p <= rule.level and was - share >= rule.matters
    return Reading(name, "alarm" if alarm else "ok", f"{what}: {was:.0%} -> {share:.0%} of {now[1]}", share - was, low, high, p)


def _newcombe(now: tuple[int, int], before: tuple[int, int]) -> tuple[float, float]:
    """The 95 % interval of the difference of two shares, from Wilson's of each (Newcombe, 1998)."""
    one, other = (stats.binomtest(*each).proportion_ci(method="wilson") for each in (now, before))
    share, was = now[0] / now[1], before[0] / before[1]
    difference = share - was
    low = difference - math.hypot(share - one.low, other.high - was)
    return low, difference + math.hypot(one.high - share, was - other.low)


def _detectable(deltas: Numbers, was: float, rule: Rule) -> float:
    """The fall, as a share of the value before, that would be seen with the power of the rule, given how the differences vary.

    Where nothing varies it is the share of questions that must lose all: with fewer no permutation is rare enough.
    """
    reach = float(stats.norm.ppf(1 - rule.level) + stats.norm.ppf(rule.power))
    by_spread = reach * float(deltas.std(ddof=1)) / math.sqrt(len(deltas)) / was
    return max(rule.matters, by_spread, math.ceil(-math.log2(rule.level)) / len(deltas))
