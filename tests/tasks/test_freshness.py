"""The freshness level: what counts, its percentiles, and when it is time for an alarm."""

from datetime import UTC, datetime, timedelta

import pytest

from index.arrivals import Arrival, from_json, to_json
from tasks.freshness import Alarm, Level, Observation, Window, alarm, levels

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def single(seconds: float) -> Observation:
    return Observation(NOW, "express", "http", "searchable", seconds)


def test_arrivals_come_back_as_they_were_written():
    arrivals = [
        Arrival("express", "http", "searchable", ago(1.25)),
        Arrival("express", "http", "searchable", ago(0.000001)),
        Arrival("bulk", "docs", "unsearchable", ago(7)),
    ]
    assert from_json(to_json(arrivals)) == arrivals
    assert from_json(None) == from_json(to_json([])) == []


def test_seconds_are_from_acceptance_to_the_moment_it_was_served():
    window = Window()
    window.add([Arrival("express", "http", "searchable", ago(0.5)), Arrival("bulk", "docs", "searchable", ago(60))], NOW, pinned=False)
    assert [(seen.source, seen.seconds) for seen in window.recent(NOW)] == [("http", 0.5), ("docs", 60.0)]


def test_while_live_is_pinned_only_deletions_take_effect():
    window = Window()
    brought = [Arrival("express", "http", "searchable", ago(1)), Arrival("express", "http", "unsearchable", ago(2))]
    assert [seen.kind for seen in window.add(brought, NOW, pinned=True)] == ["unsearchable"]


def test_the_window_forgets_after_ten_minutes():
    window = Window()
    window.add([Arrival("express", "http", "searchable", ago(601))], ago(601), pinned=False)
    window.add([Arrival("express", "http", "searchable", ago(599))], ago(599), pinned=False)
    assert len(window.recent(NOW)) == 1


def test_percentiles_are_by_source_and_kind():
    seen = [single(second / 100) for second in range(1, 102)] + [Observation(NOW, "bulk", "docs", "unsearchable", 9.0)]
    assert levels(seen) == [
        Level("docs", "unsearchable", 1, 9.0, 9.0, 9.0),
        Level("http", "searchable", 101, 0.51, 0.96, 1.0),
    ]


def judged(seen=(), oldest=None, moved=0.0, started=3600.0) -> Alarm:
    return alarm(seen, 3.0, NOW, oldest and ago(oldest), ago(moved), ago(started))


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, "ok"),
        ({"seen": [single(0.4)] * 100}, "ok"),
        ({"seen": [single(0.4)] * 90 + [single(8)] * 10}, "late"),
        ({"seen": [single(8)] * 19}, "ok"),
        ({"seen": [Observation(NOW, "bulk", "docs", "searchable", 900.0)] * 500}, "ok"),
        ({"oldest": 31, "moved": 31}, "stuck"),
        ({"oldest": 29, "moved": 3600}, "ok"),
        ({"oldest": 3600, "moved": 5}, "ok"),
        ({"oldest": 3600, "moved": 3600, "started": 60}, "ok"),
        ({"moved": 3600}, "ok"),
    ],
    ids=str,
)
def test_the_alarm_is_raised_when_single_documents_are_late_or_nothing_moves(facts, state):
    assert judged(**facts).state == state


def test_the_alarm_says_what_is_wrong():
    assert "is the ingester running?" in judged(oldest=100, moved=100).detail
    assert "up to 8.0 s" in judged([single(8)] * 30).detail
