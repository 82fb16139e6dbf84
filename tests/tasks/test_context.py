"""What a model gets to read."""

from dataclasses import replace

from index.chunk_rows import Chunk
from tasks.context import fitting, sources
from tasks.retrieve import Hit


def hit(text: str, doc_id: str = "farm", start: int = 0, tokens: int = 10, heading: tuple[str, ...] = ()) -> Hit:
    chunk = Chunk(
        chunk_id=f"{doc_id}@{start}", doc_id=doc_id, revision=1, ordinal=0, text=text, title=None, uri=None, source="http",
        media_type="text/plain", heading=heading, start=start, end=start + len(text), tokens=tokens, text_hash="h", embedded_text="",
    )  # fmt: skip
    return Hit(chunk, 1.0)


def test_what_the_budget_has_no_room_for_is_left_out_and_a_shorter_one_after_it_is_not():
    hits = [hit("one", "a", tokens=6), hit("another", "b", tokens=5), hit("third one", "c", tokens=4)]
    assert [kept.chunk.doc_id for kept in fitting(hits, 10)] == ["a", "c"]


def test_the_first_passage_always_fits():
    assert len(fitting([hit("one", tokens=99)], 10)) == 1
    assert fitting([], 10) == ()


def test_a_passage_that_says_the_same_as_one_before_it_is_left_out():
    text = "The farm grows forty kinds of apples on its southern slope."
    hits = [hit(text, "a"), hit(text, "b"), hit(text.replace("forty", "forty "), "c"), hit("A basket costs three euros.", "d")]
    assert [kept.chunk.doc_id for kept in fitting(hits, 99)] == ["a", "d"]


def test_neighbours_become_one_source_in_the_place_of_the_first_of_them():
    hits = [hit("Second. ", start=7), hit("Elsewhere.", "b"), hit("First. ", start=0), hit("Third.", start=15)]
    first, second = sources(hits)
    assert (first.n, first.text, first.span) == (1, "First. Second. Third.", (0, 21))
    assert [chunk.chunk_id for chunk in first.chunks] == ["farm@0", "farm@7", "farm@15"]
    assert (second.n, second.text) == (2, "Elsewhere.")


def test_what_overlaps_stands_there_once_and_a_gap_is_a_line():
    assert sources([hit("abcdef"), hit("efgh", start=4)])[0].text == "abcdefgh"
    assert sources([hit("abc"), hit("def", start=5)])[0].text == "abc\ndef"


def test_passages_that_do_not_join_stay_apart():
    apart = [
        [hit("abc"), hit("def", start=99)],
        [hit("abc"), hit("def", "other", start=3)],
        [hit("abc", heading=("One",)), hit("def", start=3, heading=("Two",))],
        [hit("abcdef"), hit("cd", start=2)],
    ]
    assert [len(sources(hits)) for hits in apart] == [2, 2, 2, 2]


def test_a_source_is_titled_by_its_document_and_headings():
    chunk = replace(hit("abc", heading=("Orchard", "Apples")).chunk, title="The farm")
    assert sources([Hit(chunk, 1.0)])[0].title == "The farm > Orchard > Apples"
