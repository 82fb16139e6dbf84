"""What reclaimed releases leave: nothing in memory or at a start, and all of it for who asks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from threading import Event as Signal

import pyarrow as pa
import pytest
from lancedb.db import DBConnection

from index import schema, tables
from index.arrivals import Arrival
from index.errors import Conflict, NotFound
from index.release_log import NEVER_PAST, ReleaseLog
from index.releases import Event
from index.timeline import Timeline

FACTS = {"generation": "g", "version": 1, "ledger_version": 1, "rows": 0, "embedder": "e", "dimensions": 4}
NOW = timedelta(0)
ARRIVAL = Arrival("express", "http", "searchable", datetime(2026, 1, 1, tzinfo=UTC))


class Slow(datetime):
    """A clock that is two hours late."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Slow":
        return cls.fromtimestamp(datetime.now(tz).timestamp() - 7200, tz)


@pytest.fixture
def db(tmp_path: Path) -> DBConnection:
    return tables.connect(str(tmp_path))


def publish(log: ReleaseLog, number: int) -> Event:
    return log.append("released", number, "ingester", detail=FACTS | {"rows": 10 * number})


def reclaim(log: ReleaseLog, *numbers: int) -> None:
    log.append("reclaimed", 0, "maintain", detail={"releases": list(numbers)})


def others(db: DBConnection, log: ReleaseLog) -> None:
    """So many events, all at once, that those before them may be set aside."""
    state = {"live": log.state.live, "pinned": log.state.pinned, "newest": log.state.newest}
    facts = {"kind": "proven", "at": datetime.now(UTC), "by": "x", "release": 0} | state
    rows = [facts | {"seq": log.seq + turn} for turn in range(1, NEVER_PAST + 1)]
    db.open_table("releases").add(pa.Table.from_pylist(rows, schema=schema.RELEASES))
    log.refresh()


@pytest.fixture
def log(db: DBConnection) -> ReleaseLog:
    """Releases 1 to 5, of which 1 to 3 were reclaimed and are set aside; 2 was rolled back to, and proven, before."""
    log = ReleaseLog(db)
    for number in (1, 2, 3):
        publish(log, number)
    log.append("proven", 2, "evaluate", detail={"scores": [{"metric": "nDCG@10", "value": 0.7}]})
    log.append("rolled_back", 2, "admin")
    publish(log, 4)
    log.append("resumed", 4, "admin")
    publish(log, 5)
    log.append("kept", 3, "evaluate", detail={"until": "2026-01-02T00:00:00+00:00"})
    reclaim(log, 1, 2, 3)
    others(db, log)
    log.compact(past_after=NOW)
    return log


def test_what_a_log_keeps_in_memory_and_reads_at_a_start_does_not_grow_with_the_releases_that_there_were(db: DBConnection, log: ReleaseLog):
    kinds = ["proven", "rolled_back", "released", "resumed", "released"]
    for each in (log, ReleaseLog(db)):
        assert [event.kind for event in each.events][:5] == kinds
        assert [release.number for release in each.kept()] == [5, 4]
        assert each.next_number == 6
    assert db.open_table("releases").count_rows() == len(kinds) + NEVER_PAST
    assert db.open_table("past_releases").count_rows() == 5


@pytest.mark.thorough
def test_releases_that_were_set_aside_are_shown_with_what_they_were(db: DBConnection, log: ReleaseLog):
    for each in (log, ReleaseLog(db)):
        assert (each.get(2).status, each.get(2).rows, each.get(2).scores) == ("reclaimed", 20, [{"metric": "nDCG@10", "value": 0.7}])
        assert [(release.number, release.status) for release in each.page(None, 3)] == [(5, "checked"), (4, "checked"), (3, "reclaimed")]
        assert [release.number for release in each.page(3, 50)] == [2, 1]
        assert each.page(1, 50) == each.page(0, 50) == each.page(-7, 50) == []
        assert each.are_reclaimed([1, 3, 4, 5, 6]) == {1, 3}
        with pytest.raises(Conflict, match="release 3 was reclaimed"):
            each.servable(3)
        with pytest.raises(NotFound, match="no release 6"):
            each.get(6)


def test_when_releases_were_first_served_is_known_for_ever(db: DBConnection):
    log = ReleaseLog(db)
    one = publish(log, 1)
    log.append("rolled_back", 1, "admin")
    publish(log, 2)
    resumed = log.append("resumed", 0, "admin")
    three = publish(log, 3)
    publish(log, 4)
    expected = {1: one.at, 2: resumed.at, 3: three.at}
    assert log.first_served([1, 2, 3]) == expected
    reclaim(log, 1, 2, 3)
    assert log.first_served([1, 2, 3]) == expected
    others(db, log)
    log.compact(past_after=NOW)
    assert ReleaseLog(db).first_served([1, 2, 3, 5]) == expected


def test_what_was_live_when_is_known_for_ever(db: DBConnection, log: ReleaseLog):
    for timeline in (log.timeline(), ReleaseLog(db).timeline()):
        assert [timeline.before(seq) for seq in range(1, 10)] == [0, 1, 2, 3, 3, 2, 2, 4, 5]


def test_the_rows_of_each_day_are_those_of_its_last_release(db: DBConnection, log: ReleaseLog):
    assert [rows for _, rows in log.rows_by_day()] == [50]
    reclaim(log, 4)
    assert [rows for _, rows in ReleaseLog(db).rows_by_day()] == [50]


def test_what_is_young_is_not_set_aside(db: DBConnection):
    log = ReleaseLog(db)
    for number in (1, 2):
        publish(log, number)
    reclaim(log, 1)
    log.compact(past_after=NOW)
    others(db, log)
    log.compact()
    assert db.open_table("past_releases").count_rows() == 0


def test_a_release_that_answers_a_request_and_a_candidate_are_never_forgotten(db: DBConnection):
    log = ReleaseLog(db)
    publish(log, 1)
    log.append("candidate", 2, "rebuild", detail=FACTS)
    log.append("released", 3, "ingester", detail=FACTS | {"checks": {"requeued": {"event": 7, "documents": 1}}})
    publish(log, 4)
    reclaim(log, 1, 2, 3)
    others(db, log)
    log.compact(past_after=NOW)
    for each in (log, ReleaseLog(db)):
        assert each.newest_candidate is not None
        assert (each.newest_candidate.number, each.newest_candidate.status) == (2, "reclaimed")
        assert [event.release for event in each.events if event.kind == "released"] == [3, 4]
        assert [release.number for release in each.kept()] == [4]


def test_what_came_with_a_release_is_forgotten_when_it_is_set_aside(db: DBConnection):
    log = ReleaseLog(db)
    log.append("released", 1, "ingester", detail=FACTS, arrivals=[ARRIVAL])
    publish(log, 2)
    reclaim(log, 1)
    others(db, log)
    assert list(log.arrivals_after(0)) == [1, 2, 3, *range(4, 4 + NEVER_PAST)]
    log.compact(past_after=NOW)
    assert db.open_table("past_releases").to_arrow()["arrivals"].to_pylist() == [None, None]


def test_a_kill_in_the_middle_of_setting_aside_doubles_nothing(db: DBConnection, log: ReleaseLog):
    past = db.open_table("past_releases").to_arrow()
    assert past.schema == schema.RELEASES
    db.open_table("releases").add(past)  # as if the second of the two commits had not been
    again = ReleaseLog(db)
    assert [release.number for release in again.kept()] == [5, 4]
    assert [release.number for release in again.page(None, 50)] == [5, 4, 3, 2, 1]
    assert again.timeline().seqs.tolist() == list(range(1, 11 + NEVER_PAST))
    again.compact(past_after=NOW)
    assert db.open_table("past_releases").count_rows() == 5
    assert db.open_table("releases").count_rows() == 5 + NEVER_PAST


def test_whoever_did_not_look_for_long_learns_what_was_reclaimed_and_set_aside_meanwhile(db: DBConnection):
    log, idle = ReleaseLog(db), ReleaseLog(db)
    for number in (1, 2, 3):
        publish(log, number)
    idle.refresh()
    reclaim(log, 1, 2)
    publish(log, 4)
    others(db, log)
    log.compact(past_after=NOW)
    with pytest.raises(Conflict, match="release 1 was reclaimed"):
        idle.append("rolled_back", 1, "admin", precondition=lambda: idle.servable(1))
    assert idle.kept() == log.kept()
    assert idle.events == log.events


def test_who_was_paused_before_an_event_takes_no_number_that_is_set_aside(db: DBConnection, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("index.release_log.SUSPECT_AFTER", timedelta(seconds=-1))
    log, paused = ReleaseLog(db), ReleaseLog(db)
    for number in (1, 2):
        publish(log, number)
    pauses = iter([True])

    def pause() -> None:
        if next(pauses, False):
            reclaim(log, 1)
            others(db, log)
            log.compact(past_after=NOW)

    event = paused.append("rolled_back", 2, "admin", precondition=pause)
    assert event.seq == 4 + NEVER_PAST
    assert ReleaseLog(db).last == event
    assert ReleaseLog(db).timeline().seqs.tolist() == list(range(1, event.seq + 1))


def test_a_clock_that_was_set_back_brings_no_release_back(db: DBConnection, monkeypatch: pytest.MonkeyPatch):
    log = ReleaseLog(db)
    for number in (1, 2):
        publish(log, number)
    monkeypatch.setattr("index.release_log.datetime", Slow)
    reclaim(log, 1)
    monkeypatch.undo()
    others(db, log)
    log.compact(past_after=timedelta(hours=1))
    assert [release.number for release in ReleaseLog(db).kept()] == [2]


@pytest.mark.thorough
def test_whoever_reads_along_misses_nothing_while_events_are_set_aside(db: DBConnection):
    """One process publishes and reclaims, another one sets aside all the time, and a third one rolls back again and again."""
    ingester, tidy, admin = (ReleaseLog(tables.connect(db.uri)) for _ in range(3))
    done = Signal()

    def set_aside() -> None:
        while not done.is_set():
            tidy.refresh()
            tidy.compact(past_after=NOW)

    def roll_back() -> None:
        while not done.is_set():
            admin.refresh()
            if admin.state.live:
                admin.append("rolled_back", admin.state.newest, "admin")
                admin.append("resumed", 0, "admin")

    with ThreadPoolExecutor(2) as pool:
        beside = [pool.submit(set_aside), pool.submit(roll_back)]
        try:
            for number in range(1, 81):
                publish(ingester, number)
                if number % 4 == 0:
                    reclaim(ingester, *range(number - 3, number))
        finally:
            done.set()
        for each in beside:
            each.result()
    newest = ReleaseLog(db)
    assert newest.timeline().seqs.tolist() == list(range(1, newest.seq + 1))
    assert [release.number for release in newest.page(None, 100)] == list(range(80, 0, -1))
    for each in (ingester, tidy, admin):
        each.refresh()
        assert each.events == newest.events
        assert each.kept() == newest.kept()
    assert db.open_table("past_releases").count_rows() > 0


def test_a_timeline_goes_by_the_order_of_events_where_a_clock_was_set_back():
    at = [datetime(2026, 1, 1, 12, minute, tzinfo=UTC) for minute in (10, 5, 20)]
    rows = [{"seq": place + 1, "at": each, "live": place + 1} for place, each in enumerate(at)]
    fields = [schema.RELEASES.field(name) for name in ("seq", "at", "live")]
    timeline = Timeline.of(pa.Table.from_pylist([*reversed(rows), rows[1]], schema=pa.schema(fields)))
    assert [timeline.at(each) for each in (at[0] - timedelta(minutes=1), at[0], at[2])] == [0, 2, 3]
    assert timeline.between(at[0] - timedelta(minutes=1), at[2]) == {1, 2, 3}
    assert timeline.between(at[0] + timedelta(minutes=1), at[2] - timedelta(minutes=1)) == {2}
