"""Whether one release may take the place of another, by what the same questions find on both (pure)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import stats

BATCH = 500  # resamples at once: memory stays bounded however many questions there are


class Verdict(StrEnum):
    """What the questions say of the candidate."""

    PROMOTE = "promote"
    HOLD = "hold"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a candidate is good enough.

    A test of non-inferiority, paired by question (Piaggio and others, JAMA 308, 2012), that asks for more than 95 % certainty
    because a gate is passed often.

    Attributes:
        matters: the loss that must not go live, as a share of the live score.
        promoted_in_error: how often a candidate that loses as much may be promoted.
        held_in_error: how often one that loses nothing may be held.
        power: how often an effect is to be seen that is called detectable.
        questions: fewer decide nothing.
        resamples: of the bootstrap.
        seed: of the bootstrap; the same questions give the same verdict.
    """

    matters: float = 0.05
    promoted_in_error: float = 0.0045
    held_in_error: float = 0.003
    power: float = 0.8
    questions: int = 30
    resamples: int = 10_000
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict with its numbers; those that can't be computed are None.

    Attributes:
        verdict: what follows.
        questions: that both were measured on.
        seed: of the bootstrap.
        live, candidate: the mean scores on these questions.
        delta: the mean of candidate - live.
        low: it is no less than this, but for `promoted_in_error`.
        high: it is no more than this, but for `held_in_error`.
        margin: the loss that matters, in the unit of the score.
        detectable: the smallest loss that so many questions tell from none.
        needed: questions that would do to detect a loss of the margin.
    """

    verdict: Verdict
    questions: int
    seed: int
    live: float | None = None
    candidate: float | None = None
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    detectable: float | None = None
    needed: int | None = None

    def __str__(self) -> str:
        """In a sentence."""
        if self.delta is None:
            return f"{self.verdict}: {self.questions} questions in common, at least {self.needed} are needed"
        told = (
            f"{self.verdict}: {self.live:.3f} -> {self.candidate:.3f} ({self.delta:+.3f}, at least {self.low:+.3f}, at most "
            f"{self.high:+.3f}) on {self.questions} questions; a loss of {self.margin:.3f} matters"
        )
        if self.verdict is not Verdict.INCONCLUSIVE or self.needed is None:
            return told
        return f"{told}, one of {self.detectable:.3f} can be told from none; it would take {self.needed} questions"


def judged(candidate: Mapping[str, float], live: Mapping[str, float], rule: Rule | None = None) -> Judgement:
    """What the values per question (by its id; higher is better) of a candidate say beside those of the live release.

    Promoted when a loss that matters is all but ruled out; else held when a loss is all but certain; else inconclusive. Where
    chance alone spans more than the margin nothing is promoted but what is surely better: a lucky draw would be.
    """
    rule = rule or Rule()
    shared = sorted(candidate.keys() & live.keys())
    if len(shared) < rule.questions:
        return Judgement(Verdict.INCONCLUSIVE, len(shared), rule.seed, needed=rule.questions)
    theirs = np.array([live[question] for question in shared])
    deltas = np.array([candidate[question] for question in shared]) - theirs
    low, high = _bounds(deltas, rule)
    error = float(deltas.std(ddof=1)) / math.sqrt(len(deltas))
    margin = rule.matters * float(theirs.mean())
    detectable = float(stats.norm.isf(rule.promoted_in_error) + stats.norm.ppf(rule.power)) * error
    delta = float(deltas.mean())
    return Judgement(
        verdict=_verdict(low, high, margin, delta),
        questions=len(shared),
        seed=rule.seed,
        live=float(theirs.mean()),
        candidate=float(theirs.mean()) + delta,
        delta=delta,
        low=low,
        high=high,
        margin=margin,
        detectable=detectable,
        needed=math.ceil(len(deltas) * (detectable / margin) ** 2) if margin else None,
    )


def _verdict(low: float, high: float, margin: float, delta: float) -> Verdict:
    if low > 0 or (low > -margin and delta - low <= margin) or low == delta == 0:
        return Verdict.PROMOTE
    return Verdict.HOLD if high < 0 else Verdict.INCONCLUSIVE


def _bounds(deltas: npt.NDArray[np.float64], rule: Rule) -> tuple[float, float]:
    """What the mean is at least and at most, each but for its error: percentiles of the means of resamples."""
    if deltas.min() == deltas.max():  # nothing varies, so no resample would
        return float(deltas[0]), float(deltas[0])
    means = stats.bootstrap(
        (deltas,), np.mean, n_resamples=rule.resamples, method="percentile", batch=BATCH, rng=np.random.default_rng(rule.seed)
    ).bootstrap_distribution
    low, high = np.quantile(means, (rule.promoted_in_error, 1 - rule.held_in_error))
    return float(low), float(high)
