"""How well a judge's decisions agree: with the truth, with each other, and with those of its exam before (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.metrics import cohen_kappa_score

CONFIDENCE = 0.95
RESAMPLES = 5_000
SEED = 1
# Of the two tests for a change together; an exam is held each week.
CHANGED_IN_ERROR = 0.01
Decisions = Mapping[str, Sequence[bool | None]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, of so many; all None when there were none."""

    value: float | None
    low: float | None
    high: float | None
    of: int


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was made, what it should have been, and the pair that it belongs to."""

    pair: str
    truth: bool
    decision: bool


def accuracy(decided: Sequence[Decided]) -> Estimate:
    """The share that is right, with Wilson's interval."""
    if not decided:
        return Estimate(None, None, None, 0)
    right = sum(each.decision == each.truth for each in decided)
    interval = stats.binomtest(right, len(decided)).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(right / len(decided), float(interval.low), float(interval.high), len(decided))


def kappa(decided: Sequence[Decided]) -> Estimate:
    """Cohen's kappa with the truth (Cohen 1960): 0 is chance, 1 is perfect; a bootstrap over pairs gives the interval.

    Where nothing varies no resample would: then what Wilson's interval of the accuracy comes to, were both answers as frequent.
    """
    if len({each.truth for each in decided}) < 2:
        return Estimate(None, None, None, len(decided))
    value = float(cohen_kappa_score([each.truth for each in decided], [each.decision for each in decided]))
    share = accuracy(decided)
    if share.value in (0.0, 1.0):
        return Estimate(value, 2 * float(share.low or 0) - 1, 2 * float(share.high or 0) - 1, len(decided))
    found = stats.bootstrap(
        tuple(_counts(decided).T),
        _kappa,
        paired=True,
        vectorized=True,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Estimate(value, float(found.low), float(found.high), len(decided))


def repeatability(decisions: Decisions) -> Estimate:
    """The share of questions asked twice that were decided alike, with Wilson's interval."""
    twice = _twice(decisions)
    if not twice:
        return Estimate(None, None, None, 0)
    alike = sum(first == second for first, second in twice)
    interval = stats.binomtest(alike, len(twice)).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(alike / len(twice), float(interval.low), float(interval.high), len(twice))


@dataclass(frozen=True, slots=True)
class Position:
    """What the order of two texts does to their comparison, over the pairs that were compared in both orders.

    Attributes:
        bias: from -1 (always the second, whichever it is) to 1 (always the first); 0 where neither is favoured. None: none compared.
        consistent: the share of pairs whose better one was the same in both orders.
        right: the share of all comparisons that were right.
        of: pairs.
    """

    bias: float | None
    consistent: float | None
    right: float | None
    of: int


def position(both: Sequence[tuple[bool, bool]]) -> Position:
    """Of pairs: whether the first was chosen when the right one stood first, and when the wrong one did."""
    if not both:
        return Position(None, None, None, 0)
    firsts = sum(right_first and wrong_first for right_first, wrong_first in both)
    seconds = sum(not right_first and not wrong_first for right_first, wrong_first in both)
    right = sum(right_first + (not wrong_first) for right_first, wrong_first in both)
    of = len(both)
    return Position((firsts - seconds) / of, 1 - (firsts + seconds) / of, right / (2 * of), of)


def change(before: Decisions, after: Decisions, truths: Mapping[str, bool]) -> str | None:
    """How a judge behaves otherwise than in the exam before, if it surely does; by the questions that both have.

    Two tests, together in error once in a hundred: whether it is right more or less often (McNemar 1947, exact), and whether the two
    exams differ more than the judge differs from itself when asked twice in one (Fisher's exact test).
    """
    shared = {name: (before[name][0], after[name][0]) for name in before.keys() & after.keys() & truths.keys()}
    pairs = {name: (old, new) for name, (old, new) in shared.items() if old is not None and new is not None}
    worse = sum(old == truths[name] != new for name, (old, new) in pairs.items())
    better = sum(new == truths[name] != old for name, (old, new) in pairs.items())
    threshold = CHANGED_IN_ERROR / 2
    if worse + better and stats.binomtest(worse, worse + better).pvalue < threshold:
        verb = "worse" if worse > better else "better"
        return f"it judges {verb} than in its last exam: of {len(pairs)} decisions {worse} are wrong that were right, {better} the reverse"
    apart = [first != second for decisions in (before, after) for first, second in _twice(decisions)]
    table = np.array([[worse + better, len(pairs) - worse - better], [sum(apart), len(apart) - sum(apart)]])
    if pairs and apart and stats.fisher_exact(table, alternative="greater").pvalue < threshold:
        return (
            f"it judges otherwise than in its last exam: {worse + better} of {len(pairs)} decisions differ, "
            f"but only {sum(apart)} of {len(apart)} when it is asked twice in one exam"
        )
    return None


def _twice(decisions: Decisions) -> list[tuple[bool, bool]]:
    """The first two decisions of what was decided twice."""
    return [(given[0], given[1]) for given in decisions.values() if len(given) > 1 and given[0] is not None and given[1] is not None]


def _counts(decided: Sequence[Decided]) -> npt.NDArray[np.float64]:
    """For each pair: how often (truth, decision) was (yes, yes), (yes, no), (no, yes), (no, no)."""
    names = sorted({each.pair for each in decided})
    counts = np.zeros((len(names), 4))
    for each in decided:
        counts[names.index(each.pair), 2 * (not each.truth) + (not each.decision)] += 1
    return counts


def _kappa(*counts: npt.NDArray[np.float64], axis: int = -1) -> npt.NDArray[np.float64]:
    both, missed, wrong, neither = (count.sum(axis=axis) for count in counts)
    total = both + missed + wrong + neither
    agreed = (both + neither) / total
    by_chance = ((both + missed) * (both + wrong) + (wrong + neither) * (missed + neither)) / total**2
    return np.where(by_chance < 1, (agreed - by_chance) / np.where(by_chance < 1, 1 - by_chance, 1), 0.0)
