"""Folding beside the batches: none of them waits for it, loses anything to it, or makes it lose anything but time."""

from threading import Event, Timer

import pytest

from index import tables
from index.chunks import table_name
from index.documents import Draft
from tasks import upkeep
from tasks.upkeep import Upkeep
from tests.bench import Bench


@pytest.fixture
def keeping(bench: Bench) -> Upkeep:
    return Upkeep(bench.store, bench.publisher, fold_every=2)


@pytest.mark.thorough
def test_it_is_due_after_so_many_batches(bench: Bench, keeping: Upkeep):
    for doc_id in ("a", "b"):
        bench.put(doc_id, f"text {doc_id}")
        keeping.note_batch(1)
        keeping.go_on()
        keeping.finish()
    assert bench.store.log.kept()[0].checks == {"maintenance": "ok"}
    assert (len(keeping.foldings), keeping.unfolded, bench.store.log.state.newest) == (1, 0, 4)


@pytest.mark.thorough
def test_many_new_rows_are_taken_into_the_full_text_at_once(bench: Bench, keeping: Upkeep, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(upkeep, "TEXT_ROWS", 3)
    bench.put("a", "apples grow")
    keeping.begin()
    keeping.finish()
    bench.ingest(*(Draft(f"p{number}", content=b"pears %d" % number) for number in range(3)))
    assert unindexed(bench) == {"embedded_text": 3, "chunk_id": 3}
    keeping.note_batch(3)
    keeping.go_on()
    keeping.finish()
    assert unindexed(bench) == {"embedded_text": 0, "chunk_id": 3}
    assert sorted(bench.found("pears", mode="text")) == ["p0", "p1", "p2"]


def unindexed(bench: Bench) -> dict[str, int]:
    """Rows of the newest release that are in no index of a column."""
    table = tables.open_existing(bench.store.db, table_name(bench.publisher.table.generation)).to_lance()
    indexes = {index.field_names[0]: index for index in table.describe_indices()}
    return {column: table.count_rows() - indexes[column].num_rows_indexed for column in ("embedded_text", "chunk_id")}


@pytest.mark.thorough
def test_a_batch_does_not_wait_for_it(bench: Bench, keeping: Upkeep, monkeypatch: pytest.MonkeyPatch):
    may_go_on, folded = Event(), upkeep.fold
    monkeypatch.setattr(upkeep, "fold", lambda *given: may_go_on.wait(30) and folded(*given))
    bench.put("a", "text a")
    keeping.begin()
    bench.put("b", "text b")
    assert sorted(bench.found("text")) == ["a", "b"]
    may_go_on.set()
    keeping.finish()
    assert bench.store.log.get(bench.store.log.state.newest).rows == 2


@pytest.mark.thorough
def test_batches_wait_for_folding_that_can_not_keep_up(bench: Bench, keeping: Upkeep, monkeypatch: pytest.MonkeyPatch):
    begun, folded = Event(), upkeep.fold
    monkeypatch.setattr(upkeep, "fold", lambda *given: begun.wait(30) and folded(*given))
    bench.put("a", "text a")
    keeping.begin()
    keeping.note_batch(upkeep.MOST_NEW_ROWS)
    Timer(0.2, begun.set).start()
    keeping.go_on()
    assert begun.is_set()
    assert len(keeping.foldings) == 1
    keeping.finish()


@pytest.mark.thorough
def test_what_changes_and_goes_while_it_is_folded_is_as_it_should_be(bench: Bench, keeping: Upkeep):
    bench.ingest(*(Draft(f"d{number}", content=f"text {number} of the beginning".encode()) for number in range(20)))
    for number in range(0, 20, 4):
        keeping.begin()
        bench.put(f"d{number}", f"text {number} as it is later")
        bench.delete(f"d{number + 1}")
        keeping.go_on()
    keeping.finish()
    bench.reader.follow()
    view = bench.reader.view()
    texts = {f"d{number}": [chunk.text for chunk in view.chunks_of(f"d{number}")] for number in range(20)}
    wanted = {f"d{number}": [f"text {number} of the beginning"] for number in range(20)}
    wanted |= {f"d{number}": [f"text {number} as it is later"] for number in range(0, 20, 4)}
    wanted |= {f"d{number}": [] for number in range(1, 20, 4)}
    assert texts == wanted
    assert bench.live.rows == 15


@pytest.mark.thorough
def test_what_another_commit_gets_in_the_way_of_is_folded_another_time(bench: Bench, keeping: Upkeep, monkeypatch: pytest.MonkeyPatch):
    def lost(*_: object) -> None:
        raise RuntimeError("Retryable commit conflict")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(upkeep, "fold", lost)
        bench.put("a", "text a")
        keeping.begin()
        keeping.finish()
    keeping.begin()
    keeping.finish()
    bench.put("b", "text b")
    assert sorted(bench.found("text")) == ["a", "b"]


def test_a_failure_that_nobody_expects_is_logged_and_the_next_batch_goes_in(
    bench: Bench, keeping: Upkeep, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken(*_: object) -> None:
        raise LookupError("no such index")

    monkeypatch.setattr(upkeep, "fold", broken)
    keeping.begin()
    keeping.finish()
    bench.put("a", "text a")
    assert "LookupError: no such index" in caplog.text
    assert bench.found("text") == ["a"]


@pytest.mark.thorough
def test_a_filter_finds_the_rows_of_every_part_of_an_index(bench: Bench, keeping: Upkeep):
    for number in range(6):
        bench.put(f"d{number}", f"text {number}", metadata={"kind": ("even", "odd")[number % 2]})
        keeping.begin()
        keeping.finish()
    bench.put("d0", "text 0", metadata={"kind": "odd"})
    bench.delete("d2")
    keeping.begin()
    keeping.finish()
    found = bench.found("text", k=20, filter={"metadata.kind": "even"})
    assert found == ["d4"]


@pytest.mark.thorough
def test_batches_wait_for_a_folding_after_one_that_gave_way_to_them(bench: Bench, keeping: Upkeep, monkeypatch: pytest.MonkeyPatch):
    folded, tries = upkeep.fold, list[str]()

    def gives_way_once(*given: object) -> bool:
        tries.append("again" if tries else "first")
        if tries == ["first"]:
            raise RuntimeError("Retryable commit conflict")
        return folded(*given)

    monkeypatch.setattr(upkeep, "fold", gives_way_once)
    for number in range(4):
        bench.put(f"d{number}", f"text {number}")
        keeping.note_batch(1)
        keeping.go_on()
        if number == 1:
            keeping.finish()
    assert tries == ["first", "again"]
    assert unindexed(bench) == {"embedded_text": 0, "chunk_id": 0}
    assert keeping.unfolded == 0
