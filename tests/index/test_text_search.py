"""Searches by text give the same passages each time."""

import pytest

from index.documents import Draft
from index.text_search import Found, best
from tests.bench import Bench

ROWS: Found = [(7, 3.0), *((row, 2.0) for row in (9, 4, 1, 8, 3)), (5, 1.0)]


class Finder:
    """Finds rows best first, and of equal ones the last first; counts how deep it looked."""

    def __init__(self, rows: Found) -> None:
        self.rows = sorted(rows, key=lambda pair: (-pair[1], -pair[0]))
        self.depths: list[int] = []

    def __call__(self, depth: int) -> Found:
        self.depths.append(depth)
        return self.rows[:depth]


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
    assert [row for row, _ in best(finder, limit, len(ROWS))] == rows
    assert len(finder.depths) == looks


def test_where_very_many_have_the_same_score_all_of_them_are_looked_at():
    finder = Finder([(row, 1.0) for row in range(1_000)])
    assert [row for row, _ in best(finder, 10, 1_000)] == list(range(10))
    assert finder.depths == [11, 80, 1_000]


def test_a_search_by_text_finds_the_same_of_many_equal_passages_each_time(bench: Bench):
    bench.ingest(*(Draft(f"d{n}", content=f"apples number{n}".encode()) for n in range(150)))
    view = bench.reader.view()
    first = view.by_text("apples", 100, None)
    assert [candidate.row for candidate in first] == sorted(candidate.row for candidate in first)
    assert all(view.by_text("apples", 100, None) == first for _ in range(100))
