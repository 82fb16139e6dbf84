"""Forecasts: what a sweep would do and cost, without doing it."""

from pathlib import Path

from tasks.discover import FolderSource
from tasks.forecast import forecast
from tasks.sweep import sweep
from tests.bench import Bench

LONG = "\n\n".join(f"Paragraph {i}. " + f"word{i} " * 150 for i in range(3))


def test_a_forecast_counts_chunks_and_new_texts_and_writes_nothing(bench: Bench, tmp_path: Path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text(LONG)
    (folder / "b.md").write_text("Short text.")
    source = FolderSource("notes", folder)
    found = forecast(bench.store, source, bench.embedder)
    assert (found.changes.added, found.chunks, found.embed, found.needs_confirmation) == (("notes:a.md", "notes:b.md"), 4, 4, False)
    assert found.disk_bytes > 2 * len(LONG)
    assert bench.store.inbox.is_empty()
    assert bench.embedder.embedded == []

    sweep(bench.store, source)
    [outcome] = bench.drain()
    assert outcome.embedded == found.embed
    (folder / "c.md").write_text("Short text.")
    (folder / "a.md").write_text(LONG.replace("word1", "other"))
    (folder / "bad.md").write_bytes(b"\x00")
    found = forecast(bench.store, source, bench.embedder)
    assert (found.changes.added, found.changes.changed) == (("notes:bad.md", "notes:c.md"), ("notes:a.md",))
    assert (found.chunks, found.embed) == (4, 1)


def test_a_forecast_for_some_documents_removes_no_others(bench: Bench, tmp_path: Path):
    bench.put("notes:old.md", "text", source="notes")
    (tmp_path / "new.md").write_text("text")
    source = FolderSource("notes", tmp_path)
    assert forecast(bench.store, source, bench.embedder).changes.removed == ("notes:old.md",)
    assert forecast(bench.store, source, bench.embedder, limited_to=["notes:new.md"]).changes.removed == ()
