"""Files of rows as sources."""

import base64
import json
from pathlib import Path

import pytest

from index.documents import Draft
from tasks.compare import Changes
from tasks.sources.ndjson import NdjsonSource
from tasks.sources.port import Gap, Listed, Skipped
from tasks.sweep import sweep
from tests.bench import Bench


def written(path: Path, *rows: object) -> NdjsonSource:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return NdjsonSource("rows", path)


def read(source: NdjsonSource) -> list[Draft | Skipped]:
    return list(source.read([item for item in source.listing() if isinstance(item, Listed)]))


def test_each_row_is_a_document_as_it_would_be_over_http(tmp_path: Path):
    source = written(
        tmp_path / "rows.ndjson",
        {"doc_id": "a/1", "text": "Café", "title": "A", "uri": "x:1", "metadata": {"year": 2026, "open": True}},
        "",
        {"doc_id": "b", "content_base64": base64.b64encode(b"<p>b").decode(), "media_type": "text/html"},
    )
    assert read(source) == [
        Draft("rows:a/1", "put", "rows", "text/plain", "Café".encode(), "A", "x:1", {"year": 2026, "open": True}),
        Draft("rows:b", "put", "rows", "text/html", b"<p>b", ""),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"doc_id": "a"}, "give the document as 'text' or as 'content_base64'"),
        ({"doc_id": "a", "text": "x", "content_base64": "eA=="}, "one of the two"),
        ({"doc_id": "a", "content_base64": "?"}, "not valid base64"),
        ({"doc_id": "a", "text": "x", "metadata": {"size": 10**30}}, "metadata.size must be finite and fit into 64 bits"),
        ({"doc_id": "a", "text": "x", "colour": "red"}, "unknown field `colour`"),
        ({"doc_id": "a", "text": 1}, "Expected `str | null`"),
    ],
)
def test_a_row_that_is_no_document_is_skipped_and_the_others_are_read(tmp_path: Path, row: object, reason: str):
    first, second = read(written(tmp_path / "rows.ndjson", row, {"doc_id": "b", "text": "x"}))
    assert isinstance(first, Skipped)
    assert first.reason.startswith("invalid: ")
    assert reason in first.reason
    assert second.doc_id == "rows:b"


@pytest.mark.parametrize(
    "line", ['{"doc_id": "a", "te', "[]", '{"text": "x"}', '{"doc_id": ""}', "[" * 100_000, '{"doc_id": "a", "text": "\\ud800"}']
)
def test_a_line_whose_document_can_not_be_told_is_a_gap(tmp_path: Path, line: str):
    source = written(tmp_path / "rows.ndjson", {"doc_id": "b", "text": "x"}, line)
    listed, gap = source.listing()
    assert isinstance(listed, Listed)
    assert isinstance(gap, Gap)
    assert (gap.where, gap.reason.partition(":")[0]) == ("line 2", "invalid")


def test_a_file_that_is_away_is_an_error_and_not_an_empty_source(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        list(NdjsonSource("rows", tmp_path / "rows.ndjson").listing())


def test_a_file_that_is_written_while_it_is_swept_is_an_error(tmp_path: Path):
    source = written(tmp_path / "rows.ndjson", {"doc_id": "a", "text": "x"})
    listed = [item for item in source.listing() if isinstance(item, Listed)]
    written(tmp_path / "rows.ndjson", {"doc_id": "b", "text": "x"})
    with pytest.raises(OSError, match="was written while it was swept"):
        list(source.read(listed))


def test_sweeps_find_what_changed_in_a_row_be_it_only_its_metadata(bench: Bench, tmp_path: Path):
    path = tmp_path / "rows.ndjson"
    one, two, three = ({"doc_id": str(i), "text": f"Text {i}.", "title": f"Title {i}"} for i in range(3))
    sweep(bench.store, written(path, one, two, three))
    bench.drain()
    embedded = len(bench.embedder.embedded)
    result = sweep(bench.store, written(path, two | {"metadata": {"year": 2026}}, {"text": "Text 0.", "title": "Title 0", "doc_id": "0"}))
    assert result.changes == Changes((), ("rows:1",), ("rows:2",), 1)
    bench.drain()
    assert bench.found("text", filter={"metadata.year": 2026}) == ["rows:1"]
    assert len(bench.embedder.embedded) == embedded
    untitled = {"doc_id": "0", "text": "Text 0."}
    (bench.store.folder / "stamps" / "rows.sqlite").unlink()
    assert sweep(bench.store, written(path, two | {"metadata": {"year": 2026}}, untitled)).changes == Changes((), ("rows:0",), (), 1)
