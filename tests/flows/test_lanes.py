"""What waits is taken in order, in pieces, the express lane first; nothing is left out and nothing starves."""

from pathlib import Path

import pytest

from flows.lanes import MAX_DOCUMENTS, MIN_BYTES, Feed, Lanes, Piece
from index.documents import Draft
from index.inbox import Inbox

UNBOUNDED = 1e9


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


def ids(piece: Piece | None) -> list[str]:
    return [write.doc_id for write in piece.writes] if piece else []


def drafts(*doc_ids: str, size: int = 1) -> list[Draft]:
    return [Draft(doc_id, content=b"x" * size) for doc_id in doc_ids]


def test_a_piece_takes_the_oldest_segments_up_to_its_number_of_documents(inbox):
    for first in range(0, MAX_DOCUMENTS + 100, 50):
        inbox.accept(drafts(*(f"d{first + n}" for n in range(50))))
    feed = Feed(inbox, "bulk")
    assert ids(feed.piece(UNBOUNDED)) == [f"d{n}" for n in range(MAX_DOCUMENTS)]
    feed.done(feed.at_hand)
    assert ids(feed.piece(UNBOUNDED)) == [f"d{n}" for n in range(MAX_DOCUMENTS, MAX_DOCUMENTS + 100)]


def test_a_segment_is_cut_into_pieces_and_acknowledged_after_the_last(inbox):
    inbox.accept(drafts("a", "b", "c", size=100))
    feed = Feed(inbox, "bulk")
    for wanted, left in (["a"], 1), (["b"], 1), (["c"], 0):
        assert ids(feed.piece(150)) == wanted
        feed.done(feed.at_hand)
        assert len(inbox.segments()) == left
    assert feed.piece(150) is None


def test_a_document_above_the_bound_is_a_piece_of_its_own(inbox):
    inbox.accept(drafts("large", size=1000))
    inbox.accept(drafts("small"))
    feed = Feed(inbox, "bulk")
    assert ids(feed.piece(100)) == ["large"]
    feed.done(feed.at_hand)
    assert ids(feed.piece(100)) == ["small"]


def test_a_piece_that_is_not_done_is_handed_out_again(inbox):
    inbox.accept(drafts("a"))
    feed = Feed(inbox, "bulk")
    assert ids(feed.piece(UNBOUNDED)) == ["a"]
    inbox.accept(drafts("b"))
    assert ids(feed.piece(UNBOUNDED)) == ["a"]


def test_a_segment_that_appears_out_of_order_is_not_left_out(inbox, tmp_path):
    inbox.accept(drafts("late"))
    [late] = inbox.segments()
    hidden = tmp_path / "hidden"
    (tmp_path / "inbox" / late.name).rename(hidden)
    inbox.accept(drafts("a", "b", size=100))
    feed = Feed(inbox, "bulk")
    assert ids(feed.piece(100)) == ["a"]
    hidden.rename(tmp_path / "inbox" / late.name)
    feed.done(feed.at_hand)
    assert ids(feed.piece(100)) == ["b"]
    feed.done(feed.at_hand)
    assert ids(feed.piece(100)) == ["late"]


def test_a_damaged_segment_is_set_aside_and_the_others_go_on(inbox, tmp_path):
    inbox.accept(drafts("damaged"))
    (tmp_path / "inbox" / inbox.segments()[0].name).write_bytes(b"no arrow")
    inbox.accept(drafts("good"))
    assert ids(Feed(inbox, "bulk").piece(UNBOUNDED)) == ["good"]
    assert [path.read_bytes() for path in (tmp_path / "inbox" / "damaged").iterdir()] == [b"no arrow"]


def test_a_single_document_goes_before_a_bulk_load_and_neither_starves(inbox):
    lanes = Lanes(inbox)
    inbox.accept(drafts("bulk1", "bulk2", "bulk3", size=10 * MIN_BYTES), "bulk")
    taken = []
    for turn in range(5):
        if turn < 3:
            inbox.accept(drafts(f"single{turn}"), "express")
        piece = lanes.next_piece()
        assert piece is not None
        taken += ids(piece)
        lanes.done(piece, piece.size / (10 * MIN_BYTES))
    assert taken == ["single0", "bulk1", "single1", "single2", "bulk2", "bulk3"]
    assert lanes.next_piece() is None
    assert inbox.is_empty()


def test_pieces_grow_and_shrink_with_the_pace(inbox):
    lanes = Lanes(inbox)
    inbox.accept(drafts(*(f"d{n}" for n in range(2000)), size=1024), "bulk")

    def documents_a_piece(seconds: float) -> int:
        piece = lanes.next_piece()
        assert piece is not None
        lanes.done(piece, seconds)
        return len(piece.writes)

    first = documents_a_piece(0.1)
    faster = documents_a_piece(60.0)
    slower = [documents_a_piece(60.0) for _ in range(5)][-1]
    assert first < faster
    assert slower < faster
    assert slower >= MIN_BYTES // 1024


def test_what_each_batch_takes_by_itself_does_not_make_pieces_small(inbox):
    lanes = Lanes(inbox)
    inbox.accept(drafts(*(f"d{n}" for n in range(2000)), size=1024), "bulk")
    for _ in range(8):
        piece = lanes.next_piece()
        assert piece is not None
        lanes.done(piece, 3.0 + 0.02 * len(piece.writes))
    assert len(piece.writes) == 150


def test_documents_that_are_held_back_come_later_and_keep_their_segment(inbox):
    lanes = Lanes(inbox)
    inbox.accept(drafts("quick", "slow", "last"))
    ready: list[str] = []
    piece = lanes.next_piece(lambda writes: writes[0].doc_id in ready)
    assert piece is not None
    quick = lanes.hold_back(piece, {"slow"})
    assert ids(quick) == ["quick", "last"]
    lanes.done(quick, 1.0)
    assert lanes.next_piece(lambda writes: writes[0].doc_id in ready) is None
    assert len(inbox.segments()) == 1
    ready.append("slow")
    held = lanes.next_piece(lambda writes: writes[0].doc_id in ready)
    assert ids(held) == ["slow"]
    assert held is not None
    lanes.done(held, 1.0)
    assert inbox.is_empty()


def test_a_segment_of_several_pieces_stays_as_long_as_one_of_its_documents_is_held_back(inbox):
    lanes = Lanes(inbox)
    inbox.accept(drafts("slow", "other", size=10 * MIN_BYTES))
    first = lanes.next_piece()
    assert first is not None
    rest = lanes.hold_back(first, {"slow"})
    assert ids(rest) == []
    lanes.done(rest, 1.0)
    second = lanes.next_piece(lambda _: False)
    assert ids(second) == ["other"]
    assert second is not None
    lanes.done(second, 1.0)
    assert len(inbox.segments()) == 1
    held = lanes.next_piece()
    assert ids(held) == ["slow"]
    assert held is not None
    lanes.done(held, 1.0)
    assert inbox.is_empty()
