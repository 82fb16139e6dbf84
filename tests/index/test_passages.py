"""Passages that were read stay in memory, within bounds."""

import json

import pyarrow as pa
import pytest

from index import schema
from index.chunks import SHOWN
from index.passages import Passages

ROWS = 10
PASSAGE_BYTES = 1_200


class Table:
    """A dataset in memory that counts what is read."""

    def __init__(self) -> None:
        fields = {name: schema.chunks(4, 16).field(name) for name in SHOWN}
        values = {"metadata": json.dumps({"n": 1}), "heading": ["Top"], "page": None}
        columns = {
            name: [values.get(name, 1 if pa.types.is_integer(field.type) else f"{name} {row}") for row in range(ROWS)]
            for name, field in fields.items()
        }
        self.table = pa.table(columns)
        self.read: list[int] = []

    def _take_rows(self, rows: list[int], columns: list[str]) -> pa.Table:
        self.read += rows
        return self.table.select(columns).take(rows)


@pytest.fixture
def table():
    return Table()


def test_passages_come_in_the_order_that_is_asked_for(table):
    passages = Passages(table, 10 * PASSAGE_BYTES)
    assert [chunk.text for chunk in passages.at([7, 2, 7])] == ["text 7", "text 2", "text 7"]
    assert [chunk.text for chunk in passages.at([2, 3, 7])] == ["text 2", "text 3", "text 7"]
    assert passages.at([]) == []


def test_what_was_read_is_not_read_again(table):
    passages = Passages(table, 10 * PASSAGE_BYTES)
    passages.at([1, 2])
    passages.at([2, 3, 1])
    assert table.read == [1, 2, 3]


def test_what_was_read_longest_ago_makes_room(table):
    passages = Passages(table, 3 * PASSAGE_BYTES)
    for rows in ([1], [2], [3], [4], [5], [5], [1]):
        passages.at(rows)
    assert table.read == [1, 2, 3, 4, 5, 1]


def test_without_memory_each_is_read_each_time(table):
    passages = Passages(table)
    passages.at([1])
    passages.at([1])
    assert table.read == [1, 1]
