"""Sources: folders, and the sample that every machine has."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest

from index.errors import Misconfigured
from tasks.discover import FolderSource, SampleSource, direct_dependencies, sources
from tasks.parse import MAX_BYTES, parse


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.md").write_text("# A")
    (folder / "deep" / "er" / "b c.TXT").write_text("b")
    (folder / "page.html").write_text("<p>page")
    return folder


def ids(folder: Path) -> list[str]:
    return [draft.doc_id for draft in FolderSource("notes", folder).drafts()]


def test_each_file_is_a_document_named_by_source_and_path(folder: Path):
    drafts = {draft.doc_id: draft for draft in FolderSource("notes", folder).drafts()}
    assert list(drafts) == ["notes:a.md", "notes:deep/er/b c.TXT", "notes:page.html"]
    page = drafts["notes:page.html"]
    assert (page.source, page.media_type, page.content) == ("notes", "text/html", b"<p>page")
    assert drafts["notes:deep/er/b c.TXT"].uri == (folder / "deep" / "er" / "b c.TXT").as_uri()


def test_hidden_files_and_folders_are_skipped(folder: Path):
    (folder / ".secret.md").write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "readme.md").write_text("x")
    (folder / "deep" / ".cache").mkdir()
    (folder / "deep" / ".cache" / "c.md").write_text("x")
    assert ids(folder) == ["notes:a.md", "notes:deep/er/b c.TXT", "notes:page.html"]


def test_a_folder_below_a_hidden_one_is_swept_when_it_is_the_source(tmp_path: Path):
    folder = tmp_path / ".config" / "notes"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("x")
    assert ids(folder) == ["notes:a.md"]


def test_other_files_are_skipped(folder: Path):
    (folder / "photo.png").write_bytes(b"\x89PNG")
    (folder / "noextension").write_text("x")
    (folder / "folder.md").mkdir()
    (folder / "broken.md").symlink_to(folder / "nowhere")
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert len(ids(folder)) == 3


def test_names_that_can_not_be_part_of_an_id_are_skipped(folder: Path):
    for name in (b"caf\xe9.md", b"two\nlines.md"):
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_text("x")
    assert len(ids(folder)) == 3


def test_a_missing_folder_is_an_error_and_not_an_empty_source(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"source notes: .* is not a folder"):
        ids(tmp_path / "missing")


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may read everything: give that up for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_that_can_not_be_read_is_an_error_and_not_an_empty_one():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "locked").mkdir()
        (folder / "locked" / "a.md").write_text("x")
        (folder / "locked").chmod(0o000)
        with without_privileges(), pytest.raises(PermissionError):
            ids(folder)
        (folder / "locked").chmod(0o755)


def test_the_sample_has_the_packages_and_the_language_topics():
    drafts = {draft.doc_id: draft for draft in SampleSource().drafts()}
    lancedb, assignment = drafts["sample:package/lancedb"], drafts["sample:python/assignment"]
    assert lancedb.metadata == {"kind": "package", "name": "lancedb", "version": metadata.version("lancedb")}
    assert (lancedb.media_type, lancedb.uri) == ("text/markdown", "package:lancedb")
    assert (lancedb.title or "").startswith("lancedb: ")
    assert (assignment.title, assignment.metadata) == ("Python language: assignment", {"kind": "python topic", "name": "assignment"})
    assert {draft.source for draft in drafts.values()} == {"sample"}
    assert len(drafts) > 80


def test_every_document_of_the_sample_can_be_parsed():
    for draft in SampleSource().drafts():
        assert parse(draft).text


def test_the_sample_is_of_the_direct_runtime_dependencies():
    dependencies = direct_dependencies()
    assert {"lancedb", "prefect", "litestar", "ragas", "great-expectations", "sentence-transformers"} <= set(dependencies)
    assert "pytest" not in dependencies


def test_sources_are_named_by_their_folders(tmp_path: Path):
    found = sources((str(tmp_path / "notes"), str(tmp_path / "wiki")), sample=True)
    assert list(found) == ["sample", "notes", "wiki"]
    assert found["notes"] == FolderSource("notes", tmp_path / "notes")
    assert sources((), sample=False) == {}


@pytest.mark.parametrize(
    ("folders", "reason"),
    [
        (("/a/notes", "/b/notes"), "two sources are named 'notes'; rename one folder"),
        (("/a/sample",), "two sources are named 'sample'"),
        (("s3://bucket/notes",), "s3://bucket/notes is not a folder; only folders can be swept so far"),
    ],
)
def test_sources_that_can_not_be_told_apart_or_read_are_refused(folders: tuple[str, ...], reason: str):
    with pytest.raises(Misconfigured, match=reason):
        sources(folders, sample=True)
