"""Sub-samples: drawn from a release, indexed and searched as it is, gone afterwards."""

from pathlib import Path

import numpy as np
import pytest

from evals.sizes import measured, sizes_of
from index.documents import Draft
from index.policy import IndexPolicy
from index.subsample import Subsample
from tests.bench import Bench

pytestmark = pytest.mark.thorough


@pytest.fixture
def pile(bench: Bench) -> Bench:
    """600 passages."""
    bench.ingest(*(Draft(f"d{number}", content=f"Stone {number} of row {number % 17}.".encode()) for number in range(600)))
    return bench


def questions(bench: Bench) -> np.ndarray:
    return np.stack([bench.embedder.embed_query(f"Stone {number}") for number in range(20)])


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (3_000, []),
        (16_000, [4_000, 8_000, 16_000]),
        (80_000, [5_000, 10_000, 20_000, 40_000, 80_000]),
        (10_000_000, [31_250, 62_500, 125_000, 250_000, 500_000]),
    ],
)
def test_five_sizes_are_measured_each_half_of_the_next(rows: int, sizes: list[int]):
    assert sizes_of(rows) == sizes


def test_a_sub_sample_has_about_as_many_rows_as_asked_for_and_is_searched_like_the_release(pile: Bench, tmp_path: Path):
    part = Subsample.of(pile.reader.view(), 300, tmp_path)
    assert 240 < part.count() < 360
    view = part.view()
    nearest = view.nearest(questions(pile), 10)
    found = view.by_vector(questions(pile)[3], 10, None)
    assert [hit.score for hit in found] == pytest.approx(nearest[3].tolist(), abs=1e-5)


def test_each_size_is_indexed_and_timed_and_leaves_nothing_behind(pile: Bench, tmp_path: Path):
    told: list[int] = []
    policy = IndexPolicy(partitions=4)
    small, whole = measured(pile.reader.view(), questions(pile), [300, 600], policy, tmp_path / "scratch", told.append)
    assert told == [300, 600]
    assert (240 < small.rows < 360, whole.rows) == (True, 600)
    assert 0 < whole.p50_ms <= whole.p95_ms
    assert whole.index_bytes > 0
    assert whole.disk_bytes > 600 * 256  # 64 dimensions of 4 bytes, and what is shown
    assert list((tmp_path / "scratch").iterdir()) == []
