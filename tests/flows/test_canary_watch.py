"""The canaries of the ingester: asked on what is live, not twice on the same, and never in anybody's way."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import pytest

from flows.canaries import report
from flows.canary_watch import CanaryWatch
from index.canaries import Canary, CanaryRun
from index.documents import Draft
from index.errors import Unavailable
from index.releases import Release
from index.store import open_store
from tests.bench import Bench

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ["heron", "badger", "weasel", "marten", "polecat", "stoat"]


def text_of(name: str) -> str:
    return f"A {name} is a shy animal of the {name} woods. It hides in the {name} thicket for most of a long and rainy day."


@dataclass
class Clock:
    now: datetime = field(default=NOW)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def woods(bench: Bench) -> Bench:
    bench.ingest(*(Draft(name, content=text_of(name).encode()) for name in NAMES))
    return bench


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(woods: Bench, clock: Clock) -> CanaryWatch:
    store = open_store(str(woods.store.folder), woods.store.folder)
    return CanaryWatch(store, lambda _: woods.embedder, pause_s=0.0, clock=clock)


@pytest.mark.thorough
def test_a_run_is_kept_and_the_same_release_is_not_asked_again(woods: Bench, watch: CanaryWatch):
    taken = watch.look()
    assert taken is not None
    assert (taken.release, set(taken.ranks), len(taken.canaries)) == (woods.live.number, {1.0}, 6)
    assert watch.look() is None
    [kept] = woods.store.canary_runs.tail(9)
    assert (kept.at, kept.release, kept.canaries, kept.ranks) == (taken.at, taken.release, taken.canaries, taken.ranks)


@pytest.mark.thorough
def test_a_new_release_is_asked_and_what_is_new_in_it_gets_canaries(woods: Bench, watch: CanaryWatch):
    watch.look()
    woods.put("otter", text_of("otter"))
    taken = watch.look()
    assert taken is not None
    assert (taken.release, len(taken.canaries)) == (woods.live.number, 7)


@pytest.mark.thorough
def test_what_a_run_has_no_time_for_is_asked_in_the_next(watch: CanaryWatch):
    watch.budget_s = 0.0
    runs = [watch.look() for _ in range(7)]
    assert runs.pop() is None
    assert len({taken.canaries for taken in runs if taken}) == 6


@pytest.mark.thorough
def test_the_pinned_release_is_asked_not_the_newest(woods: Bench, watch: CanaryWatch):
    before = woods.live.number
    woods.put("otter", text_of("otter"))
    woods.store.log.append("rolled_back", before, "test")
    taken = watch.look()
    assert taken is not None
    assert taken.release == before


@pytest.mark.thorough
def test_a_deletion_is_asked_again_on_a_pinned_release(woods: Bench, watch: CanaryWatch):
    woods.store.log.append("rolled_back", woods.live.number, "test")
    assert watch.look()
    woods.delete("heron")
    taken = watch.look()
    assert taken is not None
    assert len(taken.ranks) == 6


def test_an_empty_index_is_not_asked(bench: Bench):
    assert CanaryWatch(open_store(str(bench.store.folder), bench.store.folder), lambda _: bench.embedder).look() is None


@pytest.mark.thorough
def test_the_thread_goes_on_after_what_goes_wrong_and_ends_when_told(woods: Bench, watch: CanaryWatch, monkeypatch: pytest.MonkeyPatch):
    failures = [Unavailable("the model is away")]

    def embedder_of(_: Release) -> object:
        if failures:
            raise failures.pop()
        return woods.embedder

    monkeypatch.setattr("flows.canary_watch.FIRST_S", 0.01)
    watch.embedder_of = embedder_of  # type: ignore[assignment]
    watch.every_s = 0.02
    watch.start()
    until = monotonic() + 10
    while not woods.store.canary_runs.tail(1) and monotonic() < until:
        sleep(0.02)
    watch.stop()
    assert woods.store.canary_runs.tail(1)[0].release == woods.live.number


def test_a_report_says_what_was_lost_and_how_it_was_when_they_were_made():
    canaries = [Canary(name, f"What is a {name}?", f"{name}|s", "quote", "definition", "h", NOW) for name in NAMES[:2]]
    text = report(CanaryRun(NOW + timedelta(days=1), 7, ("heron", "badger"), (0.5, 0.0), (0.4, 0.1), 0.1), canaries, 3)
    assert "Mean reciprocal rank **0.250**, 1.000 when they were made; 2 of 2 measured, 1 lost their passage;" in text
    assert "3 more did not find theirs" in text
    assert "| What is a badger? | badger\\|s | definition |" in text
    assert "heron" not in text


def test_a_report_of_nothing_says_so():
    assert "Nothing was measured" in report(CanaryRun(NOW, 7, (), (), (), 0.0), [], 0)


def test_a_fall_is_told_once(watch: CanaryWatch):
    told: list[int] = []
    watch.on_fall = told.append
    names = tuple(f"c{number}" for number in range(40))

    def run(release: int, rank: float) -> CanaryRun:
        return CanaryRun(NOW, release, names, (rank,) * 20 + (1.0,) * 20, (0.9,) * 40, 0.1)

    for release, rank in ((1, 1.0), (2, 1.0), (3, 0.0), (4, 0.0), (5, 1.0)):
        watch._compare(run(release, rank))
    assert told == [3]
