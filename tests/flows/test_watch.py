"""Watching: what is saved in a folder is in the inbox at once, and nothing is lost that should not be."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest

from flows.watch import FLOOD, Losses, Watcher
from index.store import Store
from tasks.discover import Configured, FolderSource
from tasks.sources.address import Watch
from tasks.sources.patterns import Patterns
from tests.bench import Bench

SOON_S = 2.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.md").write_text("Text of a.")
    return folder


@contextmanager
def watching(store: Store, folder: Path, watch: Watch = "yes", patterns: Patterns | None = None) -> Iterator[Watcher]:
    """A watcher that has caught up with what was in the folder before."""
    source = FolderSource("notes", folder, patterns or Patterns())
    watcher = Watcher(store, {"notes": Configured(source, timedelta(minutes=5), watch)})
    watcher.start()
    soon(lambda: watcher._watches[0].losses.size > 0, 5.0)
    try:
        yield watcher
    finally:
        watcher.stop()


def soon(is_so: Callable[[], bool], within_s: float = SOON_S) -> None:
    until = monotonic() + within_s
    while not is_so():
        assert monotonic() < until, "it did not happen in time"
        sleep(0.02)


def waiting(store: Store) -> dict[str, str]:
    return {doc_id.removeprefix("notes:"): write.action for doc_id, write in store.inbox.pending().items()}


def test_what_is_there_at_the_start_is_swept(bench: Bench, folder: Path):
    with watching(bench.store, folder):
        assert waiting(bench.store) == {"a.md": "put"}


@pytest.mark.thorough
def test_a_saved_file_is_in_the_inbox_within_two_seconds(bench: Bench, folder: Path):
    with watching(bench.store, folder):
        (folder / "b.md").write_text("Text of b.")
        soon(lambda: "b.md" in waiting(bench.store))
        assert [segment.lane for segment in bench.store.inbox.segments()] == ["bulk", "express"]
        (folder / "b.md").write_text("New text of b.")
        soon(lambda: len(bench.store.inbox.segments()) == 3)
        bench.drain()
        assert bench.found("new") == ["notes:b.md", "notes:a.md"]


def test_an_editor_that_replaces_the_file_is_followed(bench: Bench, folder: Path):
    with watching(bench.store, folder):
        bench.drain()
        (folder / ".a.md.swp").write_text("New text of a.")
        (folder / ".a.md.swp").replace(folder / "a.md")
        soon(lambda: waiting(bench.store) == {"a.md": "put"})
        assert bench.store.inbox.segments()[0].writes == 1


@pytest.mark.thorough
def test_a_file_that_goes_or_gets_another_name_is_followed(bench: Bench, folder: Path):
    (folder / "b.md").write_text("Text of b.")
    with watching(bench.store, folder):
        bench.drain()
        (folder / "a.md").unlink()
        soon(lambda: waiting(bench.store) == {"a.md": "delete"})
        (folder / "b.md").rename(folder / "c.md")
        soon(lambda: waiting(bench.store) == {"a.md": "delete", "b.md": "delete", "c.md": "put"})


@pytest.mark.thorough
def test_a_folder_that_comes_goes_or_gets_another_name_is_followed_with_what_is_in_it(bench: Bench, folder: Path, tmp_path: Path):
    ready = tmp_path / "ready" / "deep"
    ready.mkdir(parents=True)
    (ready / "d.md").write_text("Text of d.")
    with watching(bench.store, folder):
        bench.drain()
        (tmp_path / "ready").rename(folder / "in")
        soon(lambda: waiting(bench.store) == {"in/deep/d.md": "put"})
        bench.drain()
        (folder / "in" / "deep").rename(folder / "in" / "deeper")
        soon(lambda: waiting(bench.store) == {"in/deep/d.md": "delete", "in/deeper/d.md": "put"})
        bench.drain()
        shutil.rmtree(folder / "in")
        soon(lambda: waiting(bench.store) == {"in/deeper/d.md": "delete"})


def test_what_is_left_out_of_the_source_is_not_taken(bench: Bench, folder: Path):
    with watching(bench.store, folder, patterns=Patterns(exclude=("drafts/",))):
        (folder / "drafts").mkdir()
        (folder / "drafts" / "x.md").write_text("x")
        (folder / "photo.png").write_bytes(b"\x89PNG")
        (folder / ".hidden.md").write_text("x")
        (folder / "b.md").write_text("Text of b.")
        soon(lambda: "b.md" in waiting(bench.store))
        assert waiting(bench.store) == {"a.md": "put", "b.md": "put"}


def test_a_burst_of_files_is_taken_whole(bench: Bench, folder: Path):
    with watching(bench.store, folder):
        for i in range(500):
            (folder / f"{i}.md").write_text(f"number {i}")
        soon(lambda: len(waiting(bench.store)) == 501, 5.0)


@pytest.mark.thorough
def test_a_flood_is_met_with_a_sweep(bench: Bench, folder: Path):
    with watching(bench.store, folder) as watcher:
        for i in range(FLOOD + 1):
            (folder / f"{i}.md").touch()
        watcher._watches[0].take(folder / f"{i}.md" for i in range(FLOOD + 1))
        soon(lambda: len(waiting(bench.store)) == FLOOD + 2, 20.0)


@pytest.mark.thorough
def test_many_files_that_go_are_not_removed_until_a_sweep_has_asked(bench: Bench, folder: Path, caplog: pytest.LogCaptureFixture):
    for i in range(20):
        (folder / f"{i}.md").write_text(f"number {i}")
    with watching(bench.store, folder), caplog.at_level(logging.WARNING, "groundwork.watch"):
        bench.drain()
        for i in range(20):
            (folder / f"{i}.md").unlink()
            sleep(0.03)
        soon(lambda: "together more than a tenth" in caplog.text, 3.0)
        assert len(waiting(bench.store)) <= 5


@pytest.mark.thorough
def test_a_folder_that_is_away_loses_nothing_and_is_followed_again_when_it_is_back(bench: Bench, folder: Path):
    with watching(bench.store, folder):
        bench.drain()
        away = folder.with_name("away")
        folder.rename(away)
        (away / "b.md").write_text("Text of b.")
        sleep(0.8)
        assert waiting(bench.store) == {}
        away.rename(folder)
        soon(lambda: waiting(bench.store) == {"b.md": "put"}, 4.0)
        (folder / "c.md").write_text("Text of c.")
        soon(lambda: "c.md" in waiting(bench.store))


@pytest.mark.thorough
def test_a_folder_can_be_looked_at_instead(bench: Bench, folder: Path):
    with watching(bench.store, folder, "poll"):
        (folder / "b.md").write_text("Text of b.")
        soon(lambda: "b.md" in waiting(bench.store), 4.0)


def test_when_changes_can_not_be_told_it_looks_for_them(bench: Bench, folder: Path, caplog: pytest.LogCaptureFixture):
    with watching(bench.store, folder) as watcher:
        pass
    watcher._watches[0]._after_failure(OSError("OS file watch limit reached"))
    watcher._watches[0]._after_failure(OSError("OS file watch limit reached"))
    assert watcher._watches[0].polls
    assert caplog.text.count("OS file watch limit reached") == 1


def test_a_source_that_is_not_to_be_watched_is_not(store: Store, folder: Path):
    watcher = Watcher(store, {"notes": Configured(FolderSource("notes", folder), timedelta(minutes=5), "no")})
    assert watcher._watches == []


def test_a_tenth_may_go_in_the_time_between_two_sweeps():
    losses = Losses(timedelta(seconds=0.1), size=100)
    assert [losses.allow(4), losses.allow(6), losses.allow(1)] == [True, True, False]
    sleep(0.12)
    assert losses.allow(10)
    assert Losses(timedelta(minutes=5)).allow(5)
    assert not Losses(timedelta(minutes=5)).allow(6)
