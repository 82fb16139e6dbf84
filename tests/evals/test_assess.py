"""The forecast of a live index: measured, stored, served again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from evals import sizes
from evals.assess import assess
from index.documents import Draft
from index.policy import IndexPolicy
from tests.bench import Bench

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WORDS = ["red", "blue", "green", "old", "new", "tall", "small", "round", "square", "heavy", "light", "smooth", "rough"]


@pytest.mark.slow
def test_an_index_is_measured_at_several_sizes_and_the_forecast_is_kept(bench: Bench, tmp_path: Path, monkeypatch):
    texts = [f"Stone {number} is {WORDS[number % 13]} and {WORDS[number % 7]}." for number in range(1_000)]
    bench.ingest(*(Draft(f"d{number}", content=text.encode()) for number, text in enumerate(texts)))
    monkeypatch.setattr(sizes, "SMALLEST", 60)
    told = assess(bench.store, IndexPolicy(partitions=4), bench.embedder, tmp_path / "scratch", 50.0, NOW)
    assert (told.rows, len(told.sizes)) == (1_000, 5)
    assert told.p95_ms is not None
    at, kept = bench.store.forecasts.newest() or (None, {})
    assert at == NOW
    assert (kept["rows"], kept["goal_ms"], kept["breaks_at_rows"]) == (1_000, 50.0, told.breaks_at_rows)
    assert [size["rows"] for size in kept["sizes"]] == [size.rows for size in told.sizes]


@pytest.mark.thorough
def test_a_small_index_has_no_forecast_and_says_why(bench: Bench, tmp_path: Path):
    bench.put("a", "One stone is red and round.")
    told = assess(bench.store, IndexPolicy(), bench.embedder, tmp_path / "scratch", 50.0, NOW)
    assert told.reason == "1 rows are too few to measure several sizes of"
