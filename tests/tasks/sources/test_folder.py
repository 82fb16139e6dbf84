"""Folders as sources."""

import os
from pathlib import Path
from time import perf_counter

import pytest

from index.documents import Draft
from tasks.parse import MAX_BYTES
from tasks.sources.folder import FolderSource
from tasks.sources.patterns import Patterns
from tasks.sources.port import Gap, Listed, Skipped
from tests.privileges import locked_folder, without_privileges


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.md").write_text("# A")
    (folder / "deep" / "er" / "b c.TXT").write_text("b")
    (folder / "page.html").write_text("<p>page")
    return folder


def ids(folder: Path, patterns: Patterns | None = None) -> list[str]:
    source = FolderSource("notes", folder, patterns or Patterns())
    return [item.doc_id for item in source.listing() if isinstance(item, Listed)]


def test_each_file_is_a_document_named_by_source_and_path(folder: Path):
    source = FolderSource("notes", folder)
    listed = [item for item in source.listing() if isinstance(item, Listed)]
    drafts = {draft.doc_id: draft for draft in source.read(listed) if isinstance(draft, Draft)}
    assert list(drafts) == ["notes:a.md", "notes:deep/er/b c.TXT", "notes:page.html"]
    page = drafts["notes:page.html"]
    assert (page.source, page.media_type, page.content) == ("notes", "text/html", b"<p>page")
    assert drafts["notes:deep/er/b c.TXT"].uri == (folder / "deep" / "er" / "b c.TXT").as_uri()
    assert [item.size for item in listed] == [3, 1, 7]


def test_hidden_files_and_folders_are_skipped(folder: Path):
    (folder / ".secret.md").write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git" / "readme.md").write_text("x")
    (folder / "deep" / ".cache").mkdir()
    (folder / "deep" / ".cache" / "c.md").write_text("x")
    assert ids(folder) == ["notes:a.md", "notes:deep/er/b c.TXT", "notes:page.html"]


def test_patterns_choose_among_the_files(folder: Path):
    assert ids(folder, Patterns(include=("*.md", "deep/"))) == ["notes:a.md", "notes:deep/er/b c.TXT"]
    assert ids(folder, Patterns(exclude=("deep/",))) == ["notes:a.md", "notes:page.html"]


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
    assert len(ids(folder)) == 3


def test_links_to_files_are_followed_and_links_to_folders_are_not(folder: Path, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.md").write_text("x")
    (folder / "link.md").symlink_to(tmp_path / "outside" / "x.md")
    (folder / "round").symlink_to(folder)
    assert ids(folder) == ["notes:a.md", "notes:deep/er/b c.TXT", "notes:link.md", "notes:page.html"]


def test_a_file_that_is_too_large_is_there_and_skipped(folder: Path):
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    [skipped] = [item for item in FolderSource("notes", folder).listing() if isinstance(item, Skipped)]
    assert (skipped.doc_id, skipped.reason.partition(":")[0]) == ("notes:huge.txt", "too_large")


def test_a_file_that_has_grown_or_gone_since_it_was_listed_is_skipped(folder: Path):
    source = FolderSource("notes", folder)
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    read = list(source.read([Listed("notes:huge.txt", at="huge.txt"), Listed("notes:gone.md", at="gone.md")]))
    assert read == [
        Skipped("notes:huge.txt", f"too_large: at most {MAX_BYTES} bytes are taken"),
        Skipped("notes:gone.md", "unreadable: No such file or directory"),
    ]


def test_names_that_can_not_be_part_of_an_id_are_skipped(folder: Path):
    for name in (b"caf\xe9.md", b"two\nlines.md"):
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_text("x")
    assert len(ids(folder)) == 3


def test_a_missing_folder_is_an_error_and_not_an_empty_source(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"source notes: .* is not a folder"):
        ids(tmp_path / "missing")


def test_a_folder_that_can_not_be_read_is_a_gap_and_a_file_is_skipped():
    with locked_folder() as folder:
        source = FolderSource("notes", folder)
        with without_privileges():
            seen = list(source.listing())
            assert [item for item in seen if isinstance(item, Gap)] == [Gap("locked", "the folder can't be read: Permission denied")]
            listed = [item for item in seen if isinstance(item, Listed)]
            assert list(source.read(listed)) == [Skipped("notes:b.md", "unreadable: Permission denied")]


def test_a_folder_that_vanishes_while_it_is_listed_is_a_gap(folder: Path):
    listing = FolderSource("notes", folder).listing()
    assert isinstance(next(listing), Listed)
    (folder / "deep").rename(folder.with_name("elsewhere"))
    assert next(listing) == Gap("deep", "the folder can't be read: No such file or directory")


def test_a_young_file_has_no_stamp_and_an_old_one_has(folder: Path):
    def stamps(racy_ns: int) -> set[str]:
        return {item.stamp for item in FolderSource("notes", folder, racy_ns=racy_ns).listing() if isinstance(item, Listed)}

    assert stamps(racy_ns=60_000_000_000) == {""}
    assert len(stamps(racy_ns=0)) == 3
    assert stamps(racy_ns=0) == stamps(racy_ns=0)


def test_a_part_is_what_is_at_the_given_paths_now(folder: Path):
    source = FolderSource("notes", folder, Patterns(exclude=("page.*",)))
    paths = [folder / name for name in ("a.md", "deep", "page.html", "gone.md", "folder.md")]
    assert [item.doc_id for item in source.part(paths) if isinstance(item, Listed)] == ["notes:a.md", "notes:deep/er/b c.TXT"]
    assert list(FolderSource("notes", folder, Patterns(exclude=("deep/",))).part([folder / "deep", folder / "deep" / "er"])) == []


def test_the_files_of_the_platform_itself_are_left_out(folder: Path):
    (folder / "data" / "index").mkdir(parents=True)
    (folder / "data" / "index" / "x.md").write_text("x")
    source = FolderSource("notes", folder, without=folder / "data")
    assert [item.doc_id for item in source.listing() if isinstance(item, Listed)] == ids(folder, Patterns(exclude=("data/",)))
    assert list(source.part([folder / "data", folder / "data" / "index" / "x.md"])) == []
    assert source.covers(folder / "data.md")


@pytest.mark.thorough
def test_twenty_thousand_files_are_listed_in_a_second_or_two(tmp_path: Path):
    for i in range(200):
        (tmp_path / f"{i}").mkdir()
        for j in range(100):
            (tmp_path / f"{i}" / f"{j}.md").touch()
    began = perf_counter()
    assert sum(1 for _ in FolderSource("notes", tmp_path).listing()) == 20_000
    assert perf_counter() - began < 5
