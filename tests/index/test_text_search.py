"""Searches by text give the same passages each time, and keep nothing of indexes that were replaced long ago."""

from collections.abc import Sequence
from datetime import timedelta

import pyarrow as pa
import pytest

from index import text_search
from index.chunks import table_name
from index.documents import Draft
from index.text_search import TextDatasets, best
from tests.bench import Bench

# Row 7 has the score 3, five rows have 2, row 5 has 1.
ROWS = [(7, 3.0), *((row, 2.0) for row in (9, 4, 1, 8, 3)), (5, 1.0)]


class Finder:
    """Finds rows best first, and of equal ones the last first; remembers how deep it looked."""

    def __init__(self, rows: Sequence[tuple[int, float]]) -> None:
        self.rows = sorted(rows, key=lambda pair: (-pair[1], -pair[0]))
        self.depths: list[int] = []

    def __call__(self, depth: int) -> pa.Table:
        self.depths.append(depth)
        found = self.rows[:depth]
        return pa.table({"_rowid": [row for row, _ in found], "_score": pa.array([score for _, score in found], pa.float32())})


@pytest.mark.parametrize(
    ("limit", "rows", "looks"),
    [
        (1, [7], 1),
        (3, [7, 1, 3], 2),
        (6, [7, 1, 3, 4, 8, 9], 1),
        (7, [7, 1, 3, 4, 8, 9, 5], 1),
        (100, [7, 1, 3, 4, 8, 9, 5], 1),
    ],
)
def test_of_equal_scores_the_first_rows_are_the_best(limit: int, rows: list[int], looks: int):
    finder = Finder(ROWS)
    assert best(finder, limit)["_rowid"].to_pylist() == rows
    assert len(finder.depths) == looks


def test_what_finds_nothing_has_no_best():
    assert len(best(Finder([]), 10)) == 0


def test_where_many_have_the_same_score_more_of_them_are_looked_at_but_never_all():
    few, many = Finder([(row, 1.0) for row in range(1_000)]), Finder([(row, 1.0) for row in range(30_000)])
    assert best(few, 10)["_rowid"].to_pylist() == list(range(10))
    assert len(best(many, 10)) == 10
    assert few.depths == many.depths == [11, 80, 20_000]


@pytest.mark.thorough
def test_a_search_by_text_finds_the_same_of_many_equal_passages_each_time(bench: Bench):
    bench.ingest(*(Draft(f"d{n}", content=f"apples number{n}".encode()) for n in range(150)))
    view = bench.reader.view()
    first = view.by_text("apples", 100, None)
    assert [candidate.row for candidate in first] == sorted(candidate.row for candidate in first)
    assert all(view.by_text("apples", 100, None) == first for _ in range(100))


@pytest.mark.thorough
def test_what_was_read_of_replaced_text_indexes_is_let_go(bench: Bench):
    keeping, renewing = TextDatasets(bench.store.db, 1_000), TextDatasets(bench.store.db, 2)
    for turn in range(10):
        bench.store.existing_chunk_table(bench.live.generation).fold_text()
        bench.put(f"d{turn}", f"apples of year {turn}")
        kept, renewed = (bytes_after_a_search(bench, datasets, f"part {turn}") for datasets in (keeping, renewing))
    assert renewed < kept / 2


def bytes_after_a_search(bench: Bench, datasets: TextDatasets, part: str) -> int:
    """What the session holds when the live release was searched, whose text index is one new part."""
    dataset = datasets.at(table_name(bench.live.generation), bench.live.version, frozenset({part}))
    assert len(dataset.scanner(full_text_query="apples").to_table()) == bench.live.rows
    return int(dataset.session().size_bytes())


@pytest.mark.thorough
def test_searches_go_on_when_what_was_opened_first_is_cleaned_away(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_search, "MOST_REPLACED", 0)
    bench.put("apples", "apples")
    rows = bench.store.existing_chunk_table(bench.live.generation)
    reader = bench.store.reader()
    assert reader.view().by_text("apples", 5, None)
    for turn in range(3):
        rows.fold_text()
        bench.put(f"d{turn}", f"apples of year {turn}")
    for release in range(1, bench.live.number):
        rows.untag(release)
    rows.clean(timedelta(0))
    reader.follow()
    assert len(reader.view().by_text("apples", 5, None)) == 4
