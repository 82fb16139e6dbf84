"""Sweeps: what differs goes into the inbox, and a doubtful listing deletes nothing."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from index.documents import Draft
from index.inbox import Inbox, Limits
from tasks.compare import Changes
from tasks.discover import FolderSource
from tasks.parse import MAX_BYTES
from tasks.sources.port import Gap, Listed, Seen, Skipped
from tasks.sweep import SEGMENT_BYTES, SEGMENT_DOCUMENTS, Progress, segments, sweep, sweep_part
from tests.bench import Bench


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.md").write_text(f"Text of {name}.")
    return folder


def settled(folder: Path) -> FolderSource:
    """A folder whose times can be trusted at once: nobody writes its files twice in a moment."""
    return FolderSource("notes", folder, racy_ns=0)


def waiting(bench: Bench) -> dict[str, str]:
    return {doc_id: write.action for doc_id, write in bench.store.inbox.pending().items()}


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


@pytest.mark.thorough
def test_a_file_that_comes_back_is_added_again(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    (folder / "a.md").unlink()
    sweep(bench.store, source)
    bench.drain()
    (folder / "a.md").write_text("Text of a.")
    assert sweep(bench.store, source).changes.added == ("notes:a.md",)


@pytest.mark.thorough
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
class Scripted:
    """A source that lists what it is told to, and has the text of an id as its content."""

    listed: tuple[Seen, ...]
    fails: bool = False
    name: str = "notes"
    uri: str = "scripted:"

    def listing(self) -> Iterator[Seen]:
        yield from self.listed
        if self.fails:
            raise OSError("the connection was lost")

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        for item in listed:
            if item.at == "locked":
                yield Skipped(item.doc_id, "unreadable: Permission denied")
            else:
                yield Draft(item.doc_id, source=self.name, content=(item.at or item.doc_id).encode())


def test_a_listing_that_breaks_off_deletes_nothing(bench: Bench):
    bench.put("notes:old.md", "text", source="notes")
    with pytest.raises(OSError, match="connection was lost"):
        sweep(bench.store, Scripted((Listed("notes:new.md"),), fails=True))
    assert "delete" not in waiting(bench).values()
    bench.drain()
    result = sweep(bench.store, Scripted((Listed("notes:new.md"),)))
    assert result.changes == Changes(("notes:new.md",), (), ("notes:old.md",), 0)


def test_a_listing_with_a_gap_deletes_nothing_and_the_rest_goes_on(bench: Bench):
    bench.put("notes:locked/old.md", "text", source="notes")
    gap = Gap("locked", "the folder can't be read: Permission denied")
    result = sweep(bench.store, Scripted((gap, Listed("notes:new.md"))))
    assert (result.gaps, result.changes.removed, result.changes.added) == ((gap,), (), ("notes:new.md",))
    assert waiting(bench) == {"notes:new.md": "put"}


def test_a_document_that_can_not_be_read_keeps_what_was_indexed(bench: Bench):
    bench.put("notes:a.md", "text", source="notes")
    result = sweep(bench.store, Scripted((Listed("notes:a.md", at="locked"), Listed("notes:b.md"))))
    assert result.skipped == (Skipped("notes:a.md", "unreadable: Permission denied"),)
    assert waiting(bench) == {"notes:b.md": "put"}


def test_a_document_that_is_listed_twice_is_taken_once(bench: Bench):
    result = sweep(bench.store, Scripted((Listed("notes:a.md", at="first"), Listed("notes:a.md", at="second"))))
    assert result.changes.added == ("notes:a.md",)
    assert result.skipped == (Skipped("notes:a.md", "listed twice: the first is taken"),)


def test_a_file_that_grows_too_large_keeps_what_was_indexed(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    with (folder / "a.md").open("ab") as file:
        file.truncate(MAX_BYTES + 1)
    result = sweep(bench.store, source)
    assert (result.changes.removed, [item.doc_id for item in result.skipped]) == ((), ["notes:a.md"])
    assert result.skipped[0].reason.startswith("too_large: ")
    assert bench.store.inbox.is_empty()


@dataclass(frozen=True)
class Counting:
    """A source that notes what is read of another one."""

    source: FolderSource
    reads: list[str]

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def uri(self) -> str:
        return self.source.uri

    def listing(self) -> Iterator[Seen]:
        return self.source.listing()

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        self.reads.extend(item.doc_id for item in listed)
        return self.source.read(listed)


def test_what_looks_as_it_did_is_not_read(bench: Bench, folder: Path):
    source = Counting(settled(folder), [])
    sweep(bench.store, source)
    assert source.reads == ["notes:a.md", "notes:b.md", "notes:c.md"]
    source.reads.clear()
    sweep(bench.store, source)
    bench.drain()
    sweep(bench.store, source)
    assert source.reads == []
    (folder / "b.md").write_text("New text of b.")
    assert sweep(bench.store, source).changes == Changes((), ("notes:b.md",), (), 2)
    assert source.reads == ["notes:b.md"]


def test_the_same_size_and_modification_time_do_not_hide_a_change(bench: Bench, folder: Path):
    source = settled(folder)
    sweep(bench.store, source)
    before = (folder / "a.md").stat()
    (folder / "a.md").write_text("Text of A.")
    os.utime(folder / "a.md", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sweep(bench.store, source).changes.changed == ("notes:a.md",)


def test_a_file_that_was_written_a_moment_ago_is_read_again(bench: Bench, folder: Path):
    source = Counting(FolderSource("notes", folder), [])
    sweep(bench.store, source)
    sweep(bench.store, source)
    assert source.reads == ["notes:a.md", "notes:b.md", "notes:c.md"] * 2


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no database " * 400)])
def test_lost_or_damaged_stamps_cost_reading_and_nothing_else(bench: Bench, folder: Path, damage: Callable[[Path], object]):
    source = Counting(settled(folder), [])
    sweep(bench.store, source)
    bench.drain()
    source.reads.clear()
    damage(bench.store.folder / "stamps" / "notes.sqlite")
    assert sweep(bench.store, source).changes == Changes((), (), (), 3)
    assert len(source.reads) == 3
    assert bench.store.inbox.is_empty()


@pytest.mark.thorough
def test_stamps_that_the_ledger_does_not_agree_with_are_not_trusted(bench: Bench, folder: Path):
    source = settled(folder)
    sweep(bench.store, source)
    bench.drain()
    bench.put("notes:a.md", "Somebody else wrote this.", source="notes")
    assert sweep(bench.store, source).changes.changed == ("notes:a.md",)
    bench.drain()
    bench.delete("notes:b.md")
    assert sweep(bench.store, source).changes.added == ("notes:b.md",)


@pytest.mark.thorough
def test_a_source_at_another_place_is_read_afresh(bench: Bench, folder: Path):
    sweep(bench.store, settled(folder))
    bench.drain()
    folder.rename(folder.with_name("elsewhere"))
    source = settled(folder.with_name("elsewhere"))
    # The bytes are the same; what is shown as their place is not.
    assert sweep(bench.store, source).changes.changed == ("notes:a.md", "notes:b.md", "notes:c.md")
    bench.drain()
    assert bench.store.ledger.get(["notes:a.md"])["notes:a.md"].uri == (folder.with_name("elsewhere") / "a.md").as_uri()


@pytest.mark.thorough
def test_a_moved_file_goes_and_comes_in_the_same_sweep(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    embedded = len(bench.embedder.embedded)
    (folder / "deep").mkdir()
    (folder / "a.md").rename(folder / "deep" / "a.md")
    result = sweep(bench.store, source)
    assert result.changes == Changes(("notes:deep/a.md",), (), ("notes:a.md",), 2, (("notes:a.md", "notes:deep/a.md"),))
    bench.drain()
    assert sorted(bench.found("text")) == ["notes:b.md", "notes:c.md", "notes:deep/a.md"]
    assert len(bench.embedder.embedded) == embedded


def test_moving_everything_loses_nothing_and_asks_nobody(bench: Bench, folder: Path):
    for i in range(20):
        (folder / f"{i}.md").write_text(f"number {i}")
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    (folder / "deep").mkdir()
    for path in folder.glob("*.md"):
        path.rename(folder / "deep" / path.name)
    result = sweep(bench.store, source)
    assert (result.withheld, len(result.changes.removed), len(result.changes.moved)) == (False, 23, 23)


@pytest.mark.thorough
def test_a_full_inbox_is_waited_for_and_nothing_is_lost(bench: Bench, folder: Path):
    for i in range(250):
        (folder / f"{i:03d}.md").write_text(f"number {i}")
    store = replace(bench.store, inbox=Inbox(bench.store.folder / "inbox", Limits(documents=120)))
    waits: list[float] = []
    said: list[str] = []

    def make_room(seconds: float) -> None:
        waits.append(seconds)
        bench.drain()
        store.inbox._counted = (0.0, store.inbox._counted[1])

    result = sweep(store, FolderSource("notes", folder), progress=Progress(said.append, make_room))
    assert len(result.changes.added) == 253
    assert len(waits) == 2
    assert said[0].startswith("notes: the inbox is full: 100 documents")
    bench.drain()
    assert len(bench.store.ledger.hashes_of("notes")) == 253


def test_paths_of_a_folder_are_swept_alone(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    (folder / "deep").mkdir()
    (folder / "deep" / "d.md").write_text("Text of d.")
    sweep(bench.store, source)
    bench.drain()
    (folder / "a.md").unlink()
    (folder / "b.md").write_text("New text of b.")
    (folder / "c.md").write_text("New text of c, which nobody tells of.")
    (folder / "deep").rename(folder / "deeper")
    paths = [folder / name for name in ("a.md", "b.md", "deep", "deeper", "photo.png", ".b.md.swp")]
    result = sweep_part(bench.store, source, paths, lambda lost: lost <= 1)
    assert result.changes == Changes(
        ("notes:deeper/d.md",), ("notes:b.md",), ("notes:a.md", "notes:deep/d.md"), 0, (("notes:deep/d.md", "notes:deeper/d.md"),)
    )
    assert not result.withheld
    assert {segment.lane for segment in bench.store.inbox.segments() if segment.writes} == {"express", "bulk"}


def test_paths_that_lose_too_much_lose_nothing(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    (folder / "a.md").unlink()
    result = sweep_part(bench.store, source, [folder / "a.md"], lambda lost: lost < 1)
    assert (result.withheld, result.changes.removed) == (True, ("notes:a.md",))
    assert bench.store.inbox.is_empty()


@pytest.mark.thorough
def test_what_another_sweep_hands_in_meanwhile_is_neither_read_again_nor_removed(bench: Bench, folder: Path):
    source = FolderSource("notes", folder)
    sweep(bench.store, source)
    bench.drain()
    (folder / "a.md").unlink()

    @dataclass(frozen=True)
    class Late:
        """A listing that is slow: at its end the file is back, and was swept by another."""

        name: str = "notes"
        uri: str = source.uri

        def listing(self) -> Iterator[Seen]:
            yield from source.listing()
            (folder / "a.md").write_text("Text of a is back.")
            sweep_part(bench.store, source, [folder / "a.md"], lambda lost: True)

        def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
            return source.read(listed)

    sweep(bench.store, Late())
    assert waiting(bench) == {"notes:a.md": "put"}
    bench.drain()
    assert "notes:a.md" in bench.found("back")


@pytest.mark.thorough
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
