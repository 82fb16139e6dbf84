"""Maintenance: what stays servable, and that folding and cleaning change no answer."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from index.errors import Conflict
from index.release_log import ReleaseLog
from index.releases import Event, Release, State
from index.store import open_store
from tasks.maintain import _went_through, maintain
from tasks.retention import Retention, retained
from tests.bench import Bench

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
KEEP_LAST = Retention().last


def release(number: int, age: timedelta, status: str = "checked") -> Release:
    return Release(number, "g", number, 1, 0, NOW - age, "e", 4, status=status)


def history(*ages: timedelta) -> list[Release]:
    """Release 1 has the first age, and so on."""
    return [release(number, age) for number, age in enumerate(ages, 1)]


def kept(releases: list[Release], live: int | None = None) -> list[int]:
    newest = max(item.number for item in releases)
    return sorted(retained(releases, State(live or newest, pinned=live is not None, newest=newest), NOW, Retention()))


SECONDS = [timedelta(seconds=20 - i) for i in range(KEEP_LAST)]


def test_the_last_twenty_stay():
    assert kept(history(*[timedelta(days=60)] * 10, *[timedelta(days=40)] * KEEP_LAST)) == list(range(11, 31))


def test_those_of_the_last_five_minutes_stay():
    ages = [timedelta(minutes=minute, seconds=-second) for minute in (7, 4) for second in (10, 20, 30)]
    assert kept(history(*ages, *SECONDS))[:4] == [3, 4, 5, 6]


def test_of_a_day_one_a_minute_stays():
    ages = [timedelta(hours=1, minutes=minute, seconds=-second) for minute in (2, 1) for second in (10, 20, 30)]
    assert kept(history(*ages, *SECONDS))[:2] == [3, 6]


def test_of_a_week_one_an_hour_stays():
    ages = [timedelta(days=3, minutes=-minute) for minute in (5, 10, 65, 70)]
    assert kept(history(*ages, *SECONDS))[:2] == [2, 4]


def test_what_is_older_than_a_week_goes():
    assert kept(history(timedelta(days=7, hours=1), timedelta(days=8), *SECONDS))[0] == 3


@pytest.mark.parametrize(("days", "stays"), [(8, True), (29, True), (31, False)])
def test_proven_releases_stay_for_thirty_days(days: int, stays: bool):
    releases = [release(1, timedelta(days=days), "proven"), *history(*[timedelta(0)] * (KEEP_LAST + 1))[1:]]
    assert (1 in kept(releases)) is stays


@pytest.mark.parametrize(("until", "stays"), [(timedelta(minutes=1), True), (timedelta(minutes=-1), False)])
def test_what_is_being_worked_on_stays_until_the_time_that_was_asked_for(until: timedelta, stays: bool):
    releases = [replace(release(1, timedelta(days=8)), kept_until=NOW + until), *history(*[timedelta(0)] * (KEEP_LAST + 1))[1:]]
    assert (1 in kept(releases)) is stays


def test_what_is_live_or_newest_never_goes():
    releases = history(*[timedelta(days=90)] * 40)
    assert kept(releases, live=1) == [1, *range(21, 41)]
    assert kept(releases, live=17)[0] == 17


def test_what_was_reclaimed_does_not_count_among_the_last_twenty():
    releases = [release(number, timedelta(days=90), "reclaimed" if number % 2 else "checked") for number in range(1, 61)]
    assert kept(releases) == list(range(22, 61, 2))


def texts(bench: Bench, release: int) -> list[tuple[str, float]]:
    return [(hit.chunk.text, hit.score) for hit in bench.search("apples on trees", release=release).hits]


@pytest.mark.thorough
def test_retained_releases_answer_the_same_before_and_after(bench: Bench):
    for i in range(4):
        bench.put(f"d{i}", f"apples on tree {i}")
    bench.put("d0", "pears on trees")
    bench.delete("d1")
    before = {number: texts(bench, number) for number in range(1, 8)}
    for _ in range(2):
        result = maintain(bench.store, datetime.now(UTC))
        bench.publisher.table.clean(timedelta(0))
        bench.publisher.publish_maintenance()
    assert result.reclaimed == ()
    assert {number: texts(bench, number) for number in range(1, 8)} == before
    assert texts(bench, bench.live.number) == before[7]
    assert bench.live.number > 7


@pytest.mark.thorough
def test_folding_takes_the_tail_into_the_indexes(bench: Bench):
    for i in range(6):
        bench.put(f"d{i}", f"apples on tree {i}")
    result = maintain(bench.store, datetime.now(UTC))
    assert set(result.folded) == {f"chunks_{bench.live.generation}", "documents"}
    lance = bench.store.db.open_table(f"chunks_{bench.live.generation}").to_lance()
    assert len(lance.get_fragments()) <= 2
    assert lance.stats.index_stats("embedded_text_idx")["num_unindexed_rows"] == 0


@pytest.mark.thorough
def test_retired_releases_are_taken_out_of_service_and_then_cleaned(bench: Bench):
    for i in range(3):
        bench.put("a", f"apples, edition {i}")
    for number in range(5, 5 + KEEP_LAST - 1):
        publish_again(bench, number)
    later = datetime.now(UTC) + timedelta(days=8)
    assert maintain(bench.store, later).reclaimed == (3, 2, 1)
    bench.reader.follow()
    for number in (1, 2, 3):
        with pytest.raises(Conflict, match="reclaimed"):
            bench.search("apples", release=number)
    assert [hit.chunk.text for hit in bench.search("apples", release=4).hits] == ["apples, edition 2"]
    assert bench.publisher.table.clean(timedelta(0)) > 0
    assert [hit.chunk.text for hit in bench.search("apples", release=4).hits] == ["apples, edition 2"]
    assert maintain(bench.store, later).reclaimed == ()


def publish_again(bench: Bench, number: int) -> None:
    """A release of the same rows, as maintenance makes them; cheaper than one more batch."""
    facts = {"generation": bench.live.generation, "version": bench.publisher.table.version, "ledger_version": bench.live.ledger_version}
    bench.store.log.append("released", number, "test", detail=facts | {"rows": 1, "embedder": "hashing64", "dimensions": 64})
    bench.publisher.table.tag(number, bench.publisher.table.version)


def test_the_pinned_release_is_never_retired(bench: Bench):
    bench.put("a", "apples")
    bench.store.log.append("rolled_back", 2, "admin")
    for number in range(3, 3 + KEEP_LAST + 2):
        publish_again(bench, number)
    result = maintain(bench.store, datetime.now(UTC) + timedelta(days=400))
    assert 2 not in result.reclaimed
    assert 1 in result.reclaimed
    assert bench.found("apples") == ["a"]


@pytest.mark.thorough
def test_a_release_that_somebody_keeps_while_it_is_about_to_be_retired_stays(bench: Bench):
    for number in range(2, 2 + KEEP_LAST + 1):
        publish_again(bench, number)
    later = datetime.now(UTC) + timedelta(days=8)
    slow = bench.store.log
    other = ReleaseLog(bench.store.db)
    append = slow.append

    def appended_later(*arguments: Any, **named: Any) -> Event:
        other.keep(1, later + timedelta(hours=1), "evaluate")
        return append(*arguments, **named)

    slow.append = appended_later  # type: ignore[method-assign]
    with pytest.raises(Conflict, match="came to be needed"):
        maintain(bench.store, later)
    assert slow.servable(1).status == "checked"


def test_a_pass_that_died_after_retiring_is_finished_by_the_next(bench: Bench):
    bench.put("a", "apples")
    bench.put("b", "pears")
    bench.store.log.append("reclaimed", 0, "maintain", detail={"releases": [1, 2]})
    maintain(bench.store, datetime.now(UTC))
    tags = bench.store.db.open_table(f"chunks_{bench.live.generation}").tags.list()
    assert list(tags) == ["r3"]


def make_old(bench: Bench) -> None:
    for path in (bench.store.folder / "originals").glob("??/*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.mark.thorough
def test_originals_that_nothing_needs_are_dropped_when_they_are_old(bench: Bench):
    bench.put("a", "old text")
    bench.put("a", "new text")
    now = datetime.now(UTC)
    assert maintain(bench.store, now).originals_dropped == 0
    make_old(bench)
    assert maintain(bench.store, now).originals_dropped == 1
    kept = [path.read_bytes() for path in Path(bench.store.folder / "originals").glob("??/*")]
    assert kept == [b"new text"]


def test_originals_of_what_is_indexed_or_set_aside_are_kept(bench: Bench):
    bench.put("a", "good text")
    bench.put("a", "\x00")
    make_old(bench)
    assert maintain(bench.store, datetime.now(UTC)).originals_dropped == 0


@pytest.mark.thorough
def test_the_oldest_releases_go_early_when_all_of_them_take_too_much_room(bench: Bench, caplog: pytest.LogCaptureFixture):
    for number in range(2, 8):
        bench.put("a", f"apples, edition {number}")
        bench.publisher.table.fold()
        bench.publisher.publish_maintenance()
    newest = bench.store.log.state.newest
    roomy, tight = Retention(last=100, disk_mb=0, disk_ratio=1_000), Retention(last=100, disk_mb=0, disk_ratio=1.01)
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    bench.store.log.keep(3, in_an_hour + timedelta(hours=1), "evaluate")
    assert maintain(bench.store, in_an_hour, roomy).crowded_out == ()
    kept = {release.number for release in bench.store.log.kept()}
    crowded_out = maintain(bench.store, in_an_hour, tight).crowded_out
    assert crowded_out
    assert set(crowded_out) <= kept - {3, newest}
    assert "before their time" in caplog.text
    assert [hit.chunk.text for hit in bench.search("apples", release=3).hits] == ["apples, edition 2"]


@pytest.mark.thorough
def test_maintenance_in_a_process_that_opened_the_index_before_other_batches_goes_through(bench: Bench):
    for number in range(3):
        bench.put(f"d{number}", f"Text {number} of the ferry.")
    other = open_store(str(bench.store.folder), bench.store.folder)
    for number in range(2):
        bench.put(f"d{number}", f"Changed text {number} of the ferry.")
    assert maintain(other, datetime.now(UTC)).folded == (f"chunks_{bench.publisher.table.generation}", "documents")


def test_a_folding_that_lost_its_commit_to_a_batch_is_tried_next_time_and_other_trouble_is_told():
    def loses() -> None:
        raise OSError("Retryable commit conflict for version 85: This Rewrite transaction was preempted by concurrent transaction Update")

    def is_crowded_out() -> None:
        raise OSError("Too many concurrent writers. Attempted 2 times, but failed on retry_timeout of 30.000 seconds.")

    def breaks() -> None:
        raise OSError("No space left on device")

    assert _went_through(loses) is False
    assert _went_through(is_crowded_out) is False
    with pytest.raises(OSError, match="No space left"):
        _went_through(breaks)
