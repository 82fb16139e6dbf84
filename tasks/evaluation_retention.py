"""Which evaluations stay whole, of which the scores alone, and which go (pure)."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from index.evaluations import Evaluation
from index.releases import Event

# Drift compares with the 29 days before.
WHOLE = timedelta(days=30)
DAILY = timedelta(days=730)
# Releases that a picture of scores shows of a metric.
PICTURED = 60


@dataclass(frozen=True, slots=True)
class Outdated:
    """The ids of evaluations that go, and of those that lose what they say of each question."""

    gone: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()


def outdated(evaluations: Iterable[Evaluation], proofs: Collection[str], now: datetime) -> Outdated:
    """What is not kept whole: all but `proofs`, those of the last 30 days, and any that has not ended.

    Of the others the scores stay of one a day and golden set (what measured most, the newest of those) for two years, and of the
    newest of a release, where it is among the last 60 releases on which the same metrics were measured on that set.
    """
    ended = [each for each in evaluations if each.state in ("completed", "failed")]
    old = [each for each in ended if now - each.ended_at > WHOLE and each.id not in proofs]
    completed = [each for each in old if each.state == "completed"]
    shown = _daily(each for each in completed if now - each.ended_at <= DAILY) | _pictured(ended)
    return Outdated(
        gone=tuple(each.id for each in old if each.id not in shown),
        bare=tuple(each.id for each in old if each.id in shown),
    )


def proofs_needed(events: Sequence[Event], servable: Iterable[int]) -> set[str]:
    """The evaluations that a release which can still be served, or the next one, may be compared with: the newest proof before each."""
    proofs = {event.release: event.detail.get("evaluation", "") for event in events if event.kind == "proven"}
    releases, numbers = sorted(proofs), sorted(servable)
    later = [*numbers, numbers[-1] + 1] if numbers else []
    places = {bisect_left(releases, number) - 1 for number in later} - {-1}
    return {proofs[releases[place]] for place in places}


def _daily(evaluations: Iterable[Evaluation]) -> set[str]:
    """The fullest of each day and golden set."""
    best: dict[tuple[str, date], Evaluation] = {}
    for each in evaluations:
        key = (each.dataset, each.ended_at.date())
        best[key] = max(best.get(key, each), each, key=_fullness)
    return {each.id for each in best.values()}


def _fullness(evaluation: Evaluation) -> tuple[int, int, datetime]:
    return len(evaluation.scores), max((score.of for score in evaluation.scores), default=0), evaluation.ended_at


def _pictured(evaluations: Iterable[Evaluation]) -> set[str]:
    """The newest of each of the last releases, by golden set and what was measured."""
    newest: dict[tuple[str, frozenset[str]], dict[int, Evaluation]] = defaultdict(dict)
    for each in sorted(evaluations, key=lambda each: each.ended_at):
        if each.state == "completed":
            newest[each.dataset, frozenset(score.metric for score in each.scores)][each.release] = each
    last = (sorted(of.values(), key=lambda each: each.ended_at)[-PICTURED:] for of in newest.values())
    return {each.id for some in last for each in some}
