"""Stored canaries and their runs."""

from datetime import UTC, datetime, timedelta
from math import isnan, nan
from pathlib import Path

import pytest

from index import tables
from index.canaries import Canaries, Canary, CanaryRun, CanaryRuns

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def canary(identifier: str, birth_rank: float = 1.0, doc_id: str = "zoo") -> Canary:
    return Canary(identifier, "What are otters?", doc_id, "Otters are mammals.", "definition", "hash", NOON, birth_rank, 3)


def run(minute: int, *ranks: float) -> CanaryRun:
    names = tuple(f"c{place}" for place in range(len(ranks)))
    return CanaryRun(NOON + timedelta(minutes=minute), 3, names, ranks, tuple(0.5 for _ in ranks), 0.25)


@pytest.fixture
def canaries(tmp_path: Path) -> Canaries:
    return Canaries(tables.connect(str(tmp_path)))


@pytest.fixture
def runs(tmp_path: Path) -> CanaryRuns:
    return CanaryRuns(tables.connect(str(tmp_path)))


def test_what_did_not_pass_at_birth_is_told_apart_and_not_forgotten(canaries: Canaries):
    canaries.write([canary("a"), canary("b", 0.0), canary("c", 0.5)])
    assert canaries.all() == [canary("a"), canary("c", 0.5)]
    assert canaries.refused() == [canary("b", 0.0)]


def test_writing_a_canary_again_replaces_it_and_dropping_removes_it(canaries: Canaries):
    canaries.write([canary("a"), canary("b")])
    canaries.write([canary("a", 0.5)])
    assert canaries.drop(["b", "never"]) == 1
    assert canaries.drop([]) == 0
    assert canaries.all() == [canary("a", 0.5)]


def test_a_purged_document_leaves_no_canary(canaries: Canaries):
    canaries.write([canary("a"), canary("b", doc_id="it's a park"), canary("c", 0.0)])
    assert canaries.forget("zoo") == 2
    assert canaries.forget("nobody") == 0
    assert canaries.all() == [canary("b", doc_id="it's a park")]


def test_runs_are_read_back_by_time(runs: CanaryRuns):
    for minute in (5, 0, 10):
        runs.write(run(minute, 1.0, 0.5))
    assert runs.between(NOON, NOON + timedelta(minutes=10)) == [run(0, 1.0, 0.5), run(5, 1.0, 0.5)]
    assert runs.tail(1) == [run(10, 1.0, 0.5)]


def test_what_was_not_measured_stays_not_a_number(runs: CanaryRuns):
    runs.write(run(0, 1.0, nan, 0.0))
    [found] = runs.tail(1)
    assert (found.ranks[0], found.ranks[2]) == (1.0, 0.0)
    assert isnan(found.ranks[1])


def test_old_runs_go(runs: CanaryRuns):
    for minute in range(4):
        runs.write(run(minute, 1.0))
    assert runs.clean(NOON + timedelta(minutes=1)) == 1
    assert runs.clean(NOON, most=2) == 1
    runs.fold()
    assert [each.at.minute for each in runs.tail(9)] == [2, 3]
