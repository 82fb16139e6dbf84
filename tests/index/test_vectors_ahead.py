"""The vectors of what is served are in memory before a search asks for them, where there is room for all of them."""

from dataclasses import replace

import numpy as np
import pytest

from index.documents import Draft
from index.kept import Kept
from index.kept_rows import ROW, SLICE
from index.policy import IndexPolicy
from index.stored_vectors import BESIDE, StoredVectors
from index.vectors_ahead import VectorsAhead
from tasks.reindex import reindex
from tests.bench import Bench

POLICY = IndexPolicy(flat_below=100, partitions=4)
NAMES = ["apple", "pear", "plum", "fig", "quince", "medlar", "cherry", "lemon"]
ROOM = 1_000 * BESIDE

pytestmark = pytest.mark.thorough


@pytest.fixture
def orchard(bench: Bench) -> Bench:
    """200 passages with a vector index, served by a reader with room for all vectors."""
    rng = np.random.default_rng(1)
    fruit = [" and ".join(rng.choice(NAMES, 4)) for _ in range(200)]
    bench.ingest(*(Draft(f"d{number}", content=f"Tree {number} bears {names}.".encode()) for number, names in enumerate(fruit)))
    assert reindex(bench.store, bench.publisher.table, POLICY)
    bench.publisher.publish_maintenance()
    return with_room(bench, ROOM)


def with_room(bench: Bench, room: int) -> Bench:
    found = replace(bench, reader=bench.store.reader(kept=Kept.room(0, room)))
    found.reader.follow()
    return found


def in_memory(bench: Bench) -> tuple[int, int]:
    """How many vectors of what is served are in memory, and of how many."""
    view = bench.reader.view()
    rows = view._dataset.to_table(columns=[], with_row_id=True)[ROW].to_pylist()
    found = bench.reader.kept.vectors.at([(view.vectors.files[row >> 32], row) for row in rows])
    return sum(vector is not None for vector in found), len(rows)


def looks(ahead: VectorsAhead, count: int = 5) -> None:
    for _ in range(count):
        ahead()


def test_they_are_taken_in_as_a_search_would_read_them(orchard: Bench):
    expected = [(hit.chunk.doc_id, hit.score) for hit in orchard.search("Tree bears quince", mode="vector").hits]
    fresh = with_room(orchard, ROOM)
    assert in_memory(fresh) == (0, 200)
    looks(VectorsAhead(lambda: fresh.reader.live))
    assert in_memory(fresh) == (200, 200)
    assert [(hit.chunk.doc_id, hit.score) for hit in fresh.search("Tree bears quince", mode="vector").hits] == expected


def test_a_slice_is_taken_in_at_a_time(orchard: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("index.kept_rows.SLICE", 50)
    assert SLICE > 50
    ahead = VectorsAhead(lambda: orchard.reader.live)
    ahead()  # begins
    seen = []
    for _ in range(5):
        ahead()
        seen.append(in_memory(orchard)[0])
    assert seen == [50, 100, 150, 200, 200]


def test_of_the_next_release_only_what_is_new_is_read(orchard: Bench, monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []
    take_in = StoredVectors.take_in
    monkeypatch.setattr(StoredVectors, "take_in", lambda vectors, fragment: read.append(fragment) or take_in(vectors, fragment))
    ahead = VectorsAhead(lambda: orchard.reader.live)
    looks(ahead)
    before = list(read)
    orchard.put("more", "A tree that bears nothing.")
    orchard.delete("d7")
    orchard.reader.follow()
    looks(ahead)
    assert in_memory(orchard) == (200, 200)
    assert (len(before), len(read)) == (1, 2)


def test_where_there_is_no_room_for_all_none_is_taken_in(orchard: Bench):
    small = with_room(orchard, 199 * BESIDE)
    looks(VectorsAhead(lambda: small.reader.live))
    assert in_memory(small) == (0, 200)


def test_without_an_index_none_is_taken_in(bench: Bench):
    bench.put("a", "Apples grow.")
    served = with_room(bench, ROOM)
    looks(VectorsAhead(lambda: served.reader.live))
    assert in_memory(served) == (0, 1)


def test_before_there_is_a_release_nothing_happens():
    looks(VectorsAhead(lambda: None))
