"""Sweeps: what differs goes into the inbox, and a doubtful listing deletes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from index.documents import Draft
from tasks.discover import FolderSource
from tasks.sweep import SEGMENT_BYTES, SEGMENT_DOCUMENTS, Changes, differences, needs_confirmation, segments, sweep
from tests.bench import Bench


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.md").write_text(f"Text of {name}.")
    return folder


def waiting(bench: Bench) -> dict[str, str]:
    return {doc_id: write.action for doc_id, write in bench.store.inbox.pending().items()}


def test_differences_are_added_changed_and_removed():
    changes = differences(found={"a": "1", "b": "2", "c": "3"}, known={"b": "2", "c": "0", "d": "4"})
    assert changes == Changes(added=("a",), changed=("c",), removed=("d",), unchanged=1)
    assert changes.written == {"a", "c"}


@pytest.mark.parametrize(
    ("removed", "known", "asks"), [(5, 10, False), (6, 10, True), (5, 5, False), (10, 100, False), (11, 100, True), (0, 0, False)]
)
def test_removing_more_than_a_tenth_and_a_handful_asks_first(removed: int, known: int, asks: bool):
    assert needs_confirmation(Changes((), (), ("x",) * removed, 0), known) is asks


def test_a_first_sweep_hands_in_everything(bench: Bench, folder: Path):
    result = sweep(bench.store, FolderSource("notes", folder))
    assert result.changes.added == ("notes:a.md", "notes:b.md", "notes:c.md")
    assert waiting(bench) == {"notes:a.md": "put", "notes:b.md": "put", "notes:c.md": "put"}


def test_a_second_sweep_hands_in_what_differs(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    (folder / "a.md").write_text("New text of a.")
    (folder / "b.md").unlink()
    (folder / "d.md").write_text("Text of d.")
    result = sweep(bench.store, source)
    assert result.changes == Changes(("notes:d.md",), ("notes:a.md",), ("notes:b.md",), 1)
    assert waiting(bench) == {"notes:a.md": "put", "notes:b.md": "delete", "notes:d.md": "put"}
    bench.drain()
    assert sorted(bench.found("text")) == ["notes:a.md", "notes:c.md", "notes:d.md"]


def test_sweeping_again_hands_in_nothing_also_while_it_still_waits(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    assert sweep(bench.store, source).changes == Changes((), (), (), 3)
    bench.drain()
    assert sweep(bench.store, source).changes == Changes((), (), (), 3)
    assert bench.store.inbox.is_empty()


def test_a_file_that_was_set_aside_is_not_handed_in_again_until_it_changes(bench: Bench, folder: Path):
    (folder / "a.md").write_bytes(b"\x00")
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    assert sweep(bench.store, source).changes.unchanged == 3
    (folder / "a.md").write_text("Text after all.")
    assert sweep(bench.store, source).changes.changed == ("notes:a.md",)


def test_a_file_that_comes_back_is_added_again(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    (folder / "a.md").unlink()
    sweep(bench.store, source)
    bench.drain()
    (folder / "a.md").write_text("Text of a.")
    assert sweep(bench.store, source).changes.added == ("notes:a.md",)


def test_a_sweep_removes_only_what_came_from_its_source(bench: Bench, folder: Path):
    bench.put("http document", "text")
    bench.put("other:a.md", "text", source="other")
    assert sweep(bench.store, FolderSource("notes", folder)).changes.removed == ()


def test_a_listing_that_fails_deletes_nothing(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    folder.rename(folder.with_name("unmounted"))
    with pytest.raises(OSError, match="not a folder"):
        sweep(bench.store, source)
    assert bench.store.inbox.is_empty()


@dataclass(frozen=True)
class BrokenOff:
    """A source whose listing fails after some documents."""

    name: str = "notes"

    def drafts(self) -> Iterator[Draft]:
        yield Draft("notes:new.md", source="notes", content=b"text")
        raise OSError("the connection was lost")


def test_a_listing_that_breaks_off_hands_in_nothing(bench: Bench):
    bench.put("notes:old.md", "text", source="notes")
    with pytest.raises(OSError, match="connection was lost"):
        sweep(bench.store, BrokenOff())
    assert bench.store.inbox.is_empty()


def test_many_removals_wait_until_somebody_confirms_and_the_rest_goes_on(bench: Bench, folder: Path):
    for i in range(7):
        (folder / f"old{i}.md").write_text("old")
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    for path in folder.glob("old*.md"):
        path.unlink()
    (folder / "new.md").write_text("new")
    result = sweep(bench.store, source)
    assert (result.withheld, len(result.changes.removed)) == (True, 7)
    assert waiting(bench) == {"notes:new.md": "put"}
    result = sweep(bench.store, source, confirm_removals=True)
    assert not result.withheld
    assert sorted(waiting(bench).values()) == ["delete"] * 7 + ["put"]


def test_a_large_sweep_is_cut_into_segments_by_number_and_size():
    small = [Draft(str(i), content=b"x") for i in range(SEGMENT_DOCUMENTS + 1)]
    assert [len(piece) for piece in segments(small)] == [SEGMENT_DOCUMENTS, 1]
    large = [Draft(str(i), content=b"x" * (SEGMENT_BYTES // 2)) for i in range(4)]
    assert [len(piece) for piece in segments(large)] == [2, 2]
    assert [len(piece) for piece in segments([Draft("huge", content=b"x" * (SEGMENT_BYTES + 1)), Draft("b")])] == [1, 1]
    assert list(segments([])) == []
