"""What was measured in the last weeks, day by day, as the monitors want it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from evals import dataset
from evals.asked import Day
from evals.corpus import Corpus, compared
from evals.prove import values_of
from index.canaries import CanaryRun
from index.evaluations import Evaluation
from index.search import View
from index.store import Store
from index.timeline import Timeline
from tasks.language import language_of

DAYS = 28
DAY = timedelta(days=1)
# Evaluations that are one picture: each may have asked a sample of its own.
LATELY = 3
# Runs of canaries that are one picture: a run may ask some of them only.
ROUND = timedelta(hours=1)
# An evaluation picks the live release when it starts; with a batch a second it is not live any more soon after.
STARTING = timedelta(minutes=10)
# A check comes some seconds sooner or later than the one of the day before.
SOON = timedelta(minutes=10)
# Passages whose language is looked at: a tenth of a second.
SAMPLE = 1_000
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """Known questions at one time: the value of each (higher is better), and those whose passage was gone."""

    at: datetime
    release: int
    values: Values
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Course:
    """Known questions over time.

    Attributes:
        lately: the last measurements, the newest last; empty when there was none for a day.
        before: the earlier ones, one a day.
        gone: by day, which share of the questions lost its passage; the last is of today, nan is not known.
    """

    lately: Sequence[Measured] = ()
    before: Sequence[Measured] = ()
    gone: Sequence[float] = field(default=())

    @property
    def means(self) -> Values:
        """The mean value of each question before."""
        found: dict[str, list[float]] = {}
        for each in self.before:
            for question, value in each.values.items():
                found.setdefault(question, []).append(value)
        return {question: float(np.mean(values)) for question, values in found.items()}


def golden(store: Store, now: datetime, until: datetime | None = None) -> Course:
    """The golden questions of the last weeks, as they were evaluated on what was live; what came after `until` is not "before"."""
    done = [each for each in store.evaluations.all() if each.state == "completed" and each.dataset == dataset.DEFAULT]
    timeline = store.log.timeline()
    fitting = [each for each in done if now - (DAYS + 1) * DAY <= each.ended_at <= now and was_live(timeline, each)]
    newest = sorted(fitting, key=lambda each: each.ended_at)[-LATELY:]
    if not newest or now - newest[-1].ended_at > DAY:
        return Course()
    one_a_day = {(now - each.ended_at) // DAY: each for each in sorted(fitting, key=lambda each: each.ended_at)}
    lately = [_of_evaluation(store, each) for each in newest if now - each.ended_at <= DAY]
    daily = [(age, _of_evaluation(store, each)) for age, each in sorted(one_a_day.items(), reverse=True)]
    ends = min(lately[0].at, until or now)
    before = [each for _, each in daily if each.at < ends]
    if not before:
        # The first day: what was evaluated before the newest is all that there is to compare with.
        lately, ends = lately[-1:], min(lately[-1].at, until or now)
        before = [_of_evaluation(store, each) for each in newest if each.ended_at < ends]
    return Course(lately, before, _gone({**dict(daily), 0: lately[-1]}))


def canaries(store: Store, now: datetime, until: datetime | None = None) -> Course:
    """The canaries of the last weeks."""
    runs = store.canary_runs.between(now - (DAYS + 1) * DAY, now)
    asked = {canary.id for canary in store.canaries.all()}
    lately = [run for run in runs if now - run.at <= ROUND]
    if not lately:
        return Course()
    ends = min(now - ROUND, until or now)
    by_day: dict[int, list[CanaryRun]] = {}
    for run in runs:
        by_day.setdefault((now - run.at) // DAY, []).append(run)
    daily = {age: _of_runs([run for run in day if run.at < ends] if age == 0 else day) for age, day in by_day.items()}
    before = [each for _, each in sorted(daily.items(), reverse=True) if each and each.at < ends]
    newest = _of_runs(lately)
    known = {age: each for age, each in daily.items() if each} | ({0: newest} if newest else {})
    return Course([newest] if newest else [], before, _dropped(known, asked))


def days(store: Store, now: datetime, embedder: str, dimensions: int) -> list[Day]:
    """The questions that people asked in the last weeks, 24 hours a day, today last; vectors are those of this embedder."""
    asked = store.queries.between(now - (DAYS + 1) * DAY, now)
    ages = np.array([(now - at) // DAY for at in asked["at"].to_pylist()], int)
    found = [_day(asked.filter(pa.array(ages == age)), embedder, dimensions) for age in range(DAYS, -1, -1)]
    first = next((place for place, day in enumerate(found) if day.texts), len(found))
    return found[first:]


def corpora(store: Store, now: datetime, today: Corpus | None) -> list[Corpus | None]:
    """What became of the documents, day by day, as each day's last check that is a whole day or more ago found it; today last."""
    checks = store.drift.between(now - (DAYS + 1) * DAY, now - DAY + SOON)
    by_day = {(now - at + SOON) // DAY: Corpus.from_json(report["corpus"]) for at, report in checks if report.get("corpus")}
    oldest = max(by_day, default=0)
    return [*(by_day.get(age) for age in range(oldest, 0, -1)), today]


def documents(store: Store, view: View, now: datetime) -> Corpus | None:
    """The documents of a release beside what was live a day before; None where that is not kept any more, or there was nothing."""
    before = store.log.timeline().at(now - DAY)
    kept = store.ledger.tagged()
    then = next((release for release in store.log.kept() if release.number <= before and release.number in kept), None)
    if then is None or view.release.number not in kept:
        return None
    was, is_ = (store.ledger.contents(each.ledger_version) for each in (then, view.release))
    told = map(language_of, view.sample_texts(SAMPLE)) if view.release.rows else ()
    return compared(was, is_, Counter(language for language in told if language))


def was_live(timeline: Timeline, evaluation: Evaluation) -> bool:
    """Whether the release was live while it was evaluated, or a little before."""
    return evaluation.release in timeline.between(evaluation.started_at - STARTING, evaluation.ended_at)


def _of_evaluation(store: Store, evaluation: Evaluation) -> Measured:
    whole = store.evaluations.get(evaluation.id) or evaluation
    gone = frozenset(row["id"] for row in whole.questions if row["stale"])
    return Measured(evaluation.ended_at, evaluation.release, values_of(whole), gone)


def _of_runs(runs: Sequence[CanaryRun]) -> Measured | None:
    """The newest value of each canary."""
    if not runs:
        return None
    values = {canary: rank for run in runs for canary, rank in zip(run.canaries, run.ranks, strict=True)}
    gone = frozenset(canary for canary, rank in values.items() if np.isnan(rank))
    return Measured(runs[-1].at, runs[-1].release, {name: rank for name, rank in values.items() if name not in gone}, gone)


def _gone(daily: Mapping[int, Measured]) -> list[float]:
    """By day, which share of the questions has no passage any more that it had the day before."""

    def share(was: Measured, now: Measured) -> float:
        return len(now.gone & was.values.keys()) / len(was.values) if was.values else float("nan")

    return list(_by_day(daily, share))


def _dropped(daily: Mapping[int, Measured], asked: set[str]) -> list[float]:
    """The same of canaries: one whose passage is gone is not asked any more, and another takes its place."""

    def share(was: Measured, now: Measured) -> float:
        lost = {name for name in was.values if name not in now.values and name not in asked}
        return len(lost) / len(was.values) if was.values else float("nan")

    return list(_by_day(daily, share))


def _by_day(daily: Mapping[int, Measured], share: Callable[[Measured, Measured], float]) -> Iterator[float]:
    """`share` of each day and the last one before it on which there was something, oldest first; nan where there is nothing."""
    oldest = max(daily, default=0)
    for age in range(oldest - 1, -1, -1):
        before = [other for other in daily if other > age]
        yield share(daily[min(before)], daily[age]) if age in daily and before else float("nan")


def _day(asked: pa.Table, embedder: str, dimensions: int) -> Day:
    rows = asked.select(["text", "vector", "embedder", "best", "hits", "kind", "grounded", "unknown", "tokens", "language"]).to_pylist()
    known = [row for row in rows if row["vector"] is not None and row["embedder"] == embedder and len(row["vector"]) == dimensions]
    return Day(
        texts=[row["text"] for row in rows],
        vectors=np.array([row["vector"] for row in known], np.float64).reshape(-1, dimensions),
        best=np.array([np.nan if row["best"] is None else row["best"] for row in rows], np.float64),
        empty=np.array([row["hits"] == 0 for row in rows], np.float64),
        declined=np.array([not row["grounded"] for row in rows if row["kind"] == "answer"], np.float64),
        unknown=np.array([row["unknown"] for row in rows], np.float64),
        lengths=np.array([row["tokens"] or np.nan for row in rows], np.float64),
        languages=Counter(row["language"] for row in rows if row["language"]),
    )
