"""What a monitor says and by which rule, and whether known questions or shares fell, told from chance (pure)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from evals.intervals import Interval, mean_interval

State = Literal["ok", "alarm", "unmeasured"]
Numbers = npt.NDArray[np.float64]
BATCH = 500  # resamples at once: memory stays bounded


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
    monitors: int = 16
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
