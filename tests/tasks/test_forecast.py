"""Forecasts: what a sweep would do and cost, without doing it."""

from pathlib import Path

import pytest

from tasks.discover import FolderSource
from tasks.forecast import PORTION, forecast
from tasks.parse import MAX_BYTES
from tasks.sources.port import Skipped
from tasks.sweep import sweep
from tests.bench import Bench

LONG = "\n\n".join(f"Paragraph {i}. " + f"word{i} " * 150 for i in range(3))


def numbered(folder: Path) -> FolderSource:
    """Twice as many files as are read at once."""
    folder.mkdir()
    for i in range(2 * PORTION):
        (folder / f"{i:03d}.md").write_text(f"The text number {i:03d}.")
    return FolderSource("notes", folder)


def test_a_forecast_counts_chunks_and_new_texts_and_writes_nothing(bench: Bench, tmp_path: Path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text(LONG)
    (folder / "b.md").write_text("Short text.")
    source = FolderSource("notes", folder)
    found = forecast(bench.store, source, bench.embedder, 256)
    assert (sorted(found.changes.added), found.chunks, found.embed) == (["notes:a.md", "notes:b.md"], 4, 4)
    assert not found.needs_confirmation
    assert found.disk_bytes > 2 * len(LONG)
    assert bench.store.inbox.is_empty()
    assert bench.embedder.embedded == []

    sweep(bench.store, source)
    [outcome] = bench.drain()
    assert outcome.embedded == found.embed
    (folder / "c.md").write_text("Short text.")
    (folder / "a.md").write_text(LONG.replace("word1", "other"))
    (folder / "bad.md").write_bytes(b"\x00")
    found = forecast(bench.store, source, bench.embedder, 256)
    assert (sorted(found.changes.added), found.changes.changed) == (["notes:bad.md", "notes:c.md"], ("notes:a.md",))
    assert (found.chunks, found.embed) == (4, 1)
    assert found.quarantined == (Skipped("notes:bad.md", "corrupt"),)


@pytest.mark.thorough
def test_a_forecast_of_a_part_removes_no_others(bench: Bench, tmp_path: Path):
    bench.put("notes:old.md", "text", source="notes")
    (tmp_path / "new.md").write_text("text")
    source = FolderSource("notes", tmp_path)
    assert forecast(bench.store, source, bench.embedder, 256).changes.removed == ("notes:old.md",)
    assert forecast(bench.store, source, bench.embedder, 256, is_whole=False).changes.removed == ()


def test_a_forecast_counts_what_only_moves_and_what_is_left_out(bench: Bench, tmp_path: Path):
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    for i in range(10):
        (folder / f"{i}.md").write_text(f"Text {i}.")
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    for i in range(10):
        (folder / f"{i}.md").rename(folder / "deep" / f"{i}.md")
    with (folder / "huge.md").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    found = forecast(bench.store, source, bench.embedder, 256)
    assert (len(found.changes.moved), found.changes.lost, found.needs_confirmation, len(found.skipped)) == (10, 0, False, 1)
    assert (found.embed, found.estimated, found.measured, found.size) == (0, False, 10, 70)


def test_without_time_the_rest_is_reckoned_from_what_was_read(bench: Bench, tmp_path: Path):
    source = numbered(tmp_path / "notes")
    found = forecast(bench.store, source, bench.embedder, 256, budget_s=0)
    assert (found.estimated, found.measured, len(found.changes.added)) == (True, PORTION, 2 * PORTION)
    exact = forecast(bench.store, source, bench.embedder, 256)
    assert not exact.estimated
    assert (found.size, found.chunks, found.embed, found.disk_bytes) == (exact.size, exact.chunks, exact.embed, exact.disk_bytes)


def test_of_what_was_not_read_as_much_counts_as_changed_as_of_the_rest(bench: Bench, tmp_path: Path):
    source = numbered(tmp_path / "notes")
    sweep(bench.store, source)
    bench.drain()
    found = forecast(bench.store, source, bench.embedder, 256, budget_s=0)  # all are too young to be trusted
    assert (found.estimated, len(found.changes.changed), found.changes.unchanged) == (True, 0, 2 * PORTION)
