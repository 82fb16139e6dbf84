"""Golden sets by name, and where their passages stand."""

import pytest

from index.chunk_rows import Chunk
from index.errors import BadRequest, NotFound
from index.golden import GoldenQuestion, Passage
from index.store import open_store
from tasks import golden
from tasks.golden import Relevance, check_standing, resolve, stale


def chunk(chunk_id: str, doc_id: str, start: int, text: str, duplicate_of: str | None = None) -> Chunk:
    place = (None, None, "test", "text/plain", (), start, start + len(text), 1, "", "")
    return Chunk(chunk_id, doc_id, 1, 0, text, *place, duplicate_of=duplicate_of)


def asked(*passages: Passage, identifier: str = "q") -> GoldenQuestion:
    return GoldenQuestion(identifier, "Why?", passages, None)


CHUNKS = {
    "d": [chunk("d1", "d", 0, "First things."), chunk("d2", "d", 14, "Second things.")],
    "alias": [chunk("a1", "alias", 0, "First things, or so.", duplicate_of="d")],
}


def chunks_of(doc_id: str) -> list[Chunk]:
    return CHUNKS.get(doc_id, [])


def test_a_whole_document_is_all_of_its_chunks():
    assert resolve(asked(Passage("d", "")), chunks_of) == Relevance(frozenset({"d1", "d2"}))
    assert resolve(asked(Passage("gone", "")), chunks_of).stale == ("gone is not in this release",)


def test_a_document_that_says_the_same_as_another_is_looked_for_where_searches_show_it():
    assert resolve(asked(Passage("alias", "First things")), chunks_of) == Relevance(frozenset({"d1"}))
    assert resolve(asked(Passage("alias", "")), chunks_of) == Relevance(frozenset({"d1", "d2"}))
    assert resolve(asked(Passage("alias", "or so")), chunks_of).stale == ("alias is shown as d, which does not say “or so”",)


def test_stale_questions_are_told_with_their_reasons_and_each_document_is_read_once():
    read: list[str] = []

    def counted(doc_id: str) -> list[Chunk]:
        read.append(doc_id)
        return chunks_of(doc_id)

    questions = [
        asked(Passage("d", "First"), identifier="a"),
        asked(Passage("d", "Third"), identifier="b"),
        asked(Passage("e", "x"), identifier="c"),
    ]
    assert stale(counted, [*questions, asked(identifier="none")]) == {
        "b": ("d no longer says “Third”",),
        "c": ("e is not in this release",),
    }
    assert read == ["d", "e"]


def test_a_long_quote_is_told_by_its_beginning():
    [reason] = resolve(asked(Passage("d", "word " * 1_000)), chunks_of).stale
    assert len(reason) < 250


def test_passages_that_do_not_stand_are_refused():
    check_standing([Passage("d", "Second  things"), Passage("d", "")], chunks_of)
    with pytest.raises(BadRequest, match="no longer says “Third”"):
        check_standing([Passage("d", "Second"), Passage("d", "Third")], chunks_of)


def test_a_set_that_was_put_goes_before_a_packaged_one_of_its_name(tmp_path):
    stored = open_store(str(tmp_path), tmp_path).golden
    packaged = golden.questions(stored)
    assert len(packaged) >= 60
    stored.propose("default", [asked(identifier="p")])
    assert golden.questions(stored) == packaged
    assert [(each.golden.name, each.packaged) for each in golden.sets(stored)] == [("default", True)]
    stored.put("default", [asked(identifier="mine")])
    stored.put("legal", [asked(identifier="l")])
    assert [each.id for each in golden.questions(stored)] == ["mine"]
    assert [(each.golden.name, each.packaged, each.golden.questions) for each in golden.sets(stored)] == [
        ("default", False, 1),
        ("legal", False, 1),
    ]
    with pytest.raises(NotFound, match="there are: default, legal"):
        golden.questions(stored, "unknown")
    stored.drop("default")
    assert golden.questions(stored) == packaged
