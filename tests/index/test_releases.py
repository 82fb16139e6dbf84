"""The release log: an agreed order of events, and what they make live."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Signal

import pytest
from lancedb.db import DBConnection

from index import tables
from index.errors import Conflict, NotFound, Unavailable
from index.release_log import COMPACT_EVERY, ReleaseLog
from index.releases import Event, Kind, Release, State, fold, rollback_target

FACTS = {"generation": "g", "version": 1, "ledger_version": 1, "rows": 0, "embedder": "e", "dimensions": 4}
FOLLOWING = State(live=3, pinned=False, newest=3)
PINNED = State(live=1, pinned=True, newest=3)


@pytest.fixture
def db(tmp_path: Path) -> DBConnection:
    return tables.connect(str(tmp_path))


def publish(log: ReleaseLog, number: int) -> Event:
    return log.append("released", number, "ingester", detail=FACTS | {"version": 100 + number})


def release(number: int, status: str = "checked") -> Release:
    return Release(number, "g", 1, 1, 0, datetime(2026, 1, number, tzinfo=UTC), "e", 4, status=status)


@pytest.mark.parametrize(
    ("before", "kind", "number", "after"),
    [
        (State(), "released", 1, State(1, pinned=False, newest=1)),
        (FOLLOWING, "released", 4, State(4, pinned=False, newest=4)),
        (PINNED, "released", 4, State(1, pinned=True, newest=4)),
        (FOLLOWING, "rolled_back", 2, State(2, pinned=True, newest=3)),
        (FOLLOWING, "rolled_back", 3, State(3, pinned=True, newest=3)),
        (PINNED, "rolled_back", 2, State(2, pinned=True, newest=3)),
        (PINNED, "promoted", 3, State(3, pinned=False, newest=3)),
        (PINNED, "promoted", 2, State(2, pinned=True, newest=3)),
        (FOLLOWING, "promoted", 1, State(1, pinned=True, newest=3)),
        (PINNED, "resumed", 0, FOLLOWING),
        (FOLLOWING, "resumed", 3, FOLLOWING),
        (PINNED, "proven", 2, PINNED),
        (FOLLOWING, "reclaimed", 0, FOLLOWING),
    ],
)
def test_what_each_event_makes_live(before: State, kind: Kind, number: int, after: State):
    assert fold(before, kind, number) == after


def test_an_empty_log_serves_nothing_yet(db: DBConnection):
    log = ReleaseLog(db)
    assert log.state == State()
    with pytest.raises(Unavailable, match="no release yet"):
        log.live()


def test_a_release_is_read_back_as_it_was_written(db: DBConnection):
    detail = FACTS | {"rows": 7, "fields": {"year": "int"}, "checks": {"rows": "ok"}, "search": {"nprobes": 8}}
    event = ReleaseLog(db).append("released", 1, "ingester", "first", detail)
    log = ReleaseLog(db)
    assert log.events == [event]
    assert (event.seq, event.by, event.reason) == (1, "ingester", "first")
    assert log.live() == Release(1, "g", 1, 1, 7, event.at, "e", 4, {"year": "int"}, {"rows": "ok"}, {"nprobes": 8})


def test_another_process_sees_events_after_a_refresh_and_nothing_new_after_that(db: DBConnection):
    writer, reader = ReleaseLog(db), ReleaseLog(db)
    publish(writer, 1)
    assert reader.state.live == 0
    assert reader.refresh()
    assert reader.state.live == 1
    assert not reader.refresh()


def test_an_unknown_release_is_not_found(db: DBConnection):
    log = ReleaseLog(db)
    publish(log, 1)
    with pytest.raises(NotFound, match="no release 2"):
        log.get(2)
    with pytest.raises(NotFound, match="no release 0"):
        log.servable(0)


def test_a_reclaimed_release_is_known_but_not_servable(db: DBConnection):
    log = ReleaseLog(db)
    for number in (1, 2, 3):
        publish(log, number)
    log.append("reclaimed", 0, "maintain", detail={"releases": [1, 2]})
    for each in (log, ReleaseLog(db)):
        assert [item.number for item in each.kept()] == [3]
        assert [(item.number, item.status) for item in each.page(None, 50)] == [(3, "checked"), (2, "reclaimed"), (1, "reclaimed")]
        assert (each.get(1).version, each.get(1).status) == (101, "reclaimed")
    with pytest.raises(Conflict, match="release 1 was reclaimed"):
        log.servable(1)


def test_a_release_is_kept_until_a_time_unless_that_comes_too_late(db: DBConnection):
    log = ReleaseLog(db)
    publish(log, 1)
    until = datetime(2026, 1, 2, tzinfo=UTC)
    log.keep(1, until, "evaluate")
    assert ReleaseLog(db).get(1).kept_until == until
    log.append("reclaimed", 0, "maintain", detail={"releases": [1]})
    with pytest.raises(Conflict, match="reclaimed"):
        log.keep(1, until, "evaluate")


def test_scores_and_verdicts_are_kept_with_the_release(db: DBConnection):
    log = ReleaseLog(db)
    publish(log, 1)
    publish(log, 2)
    log.append("proven", 1, "evaluate", detail={"scores": [{"metric": "nDCG@10", "value": 0.7}]})
    log.append("held", 2, "evaluate")
    again = ReleaseLog(db)
    assert (again.get(1).status, again.get(1).scores) == ("proven", [{"metric": "nDCG@10", "value": 0.7}])
    assert again.get(2).status == "held"


def test_first_served_is_when_the_release_or_a_later_one_first_went_live(db: DBConnection):
    log = ReleaseLog(db)
    one, _pin = publish(log, 1), log.append("rolled_back", 1, "admin")
    publish(log, 2)
    publish(log, 3)
    assert log.first_served([1, 2]) == {1: one.at}
    resumed = log.append("resumed", 0, "admin")
    log.append("rolled_back", 1, "admin")
    assert log.first_served([2, 3, 4]) == {2: resumed.at, 3: resumed.at}


def test_a_precondition_stops_an_event_and_sees_what_others_appended(db: DBConnection):
    here, there = ReleaseLog(db), ReleaseLog(db)
    publish(here, 1)
    publish(here, 2)
    there.refresh()
    here.append("reclaimed", 0, "maintain", detail={"releases": [1]})
    with pytest.raises(Conflict):
        there.append("rolled_back", 1, "admin", precondition=lambda: there.servable(1))
    assert ReleaseLog(db).last == here.last


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.thorough
def test_processes_appending_at_once_lose_nothing_and_leave_no_gap(db: DBConnection, compacted: bool):
    logs = [ReleaseLog(tables.connect(db.uri)) for _ in range(3)]
    for number in range(1, 6):
        publish(logs[0], number)
    if compacted:
        logs[0].compact()

    def append(by: int) -> list[int]:
        return [logs[by].append("proven", turn, str(by)).seq for turn in range(8)]

    with ThreadPoolExecutor(3) as pool:
        numbers = list(pool.map(append, range(3)))
    assert sorted(seq for group in numbers for seq in group) == list(range(6, 30))
    events = ReleaseLog(db).events
    assert [event.seq for event in events] == list(range(1, 30))
    assert [event.release for event in events if event.by == "1"] == list(range(8))
    for log in logs:
        log.refresh()
        assert log.events == events


@pytest.mark.thorough
def test_threads_that_share_a_log_lose_nothing(db: DBConnection):
    log = ReleaseLog(db)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda turn: log.append("proven", turn, "x"), range(20)))
    assert [event.seq for event in log.events] == list(range(1, 21))


def test_compacting_keeps_the_history_for_those_who_read_along(db: DBConnection):
    writer, reader = ReleaseLog(db), ReleaseLog(db)
    for number in range(1, 6):
        publish(writer, number)
    writer.compact()
    publish(writer, 6)
    reader.refresh()
    assert [event.seq for event in reader.events] == [1, 2, 3, 4, 5, 6]
    assert ReleaseLog(db).events == reader.events == writer.events


@pytest.mark.thorough
def test_appending_goes_on_while_another_process_compacts(db: DBConnection):
    writer, other = ReleaseLog(db), ReleaseLog(tables.connect(db.uri))
    done = Signal()

    def compact_until_done() -> None:
        while not done.is_set():
            other.compact()

    with ThreadPoolExecutor(1) as pool:
        compacting = pool.submit(compact_until_done)
        try:
            for number in range(1, 21):
                publish(writer, number)
        finally:
            done.set()
        compacting.result()
    assert [event.seq for event in ReleaseLog(db).events] == list(range(1, 21))


def roll_back_during(db: DBConnection, publishes: int) -> None:
    """One process publishes without a pause, and compacts; another one rolls back to release 3 in the middle of it."""
    ingester, admin = ReleaseLog(db), ReleaseLog(tables.connect(db.uri))
    under_way, rolled_back = Signal(), Signal()

    def publish_all() -> int:
        number = afterwards = 0
        while number < publishes or afterwards < 20:
            number += 1
            if publish(ingester, number).seq % COMPACT_EVERY == 0:
                ingester.compact()
            if number == COMPACT_EVERY + 5:
                under_way.set()
            afterwards += rolled_back.is_set()
        return number

    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(publish_all)
        assert under_way.wait(timeout=100)
        event = admin.append("rolled_back", 3, "admin")
        rolled_back.set()
        published = publishing.result()
    events = ReleaseLog(db).events
    assert [event.seq for event in events] == list(range(1, published + 2))
    # The one that was under way while the flag was set may have been counted, too.
    assert COMPACT_EVERY < event.seq <= published - 18
    assert {later.state.live for later in events if later.seq >= event.seq} == {3}
    assert events[-1].state == State(3, pinned=True, newest=published)


@pytest.mark.thorough
def test_a_rollback_that_races_many_publishes_is_never_undone(db: DBConnection):
    roll_back_during(db, publishes=60)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_rollback_that_races_a_thousand_publishes_is_never_undone(db: DBConnection):
    roll_back_during(db, publishes=1_000)


def test_a_rollback_goes_to_the_last_proven_release_before_live():
    log = [release(5), release(4), release(3, "proven"), release(2, "proven"), release(1)]
    assert rollback_target(log, live=5).number == 3
    assert rollback_target(log, live=3).number == 2
    assert rollback_target(log, live=2).number == 1


def test_without_a_proven_release_a_rollback_goes_one_back():
    assert rollback_target([release(3), release(2), release(1)], live=3).number == 2


def test_a_rollback_never_goes_to_a_reclaimed_release():
    assert rollback_target([release(3), release(2, "reclaimed"), release(1)], live=3).number == 1
    with pytest.raises(Conflict, match="no earlier release"):
        rollback_target([release(2), release(1, "reclaimed")], live=2)
