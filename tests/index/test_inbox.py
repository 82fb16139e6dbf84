"""The inbox: accepted is durable, ordered, and waits until it is acknowledged."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pytest

from index import schema
from index.documents import Draft, content_hash
from index.errors import Unavailable
from index.inbox import Inbox, Limits

YEAR_2242 = 8_600_000_000_000_000  # microseconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


def waiting_ids(inbox: Inbox) -> list[str]:
    return [write.doc_id for segment in inbox.segments() for write in inbox.read(segment.name)]


def test_what_was_accepted_is_there_for_another_process(folder: Path):
    draft = Draft("notes/a b.md", "put", "http", "text/markdown", b"# A\xff", "Title", "file:///a", {"year": 2024, "open": True, "n": 1.5})
    [write] = Inbox(folder).accept([draft])
    inbox = Inbox(folder)
    [segment] = inbox.segments()
    assert inbox.read(segment.name) == [write]
    assert segment.writes == 1
    assert (segment.lane, segment.size) == ("bulk", len(draft.content))


def test_a_deletion_waits_like_a_document(folder: Path):
    Inbox(folder).accept([Draft("a", "delete")])
    inbox = Inbox(folder)
    [write] = inbox.read(inbox.segments()[0].name)
    assert write.draft == Draft("a", "delete")


def test_an_empty_request_leaves_nothing(folder: Path):
    assert Inbox(folder).accept([]) == []
    assert Inbox(folder).is_empty()


def test_writes_are_listed_in_the_order_of_acceptance(folder: Path):
    inbox = Inbox(folder)
    for doc_id in ("c", "a", "b"):
        inbox.accept([Draft(doc_id), Draft(f"{doc_id}2")])
    assert waiting_ids(Inbox(folder)) == ["c", "c2", "a", "a2", "b", "b2"]


def test_revisions_grow_strictly_over_two_processes_in_turn(folder: Path):
    one, other = Inbox(folder), Inbox(folder)
    revisions = [write.revision for inbox in (one, other) * 20 for write in inbox.accept([Draft("a"), Draft("b")])]
    assert all(earlier < later for earlier, later in pairwise(revisions))


def test_no_revision_is_given_twice_when_many_accept_at_once(folder: Path):
    revisions: list[int] = []

    def accept() -> None:
        inbox = Inbox(folder)
        for _ in range(10):
            revisions.extend(write.revision for write in inbox.accept([Draft("a"), Draft("b")]))

    threads = [Thread(target=accept) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(revisions)) == 80
    assert len(waiting_ids(Inbox(folder))) == 80


def test_revisions_grow_when_the_clock_goes_back(folder: Path):
    Inbox(folder)
    (folder / "clock").write_text(str(YEAR_2242))
    first, second = Inbox(folder).accept([Draft("a"), Draft("b")])
    [third] = Inbox(folder).accept([Draft("c")])
    assert (first.revision, second.revision, third.revision) == (YEAR_2242 + 1, YEAR_2242 + 2, YEAR_2242 + 3)


def test_acknowledged_segments_are_gone_and_the_others_stay(folder: Path):
    inbox = Inbox(folder)
    inbox.accept([Draft("a")])
    inbox.accept([Draft("b")])
    inbox.acknowledge([inbox.segments()[0].name])
    assert waiting_ids(Inbox(folder)) == ["b"]
    inbox.acknowledge([segment.name for segment in inbox.segments()])
    assert inbox.is_empty()


def test_acknowledging_twice_is_no_error(folder: Path):
    inbox = Inbox(folder)
    inbox.accept([Draft("a")])
    name = inbox.segments()[0].name
    inbox.acknowledge([name])
    inbox.acknowledge([name])
    with pytest.raises(FileNotFoundError):
        inbox.read(name)


def test_pending_shows_the_newest_write_of_each_document(folder: Path):
    inbox = Inbox(folder)
    inbox.accept([Draft("a", content=b"old"), Draft("b", content=b"b")])
    [newer] = inbox.accept([Draft("a", content=b"new", source="notes")])
    pending = inbox.pending()
    assert set(pending) == {"a", "b"}
    assert (pending["a"].revision, pending["a"].source) == (newer.revision, "notes")
    assert pending["a"].content_hash == content_hash(b"new")


def test_pending_follows_what_other_processes_accept_and_acknowledge(folder: Path):
    here, there = Inbox(folder), Inbox(folder)
    there.accept([Draft("a")])
    assert set(here.pending()) == {"a"}
    there.accept([Draft("b", "delete")])
    assert {doc_id: waiting.action for doc_id, waiting in here.pending().items()} == {"a": "put", "b": "delete"}
    there.acknowledge([there.segments()[0].name])
    assert set(here.pending()) == {"b"}


def test_a_half_written_segment_is_never_listed(folder: Path):
    inbox = Inbox(folder)
    (folder / "staging" / f"{YEAR_2242:017d}-1-deadbeef.arrow").write_bytes(b"ARROW1 and then the power failed")
    assert inbox.segments() == []
    assert inbox.pending() == {}
    assert inbox.is_empty()


def test_a_segment_is_a_plain_arrow_file(folder: Path):
    inbox = Inbox(folder)
    inbox.accept([Draft("a", content=b"text")])
    with pa.OSFile(str(folder / inbox.segments()[0].name)) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.schema == schema.WRITES
    assert table["content"].to_pylist() == [b"text"]


def test_past_the_bound_nothing_is_taken_and_the_wait_is_honest(folder: Path):
    inbox = Inbox(folder, Limits(documents=10))
    assert inbox.accept_all([[Draft(f"d{n}") for n in range(6)]]) == 6
    with pytest.raises(Unavailable, match="the inbox is full: 6 documents") as refused:
        inbox.accept_all([[Draft("x")], [Draft(f"e{n}") for n in range(5)]])
    assert len(waiting_ids(inbox)) == 6
    assert refused.value.retry_after_s == 1  # 2 documents too many, at 10 a second as long as nothing is measured
    (folder / "rate").write_text("0.1")
    with pytest.raises(Unavailable) as slow:
        inbox.accept([Draft(f"e{n}") for n in range(6)])
    assert slow.value.retry_after_s == 20


def test_a_request_above_the_bound_is_taken_when_nothing_else_waits(folder: Path):
    inbox = Inbox(folder, Limits(documents=3))
    assert inbox.accept_all([[Draft(f"d{n}") for n in range(5)]]) == 5


def test_the_bound_in_bytes_holds_too(folder: Path):
    inbox = Inbox(folder, Limits(bytes=100))
    inbox.accept([Draft("a", content=b"x" * 60)])
    with pytest.raises(Unavailable, match="the inbox is full"):
        inbox.accept([Draft("b", content=b"x" * 60)])


def test_a_disk_that_is_nearly_full_is_refused_before_it_is_full(folder: Path):
    inbox = Inbox(folder, Limits(free_bytes=2**62))
    with pytest.raises(Unavailable, match="the disk is nearly full"):
        inbox.accept([Draft("a")])
    assert inbox.is_empty()


def test_what_killed_processes_left_half_written_is_removed_after_a_while(folder: Path):
    inbox = Inbox(folder)
    (folder / "staging" / "old").write_bytes(b"half")
    assert inbox.clean(timedelta(hours=1)) == 0
    assert inbox.clean(timedelta(0)) == 1


def test_listing_what_waits_reads_no_content(folder: Path):
    inbox = Inbox(folder)
    inbox.accept([Draft("a", content=b"x" * 100)], "express")
    inbox.accept([Draft("b"), Draft("c")], "bulk")
    assert (inbox.backlog().documents, inbox.backlog().bytes) == (3, 100)
    assert [segment.lane for segment in inbox.segments()] == ["express", "bulk"]
    assert [segment.writes for segment in inbox.segments("bulk")] == [2]
