"""A check of everything that is watched: from what is stored to what people are told."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from evals import history
from evals.alarms import Check, Status, checked, from_json
from evals.asked import words_of_today
from evals.causes import Diagnosis, diagnosed
from evals.drift import Rule
from evals.forensics import Known, Scene
from evals.history import Course, Measured
from evals.intervals import Interval
from evals.watch import CANARIES, CANARY_PASSAGES, GOLDEN, GOLDEN_PASSAGES, RECALL, Facts, explained, readings
from index.embedder import Embedder
from index.golden import Passage
from index.reader import Reader
from index.search import View
from index.store import Store

FEEDBACK_NOW, FEEDBACK_BEFORE = timedelta(days=7), timedelta(days=84)
# What is measured each night is good for some days.
RECALL_IS_GOOD_FOR = timedelta(days=4)
# The rest is many questions with a little less each, as there are on any day.
MOST_OF_FALL = 0.8


@dataclass(frozen=True, slots=True)
class Watched:
    """One index and what is known of it: the courses of its known questions, and the facts that the monitors look at."""

    golden: Course
    canaries: Course
    facts: Facts


def look(store: Store, reader: Reader, embedder: Embedder, now: datetime, target: float, judge: str | None = None) -> Check:
    """One check of the live release, stored.

    Args:
        store: the index.
        reader: where releases are read.
        embedder: the one that made the live release.
        now: the end of today: the last 24 hours are compared with the days before.
        target: of recall.
        judge: what is said of the judge's last two exams; None: there are no two.
    """
    rule = Rule()
    view = reader.view()
    newest = store.drift.newest()
    before = from_json(newest[1]) if newest else {}
    seen = gathered(store, view, embedder, now, target, before, judge)
    found = readings(seen.facts, rule)
    alarms = {reading.name for reading in found if reading.state == "alarm"}
    losses = _losses(store, reader, embedder, view, seen) if alarms & {GOLDEN, GOLDEN_PASSAGES, CANARIES, CANARY_PASSAGES, RECALL} else None
    texts = _texts(store, seen)
    told = [replace(reading, examples=tuple(texts.get(each, each) for each in reading.examples)) for reading in found]
    words = words_of_today(seen.facts.days, seen.facts.in_corpus)
    findings = explained(told, losses, words)
    named = {finding.diagnosis.release for finding in findings if finding.diagnosis and finding.diagnosis.release}
    check = checked(before, findings, now, {number: store.log.get(number).created_at for number in named})
    today = seen.facts.corpus[-1]
    also = {"release": view.release.number, "best": best_day(seen), "corpus": today.as_json() if today else None}
    store.drift.write(now, check.as_json() | also)
    return check


def gathered(
    store: Store, view: View, embedder: Embedder, now: datetime, target: float, before: Mapping[str, Status], judge: str | None
) -> Watched:
    """What is stored, as the monitors want it. While there is an alarm, what came since is not what to compare with."""
    golden = history.golden(store, now, _since(before, (GOLDEN, GOLDEN_PASSAGES)))
    canaries = history.canaries(store, now, _since(before, (CANARIES, CANARY_PASSAGES)))
    facts = Facts(
        golden=([each.values for each in golden.lately], golden.means),
        golden_gone=golden.gone,
        canaries=([each.values for each in canaries.lately], canaries.means),
        canaries_gone=canaries.gone,
        corpus=history.corpora(store, now, history.documents(store, view, now)),
        recall=recall(store, now),
        recall_target=target,
        days=history.days(store, now, embedder.fingerprint, embedder.dimensions),
        feedback=_feedback(store, now),
        judge=judge,
        in_corpus=view.has_word,
        alarmed={name: (now - status.since).days for name, status in before.items() if status.state == "alarm" and status.since},
    )
    return Watched(golden, canaries, facts)


def best_day(seen: Watched) -> dict[str, Any] | None:
    """The best day of the known questions (of the golden ones, or without them of the canaries), beside now, on the same questions."""
    course = seen.golden if seen.golden.lately and seen.golden.before else seen.canaries
    if not (course.lately and course.before):
        return None
    now = {question: value for each in course.lately for question, value in each.values.items()}
    found = [_beside(each, now) for each in course.before if now.keys() & each.values.keys()]
    return max(found, key=lambda each: float(each["value"]) - float(each["now"]), default=None)


def _beside(then: Measured, now: Mapping[str, float]) -> dict[str, Any]:
    """The mean value of the same questions at a time and now."""
    shared = now.keys() & then.values.keys()
    was, value = (sum(values[question] for question in shared) / len(shared) for values in (then.values, now))
    return {"at": then.at, "release": then.release, "value": was, "now": value, "questions": len(shared)}


def recall(store: Store, now: datetime) -> Interval:
    """That of the approximate search, as it was measured last; nothing when that is long ago."""
    newest = store.recalls.newest()
    if newest is None or now - newest[0] > RECALL_IS_GOOD_FOR:
        return Interval(None, None, None)
    return Interval(*(newest[1][name] for name in ("mean", "low", "high")))


def note_recall(store: Store, now: datetime, found: Interval) -> None:
    """Keeps a measurement for the monitors."""
    store.recalls.write(now, asdict(found))


def _since(before: Mapping[str, Status], names: Sequence[str]) -> datetime | None:
    """When the first of these alarms began, if there is one."""
    open_ones = (before[name] for name in names if name in before and before[name].state == "alarm")
    return min((status.since for status in open_ones if status.since), default=None)


def _feedback(store: Store, now: datetime) -> tuple[tuple[int, int], tuple[int, int]]:
    """(useful, of all) of the last week, and of the weeks before."""
    spans = ((now - FEEDBACK_NOW, now), (now - FEEDBACK_BEFORE - FEEDBACK_NOW, now - FEEDBACK_NOW))
    said = [[each.useful for each in store.feedback.between(*span)] for span in spans]
    now_said, before_said = ((sum(each), len(each)) for each in said)
    return now_said, before_said


def _losses(store: Store, reader: Reader, embedder: Embedder, view: View, seen: Watched) -> Diagnosis | None:
    """What became of the known questions that find less than before, the golden ones first."""
    lost = [*_lost_golden(store, seen.golden), *_lost_canaries(store, seen.canaries)]
    if not lost:
        return None
    since = max((course.before[-1].release for course in (seen.golden, seen.canaries) if course.before), default=0)
    return diagnosed(Scene(reader, embedder, view.release, since, store.log.kept()).losses(lost))


def _lost_golden(store: Store, course: Course) -> list[Known]:
    rows = {row["id"]: row for each in _evaluations(store, course) for row in each}
    return [
        Known(question, rows[question]["question"], _passages(rows[question]), before, now)
        for question, before, now in _worst(course)
        if question in rows
    ]


def _lost_canaries(store: Store, course: Course) -> list[Known]:
    known = {canary.id: canary for canary in store.canaries.all()}
    return [
        Known(name, known[name].question, (Passage(known[name].doc_id, known[name].quote),), before, now)
        for name, before, now in _worst(course)
        if name in known
    ]


def _worst(course: Course) -> list[tuple[str, float, float]]:
    """The questions that make up most of the fall, with their values before and now; the largest losses first. Of what is gone, 0."""
    if not course.lately:
        return []
    now = {question: value for each in course.lately for question, value in each.values.items()}
    now |= dict.fromkeys(course.lately[-1].gone, 0.0)
    fallen = [(question, was, now[question]) for question, was in course.means.items() if now.get(question, was) < was]
    fallen.sort(key=lambda each: (each[2] - each[1], each[0]))
    enough = MOST_OF_FALL * sum(was - value for _, was, value in fallen)
    before_each = accumulate((was - value for _, was, value in fallen), initial=0.0)
    return [each for each, told in zip(fallen, before_each, strict=False) if told < enough]


def _evaluations(store: Store, course: Course) -> list[Sequence[Mapping[str, Any]]]:
    """The questions of the last evaluations."""
    times = {each.at for each in course.lately}
    found = (store.evaluations.get(each.id) for each in store.evaluations.all() if each.ended_at in times)
    return [each.questions for each in found if each]


def _passages(row: Mapping[str, Any]) -> tuple[Passage, ...]:
    return tuple(Passage(passage["doc_id"], passage["quote"]) for passage in row["passages"])


def _texts(store: Store, seen: Watched) -> dict[str, str]:
    """What the known questions ask, by id."""
    golden = {row["id"]: row["question"] for each in _evaluations(store, seen.golden) for row in each}
    return golden | {canary.id: canary.question for canary in store.canaries.all()}
