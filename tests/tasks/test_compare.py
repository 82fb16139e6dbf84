"""Comparisons: what differs between a source and what is known of it."""

import pytest

from index.documents import Draft, content_hash
from index.stamps import Remembered
from tasks.compare import Changes, Comparison, facts_hash, moves, needs_confirmation
from tasks.sources.port import Listed

ONE, TWO = content_hash(b"1"), content_hash(b"2")
PLAIN = facts_hash(Draft("any"))


@pytest.mark.parametrize(
    ("removed", "known", "asks"), [(5, 10, False), (6, 10, True), (5, 5, False), (10, 100, False), (11, 100, True), (0, 0, False)]
)
def test_losing_more_than_a_tenth_and_a_handful_asks_first(removed: int, known: int, asks: bool):
    assert needs_confirmation(Changes((), (), ("x",) * removed, 0), known) is asks


def test_what_only_moved_is_not_lost():
    changes = Changes(("b",) * 20, (), ("a",) * 20, 0, (("a", "b"),) * 20)
    assert changes.lost == 0
    assert not needs_confirmation(changes, 20)


def test_a_move_is_a_removed_and_an_added_document_with_the_same_bytes_each_once():
    assert moves({"old": "1", "older": "1", "gone": "2"}, {"new": "1", "other": "3"}) in [(("old", "new"),), (("older", "new"),)]
    assert moves({"old": "1"}, {"new": "1", "copy": "1"}) == (("old", "new"),)
    assert moves({}, {"new": "1"}) == ()


@pytest.mark.parametrize(
    ("stamp", "remembered", "known", "doubtful"),
    [
        ("s", Remembered("a", "s", ONE, PLAIN, at=1), {"a": ONE}, False),
        ("t", Remembered("a", "s", ONE, PLAIN, at=1), {"a": ONE}, True),
        ("", Remembered("a", "", ONE, PLAIN, at=1), {"a": ONE}, True),
        ("s", Remembered("a", "s", ONE, PLAIN, at=1), {"a": TWO}, True),
        ("s", Remembered("a", "s", ONE, PLAIN, at=1), {}, True),
        ("s", Remembered("a", "s", ONE, PLAIN, at=11), {}, False),
        ("s", None, {"a": ONE}, True),
    ],
    ids=["as it was", "another stamp", "no stamp", "another hash in the index", "not in the index", "handed in since", "not remembered"],
)
def test_only_what_may_have_changed_is_read(stamp: str, remembered: Remembered | None, known: dict[str, str], doubtful: bool):
    comparison = Comparison(known, began=10)
    listed = comparison.see([Listed("a", stamp)])
    assert bool(comparison.doubtful(listed, {"a": remembered} if remembered else {})) is doubtful


def test_a_change_of_title_place_or_metadata_is_a_change():
    before = Draft("a", title="Old", content=b"1")
    remembered = Remembered("a", "s", ONE, facts_hash(before), at=1)
    comparison = Comparison({"a": ONE}, began=10)
    assert not comparison.differs(before, remembered)
    for changed in (
        Draft("a", title="New", content=b"1"),
        Draft("a", title="Old", content=b"1", uri="x:y"),
        Draft("a", title="Old", content=b"1", metadata={"year": 2}),
        Draft("a", title="Old", content=b"1", media_type="text/markdown"),
        Draft("a", title="Old", content=b"2"),
    ):
        assert comparison.differs(changed, remembered)
