"""Vectors that were compared with a question stay in memory, within bounds, and are never those of another row."""

from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest

from index.kept_rows import KeptRows, files_of
from index.stored_vectors import BESIDE, StoredVectors, kept_vectors

QUESTION = np.array([1, 0], np.float32)
COSINES = [0.0, 0.25, 0.5, 1.0]
A_VECTOR = 2 * 2 + BESIDE


def table(cosines: list[float]) -> pa.Table:
    vectors = [np.array([cosine, 0], np.float16) for cosine in cosines]
    return pa.table({"vector": pa.array(vectors, pa.list_(pa.float16(), 2))})


class Counted:
    """A dataset on disk that tells which rows were read."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.schema, self.get_fragments = dataset.schema, dataset.get_fragments
        self.read: list[int] = []

    def _take_rows(self, rows: list[int], columns: list[str]) -> pa.Table:
        self.read += rows
        return self._dataset._take_rows(rows, columns=columns)


class InMemory:
    """A dataset of one fragment that is a table."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.schema = table.schema

    def _take_rows(self, rows: list[int], columns: list[str]) -> pa.Table:
        return self.table.select(columns).take(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lance.write_dataset(table(COSINES), tmp_path / "rows")
    return tmp_path / "rows"


@pytest.fixture
def dataset(folder: Path) -> Counted:
    return Counted(lance.dataset(folder))


def scores(dataset: Any, kept: KeptRows[bytes], *rows: int) -> list[float]:
    return StoredVectors(dataset, files_of(dataset), kept).scores(QUESTION, rows).tolist()


def test_scores_come_in_the_order_that_is_asked_for(dataset: Counted):
    assert scores(dataset, kept_vectors(1_000), 3, 1, 3) == [1.0, 0.25, 1.0]
    assert scores(dataset, kept_vectors(1_000)) == []


def test_what_was_read_is_not_read_again(dataset: Counted):
    kept = kept_vectors(4 * A_VECTOR)
    scores(dataset, kept, 1, 2)
    assert scores(dataset, kept, 2, 3, 1) == [0.5, 1.0, 0.25]
    assert dataset.read == [1, 2, 3]


def test_what_was_asked_for_longest_ago_makes_room(dataset: Counted):
    kept = kept_vectors(2 * A_VECTOR)
    for row in (0, 1, 0, 2, 0, 1):
        assert scores(dataset, kept, row) == [COSINES[row]]
    assert dataset.read == [0, 1, 2, 1]


def test_without_memory_each_is_read_each_time(dataset: Counted):
    kept = kept_vectors(0)
    assert scores(dataset, kept, 1, 2) == scores(dataset, kept, 1, 2) == [0.25, 0.5]
    assert dataset.read == [1, 2, 1, 2]


def test_a_later_version_has_what_it_has_in_common_with_an_earlier_one(folder: Path, dataset: Counted):
    kept = kept_vectors(1_000_000)
    scores(dataset, kept, 0, 1)
    later = Counted(lance.write_dataset(table([0.75]), folder, mode="append"))
    assert scores(later, kept, 1, 1 << 32) == [0.25, 0.75]
    assert later.read == [1 << 32]


def test_a_row_of_the_same_number_in_another_table_is_another(tmp_path: Path, dataset: Counted):
    kept = kept_vectors(1_000_000)
    scores(dataset, kept, 0, 1)
    other = Counted(lance.write_dataset(table([0.75, 0.125]), tmp_path / "other"))
    assert scores(other, kept, 0, 1) == [0.75, 0.125]


def test_equal_vectors_have_equal_scores_wherever_they_stand():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(7, 384)).astype(np.float16)
    repeated = [*vectors, *vectors, *vectors]
    stored = pa.table({"vector": pa.array(repeated, pa.list_(pa.float16(), 384))})
    found = StoredVectors(InMemory(stored), {0: "file"}, kept_vectors(0)).scores(vectors[0].astype(np.float32), range(21))
    assert found[:7].tolist() == found[7:14].tolist() == found[14:].tolist()


def test_a_question_is_rounded_as_the_vectors_are(dataset: Counted):
    third = np.array([1 / 3, 0], np.float32)
    assert StoredVectors(dataset, files_of(dataset), kept_vectors(0)).scores(third, [3]).tolist() == [float(np.float16(1 / 3))]
