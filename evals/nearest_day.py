"""Whether the questions of a day are like those of some day before: by their vectors, or by what kind they are (pure)."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist

from evals.drift import Numbers, Reading, Rule, unmeasured

# Of the questions of a day: energy distances take the square of it.
COMPARED = 200
# Directions of most variance among the vectors of a time; more are mostly noise where there are a hundred questions a day.
DIRECTIONS = 20
# The share of all differences that is between two days rather than within them: less is of no use to anybody.
STRANGE = 0.02
Kinds = Mapping[str, int]


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
    nearest, limit = _beside_others(apart, rule, STRANGE)
    alarm = nearest > limit
    told = f"{len(today)} questions are {nearest:.3f} from those of the most similar day before (0: the same, 1: nothing in common)"
    told += f", usual up to {limit:.3f}"
    far = _farthest(today, np.concatenate(known), texts) if alarm else ()
    return Reading(name, "alarm" if alarm else "ok", told, nearest, None, None, None, examples=far)


def mixed(name: str, today: Kinds, days: Sequence[Kinds], rule: Rule, matters: float, what: str) -> Reading:
    """Whether the questions of a day are of other kinds than those of each of the days before.

    The total variation distance between two days is the share of questions that would have to be of another kind for the days to be
    alike; that to the nearest day is compared with how far each earlier day is from its nearest. And it must be beyond the chance of
    today's questions: Fisher's exact test of the kinds that grew, which a day with few questions rarely passes.

    Args:
        name: of the monitor.
        today: how many questions are of each kind.
        days: those of the days before.
        rule: how sure it must be.
        matters: the least distance that matters.
        what: they are, for people.
    """
    known = [day for day in days if sum(day.values()) >= rule.questions]
    if (count := sum(today.values())) < rule.questions:
        return unmeasured(name, f"{count} {what} are known of today, {rule.questions} are needed")
    if len(known) < rule.days:
        return unmeasured(name, f"{len(known)} days have {rule.questions} {what}, {rule.days} are needed to tell an unusual one")
    apart = np.array([[shift(one, other) for other in (today, *known)] for one in (today, *known)])
    np.fill_diagonal(apart, math.inf)
    nearest, limit = _beside_others(apart, rule, matters)
    before = Counter[str]()
    for day in known:
        before.update(day)
    grown, p = _grown(today, before)
    alarm = nearest > limit and p <= rule.level
    told = f"{nearest:.0%} of {count} {what} are others than on the most similar day before, usual up to {limit:.0%}"
    said = tuple(f"{kind}: {today[kind] / count:.0%} of the {what}, {before[kind] / before.total():.0%} before" for kind in grown)
    return Reading(name, "alarm" if alarm else "ok", told, nearest, None, None, p, examples=said if alarm else ())


def shift(one: Kinds, other: Kinds) -> float:
    """The total variation distance of two mixtures: 0 is the same, 1 nothing in common; nan where one is empty."""
    of, beside = sum(one.values()), sum(other.values())
    if not of or not beside:
        return math.nan
    return sum(abs(one.get(kind, 0) / of - other.get(kind, 0) / beside) for kind in one.keys() | other.keys()) / 2


def _grown(today: Kinds, before: Kinds) -> tuple[list[str], float]:
    """The kinds of which there is a larger share today, the most grown first, and how likely chance makes theirs as large."""
    count, of = sum(today.values()), sum(before.values())
    grown = sorted((kind for kind in today if today[kind] * of > before.get(kind, 0) * count), key=lambda kind: (-today[kind], kind))
    here, there = (sum(each.get(kind, 0) for kind in grown) for each in (today, before))
    table = np.array([[here, count - here], [there, of - there]])
    return grown, float(stats.fisher_exact(table, alternative="greater").pvalue)


def _beside_others(apart: Numbers, rule: Rule, least: float) -> tuple[float, float]:
    """How far today (the first of the days) is from its nearest, and how far at most such a day usually is from its own.

    Args:
        apart: the distances between days, shape (days, days); infinite of each to itself.
        rule: how sure it must be.
        least: the least distance that says anything.
    """
    nearest, usual = apart[0].min(), apart[1:, 1:].min(axis=1)
    reach = float(stats.t.ppf(1 - rule.level, len(usual) - 1)) * usual.std(ddof=1) * math.sqrt(1 + 1 / len(usual))
    return float(nearest), max(float(usual.mean()) + reach, 1.5 * float(usual.max()), least)


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
