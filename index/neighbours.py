"""What stands before and after passages in their documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.chunk_rows import Chunk, chunks_from, columns_of_chunks
from index.filters import Term, condition

Place = tuple[str, int]  # a document and the number of a passage in it


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The passages before and after one, in the order of the document."""

    before: tuple[Chunk, ...] = ()
    after: tuple[Chunk, ...] = ()


def neighbours(dataset: Any, chunks: Sequence[Chunk], count: int, always: tuple[Term, ...], hidden: list[str]) -> list[Neighbours]:
    """Up to `count` passages on each side of each of these, all of them read at once; only those that `always` holds for."""
    if not chunks or not count:
        return [Neighbours() for _ in chunks]
    wanted = {(chunk.doc_id, chunk.ordinal + step) for chunk in chunks for step in range(-count, count + 1) if step}
    found = _read(dataset, wanted, always, hidden)
    return [_around(chunk, count, found) for chunk in chunks]


def _read(dataset: Any, wanted: set[Place], always: tuple[Term, ...], hidden: list[str]) -> Mapping[Place, Chunk]:
    doc_ids = tuple(sorted({doc_id for doc_id, _ in wanted}))
    ordinals = ", ".join(str(ordinal) for ordinal in sorted({ordinal for _, ordinal in wanted}))
    visible = condition((Term("doc_id", "in", doc_ids), *always), hidden, with_facets="facets" in dataset.schema.names)
    places = dataset.scanner(columns=["doc_id", "ordinal"], filter=f"{visible} AND ordinal IN ({ordinals})", with_row_id=True).to_table()
    # The texts of those only that stand beside a passage: what matches is all pairs of a document and a number.
    pairs = zip(places["doc_id"].to_pylist(), places["ordinal"].to_pylist(), places["_rowid"].to_pylist(), strict=True)
    rows = [row for doc_id, ordinal, row in pairs if (doc_id, ordinal) in wanted]
    if not rows:
        return {}
    chunks = chunks_from(dataset._take_rows(rows, columns=columns_of_chunks(dataset.schema.names)))  # noqa: SLF001 - as `View.chunks`
    return {(chunk.doc_id, chunk.ordinal): chunk for chunk in chunks}


def _around(chunk: Chunk, count: int, found: Mapping[Place, Chunk]) -> Neighbours:
    def at(steps: range) -> tuple[Chunk, ...]:
        there = (found.get((chunk.doc_id, chunk.ordinal + step)) for step in steps)
        return tuple(neighbour for neighbour in there if neighbour)

    return Neighbours(at(range(-count, 0)), at(range(1, count + 1)))
