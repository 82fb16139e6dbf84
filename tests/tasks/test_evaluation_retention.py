"""What stays of old evaluations."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from evals import prove, scores_picture
from index.evaluations import Evaluation, Score
from index.releases import Event, State
from index.store import Store
from tasks.evaluation_retention import PICTURED, WHOLE, outdated, proofs_needed
from tasks.maintain import _prune_evaluations

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FOUND = (Score("nDCG@10", 0.7, 0.6, 0.8, 60, 62),)
ALL = (*FOUND, Score("abstention_f1", 0.9, 0.8, 1.0, 60, 62))
ROWS = tuple({"id": f"q{n}", "metrics": {"nDCG@10": 0.7}, "stale": [], "passages": [], "found": []} for n in range(5))


def made(identifier: str, age: timedelta, release: int = 1, scores: tuple[Score, ...] = FOUND, dataset: str = "default") -> Evaluation:
    at = NOW - age
    return Evaluation(identifier, release, dataset, "completed", None, at, at, scores, ROWS)


def proven(release: int, evaluation: str) -> Event:
    return Event(release, "proven", NOW, "evaluate", None, release, {"evaluation": evaluation}, State())


def test_those_of_the_last_thirty_days_stay_whole():
    assert outdated([made(f"{hour}", WHOLE - timedelta(hours=hour)) for hour in range(72)], (), NOW).bare == ()


def test_of_an_older_day_the_scores_of_the_one_that_measured_most_stay():
    day = [
        made("hourly", 40 * DAY),
        made("nightly", 40 * DAY + timedelta(hours=2), scores=ALL),
        made("before", 40 * DAY + timedelta(hours=3)),
    ]
    later = [made(f"r{number}", number * DAY / 24, number + 1, scores) for number in range(1, PICTURED + 1) for scores in (FOUND, ALL)]
    found = outdated([*day, *later], (), NOW)
    assert (found.bare, set(found.gone)) == (("nightly",), {"hourly", "before"})


def test_each_golden_set_has_a_day_of_its_own():
    days = [made("a", 40 * DAY), made("b", 40 * DAY, dataset="other")]
    assert set(outdated(days, (), NOW).bare) == {"a", "b"}


def test_the_newest_of_the_last_releases_stay_for_the_picture_and_others_go_after_two_years():
    years = [made(f"{age}", age * DAY, release=2000 - age) for age in range(800, 900)]
    found = outdated(years, (), NOW)
    assert found.bare == tuple(f"{age}" for age in range(800, 800 + PICTURED))
    assert len(found.gone) == 100 - PICTURED
    assert PICTURED == scores_picture.MAX_POINTS


def test_what_proves_a_release_stays_whole_and_failed_ones_go_and_what_has_not_ended_is_left():
    proof = made("proof", 400 * DAY)
    broken = replace(made("failed", 31 * DAY), state="failed", scores=())
    running = replace(made("running", 400 * DAY), state="running", scores=())
    found = outdated([proof, broken, running], {"proof"}, NOW)
    assert (found.bare, found.gone) == ((), ("failed",))


def test_the_newest_proof_before_each_release_that_can_be_served_is_needed():
    events = [proven(2, "of 2"), proven(5, "of 5"), proven(5, "of 5 again"), proven(9, "of 9")]
    assert proofs_needed(events, [5, 6, 9]) == {"of 2", "of 5 again", "of 9"}
    assert proofs_needed(events, [9]) == {"of 5 again", "of 9"}
    assert proofs_needed(events, [2]) == {"of 2"}
    assert proofs_needed(events, []) == proofs_needed([], [1, 2]) == set()


def a_year(days: int = 365) -> Iterator[Evaluation]:
    """Each day 24 releases; each is measured once, the last of the day in full."""
    for day in range(days):
        for hour in range(24):
            identifier, release = f"d{day}h{hour}", 24 * (days - day) - hour
            yield made(identifier, day * DAY + timedelta(hours=hour), release, ALL if hour == 0 else FOUND)


@pytest.mark.thorough
def test_a_year_of_hourly_scores_is_listed_as_fast_as_a_month_and_drift_sees_the_same(store: Store):
    detail = {"generation": "g", "version": 1, "ledger_version": 1, "rows": 1, "embedder": "hashing64", "dimensions": 64}
    store.log.append("released", 24 * 365 + 1, "test", detail=detail)
    year = list(a_year())
    proof = next(each for each in year if each.id == "d200h0")
    store.log.append("proven", proof.release, "evaluate", detail={"evaluation": proof.id})
    store.evaluations.write(*year)
    before = store.evaluations.all()
    _prune_evaluations(store, NOW)
    store.evaluations.fold()
    kept = store.evaluations.all()
    assert len(before) == 365 * 24
    # A month by the hour, and a day each for the rest.
    assert 30 * 24 + 335 <= len(kept) <= 30 * 24 + 335 + PICTURED
    # History reads no more than these.
    assert [each for each in kept if NOW - each.ended_at <= WHOLE] == [each for each in before if NOW - each.ended_at <= WHOLE]
    assert scores_picture.data(kept, ()) == scores_picture.data(before, ())
    found = [store.evaluations.get(name) for name in ("d29h23", "d200h0", "d300h0", "d300h1")]
    assert [found and len(found.questions) for found in found] == [5, 5, 0, None]
    candidate = replace(proof, id="new", release=24 * 365 + 1)
    baseline = prove.baseline_of(store, candidate)
    assert baseline is not None
    assert baseline.questions == ROWS
    _prune_evaluations(store, NOW)
    assert store.evaluations.all() == kept
