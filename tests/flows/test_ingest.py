"""Draining the inbox: what a batch trips over costs only what is at fault, and no batch is lost."""

import resource
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from flows.ingest import FAULTS_BEFORE_SPLIT, Drain
from index.documents import Draft
from index.embedder import Vectors
from index.errors import Conflict
from index.inbox import Inbox
from index.release_log import ReleaseLog
from tasks import upkeep
from tasks.upkeep import FOLD_EVERY, TIDY_EVERY
from tests.bench import Bench
from tests.fakes import HashingEmbedder

NOTHING: list[object] = []


class PickyEmbedder(HashingEmbedder):
    """Trips over a poisoned text, whatever else is in the batch."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def embed(self, texts: Sequence[str]) -> Vectors:
        if any("poison" in text for text in texts):
            raise self._error
        return super().embed(texts)


class WatchedInbox(Inbox):
    """Notes the newest release at each acknowledgement."""

    def __init__(self, folder: Path, log: ReleaseLog) -> None:
        super().__init__(folder)
        self._log = log
        self.acknowledged_at: list[int] = []

    def acknowledge(self, names: Iterable[str]) -> None:
        self._log.refresh()
        self.acknowledged_at.append(self._log.state.newest)
        super().acknowledge(names)


@contextmanager
def full_disk(largest_file: int) -> Iterator[None]:
    """Writing more than this many bytes to a file fails, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def drain_of(bench: Bench, embedder: HashingEmbedder | None = None) -> Drain:
    """A drain that is about to stop, so that it backs off for no time."""
    tools = replace(bench.tools, embedder=embedder or bench.embedder)
    bench.publisher.tools = tools
    return Drain(bench.store, bench.publisher, lambda: True, lambda _: None)


def states(bench: Bench) -> dict[str, str]:
    return {entry.doc_id: entry.state for entry in bench.store.ledger.page(None, "", 1000)}


@pytest.mark.parametrize(
    "error", [ValueError("no number"), RuntimeError("lance error: LanceError(Arrow): bad"), KeyError("title"), TypeError()], ids=repr
)
@pytest.mark.thorough
def test_a_document_that_a_batch_can_not_be_done_with_is_set_aside_and_the_rest_goes_in(bench, error):
    bench.accept(*(Draft(f"d{n}", content=f"text {'poison' if n == 5 else n}".encode()) for n in range(8)))
    drain = drain_of(bench, PickyEmbedder(error))
    assert [drain.next_batch() for _ in range(FAULTS_BEFORE_SPLIT)] == [NOTHING] * FAULTS_BEFORE_SPLIT
    assert not bench.store.inbox.is_empty()
    outcomes = drain.next_batch()
    assert bench.store.inbox.is_empty()
    assert [doc_id for outcome in outcomes for doc_id in outcome.quarantined] == ["d5"]
    assert states(bench) == {f"d{n}": "quarantined" if n == 5 else "indexed" for n in range(8)}
    reason = bench.store.ledger.get(["d5"])["d5"].reason
    assert reason.startswith(f"internal_error: {type(error).__name__}: ")
    assert sorted(bench.found("text", k=20)) == [f"d{n}" for n in range(8) if n != 5]


def test_a_fault_that_goes_away_costs_no_document_its_place(bench):
    bench.accept(Draft("a", content=b"some poison"), Draft("b", content=b"text"))
    drain = drain_of(bench, PickyEmbedder(ValueError("once")))
    assert drain.next_batch() == NOTHING
    drain.publisher.tools = bench.tools
    assert [outcome.documents for outcome in drain.next_batch()] == [2]
    assert states(bench) == {"a": "indexed", "b": "indexed"}


@pytest.mark.parametrize("largest_file", [0, 200, 1_500, 3_000], ids=lambda size: f"files of {size} bytes at most")
@pytest.mark.thorough
def test_a_full_disk_is_waited_out_and_never_charged_to_a_document(bench, largest_file):
    bench.put("before", "text from before")
    bench.accept(*(Draft(f"d{n}", content=f"some text {n} ".encode() * 50) for n in range(10)))
    drain = drain_of(bench)
    with full_disk(largest_file):
        assert [drain.next_batch() for _ in range(FAULTS_BEFORE_SPLIT + 3)] == [NOTHING] * (FAULTS_BEFORE_SPLIT + 3)
    assert bench.found("text", k=100) == ["before"]
    assert sum(outcome.documents for outcome in drain.next_batch()) == 10
    assert bench.store.inbox.is_empty()
    assert set(states(bench).values()) == {"indexed"}
    assert len(bench.found("text", k=100)) == 11


def test_a_disk_that_fills_up_while_the_fault_is_looked_for_is_waited_out_too(bench):
    bench.accept(Draft("a", content=b"poison"), Draft("b", content=b"text"))
    drain = drain_of(bench, PickyEmbedder(ValueError("no")))
    for _ in range(FAULTS_BEFORE_SPLIT):
        drain.next_batch()
    with full_disk(200):
        assert drain.next_batch() == NOTHING
    drain.next_batch()
    assert states(bench) == {"a": "quarantined", "b": "indexed"}


def test_the_back_off_ends_when_the_ingester_is_to_stop(bench):
    waited: list[float] = []
    bench.accept(Draft("a", content=b"poison"))
    drain = drain_of(bench, PickyEmbedder(ValueError("no")))
    drain.stopping = lambda: len(waited) == 3
    drain.pause = waited.append
    assert drain.next_batch() == NOTHING
    assert waited == [0.2] * 3


def test_segments_are_acknowledged_after_the_release_that_contains_them(bench):
    inbox = WatchedInbox(bench.store.folder / "inbox", bench.store.log)
    drain = drain_of(replace(bench, store=replace(bench.store, inbox=inbox)))
    for doc_id in ("a", "b"):
        inbox.accept([Draft(doc_id, content=b"text")])
        [outcome] = drain.next_batch()
        assert inbox.acknowledged_at[-1] == outcome.release
    assert inbox.acknowledged_at == [2, 3]


def test_a_batch_that_was_released_but_not_acknowledged_changes_nothing_the_second_time(bench):
    bench.accept(Draft("a", content=b"text"))
    [segment] = bench.store.inbox.segments()
    kept = (bench.store.folder / "inbox" / segment.name).read_bytes()
    drain = drain_of(bench)
    assert len(drain.next_batch()) == 1
    (bench.store.folder / "inbox" / segment.name).write_bytes(kept)
    assert drain.next_batch() == NOTHING
    assert bench.store.inbox.is_empty()
    assert bench.store.log.state.newest == 2


def test_an_empty_inbox_makes_no_release(bench):
    assert drain_of(bench).next_batch() == NOTHING
    assert bench.store.log.state.newest == 1


def folded(drain: Drain) -> None:
    """Folds as when nothing waits, to the end."""
    drain.rest()
    drain.upkeep.finish()


@pytest.mark.thorough
def test_folding_that_fails_gives_way_and_the_next_batch_goes_in(bench):
    drain = drain_of(bench)
    for doc_id in ("a", "b"):
        bench.accept(Draft(doc_id, content=f"text {doc_id}".encode()))
        drain.next_batch()
    with full_disk(0):
        folded(drain)
    bench.accept(Draft("c", content=b"text c"))
    drain.next_batch()
    folded(drain)
    assert sorted(bench.found("text")) == ["a", "b", "c"]


@pytest.mark.thorough
def test_folding_is_due_after_so_many_batches_and_makes_a_release_with_the_same_rows(bench):
    drain = drain_of(bench)
    for n in range(FOLD_EVERY):
        before = bench.store.log.state.newest
        bench.accept(Draft(f"d{n}", content=f"text {n}".encode()))
        drain.next_batch()
        drain.keep_up()
        drain.upkeep.finish()
        assert bench.store.log.state.newest == before + (1 if n < FOLD_EVERY - 1 else 2)
    releases = bench.store.log.kept()
    assert (releases[0].rows, releases[0].checks) == (FOLD_EVERY, {"maintenance": "ok"})
    assert len(bench.found("text", k=100)) == FOLD_EVERY


def test_the_newest_of_several_revisions_in_one_batch_wins(bench):
    for text in (b"first", b"second", b"third"):
        bench.accept(Draft("a", content=text))
    bench.accept(Draft("b", content=b"text"))
    bench.accept(Draft("b", "delete"))
    drain_of(bench).next_batch()
    assert [hit.chunk.text for hit in bench.search("first second third text").hits] == ["third"]
    assert states(bench) == {"a": "indexed", "b": "deleted"}


def test_a_rollback_while_old_releases_are_retired_is_waited_out(bench, monkeypatch):
    def raced(*_: object) -> None:
        raise Conflict("release 3 went live while it was about to be retired")

    monkeypatch.setattr(upkeep, "tidy", raced)
    draining = Drain(bench.store, bench.publisher, lambda: False, lambda _: None)
    for _ in range(TIDY_EVERY):
        draining.upkeep.note_batch(1)
        folded(draining)
    bench.accept(Draft("a", content=b"text"))
    assert draining.next_batch()
