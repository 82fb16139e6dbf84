"""The extractive generator: sentences as they stand in the sources, or none."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunk_rows import Chunk
from tasks.extract import ExtractiveGenerator, sentences
from tasks.retrieve import Hit
from tests.fakes import HashingEmbedder

ORCHARD = """\
# The orchard

Apples grow on trees in the orchard. The gardener picks
them by hand in October. Pears are kept cool.

- The ladder is kept in the shed by the wall.
- Short point.
"""


def chunk(text: str, doc_id: str = "a", start: int = 0) -> Chunk:
    return Chunk(
        chunk_id=f"chunk of {doc_id}", doc_id=doc_id, revision=1, ordinal=0, text=text, title=None, uri=None, source="http",
        media_type="text/markdown", heading=(), start=start, end=start + len(text), tokens=9, text_hash="h", embedded_text=text,
    )  # fmt: skip


def quoted(question: str, *chunks: Chunk) -> list[str]:
    draft = ExtractiveGenerator(HashingEmbedder()).generate(question, [Hit(chunk, 1.0) for chunk in chunks])
    return [citation.quote for citation in draft.citations]


def test_sentences_are_found_with_their_place():
    found = list(sentences(chunk(ORCHARD)))
    assert [sentence.text for sentence in found] == [
        "Apples grow on trees in the orchard.",
        "The gardener picks\nthem by hand in October.",
        "Pears are kept cool.",
        "- The ladder is kept in the shed by the wall.",
    ]
    assert all(ORCHARD[sentence.start : sentence.end] == sentence.text for sentence in found)


@pytest.mark.parametrize("text", ["# A heading of many words here", "Too short.", "", "====================", "| a | b | c | d | e |"])
def test_what_says_nothing_is_no_sentence(text: str):
    assert list(sentences(chunk(text))) == []


@given(st.text("ab .?!\n#-|1é。\u2028\u00a0\"'()[]", max_size=200))
@settings(max_examples=150, deadline=None)
def test_a_sentence_is_always_a_trimmed_part_of_its_passage(text: str):
    position = 0
    for sentence in sentences(chunk(text)):
        assert position <= sentence.start < sentence.end <= len(text)
        assert sentence.text == sentence.text.strip() != ""
        position = sentence.end


def test_the_sentence_that_answers_is_quoted_word_for_word():
    assert quoted("Where do apples grow on trees?", chunk(ORCHARD))[0] == "Apples grow on trees in the orchard."


def test_a_quote_stands_exactly_at_its_span_in_the_document():
    document = "Intro of the document.\n\n" + ORCHARD
    passage = chunk(ORCHARD, start=document.index(ORCHARD))
    draft = ExtractiveGenerator(HashingEmbedder()).generate("When does the gardener picks them by hand in October?", [Hit(passage, 1.0)])
    assert draft.grounded
    [citation, *_] = draft.citations
    assert citation.quote == "The gardener picks\nthem by hand in October."
    assert document[slice(*citation.span)] == citation.quote


def test_the_answer_is_made_of_its_quotes_and_their_numbers():
    draft = ExtractiveGenerator(HashingEmbedder()).generate("Where is the ladder kept in the shed?", [Hit(chunk(ORCHARD), 1.0)])
    assert draft.text.startswith("The ladder is kept in the shed by the wall. [1]")
    assert [citation.n for citation in draft.citations] == list(range(1, len(draft.citations) + 1))


def test_it_abstains_when_the_sources_are_about_something_else():
    draft = ExtractiveGenerator(HashingEmbedder()).generate("quantum chromodynamics lattice?", [Hit(chunk(ORCHARD), 1.0)])
    assert (draft.grounded, draft.citations) == (False, ())


def test_it_abstains_without_sources_or_sentences():
    generator = ExtractiveGenerator(HashingEmbedder())
    assert not generator.generate("Where?", []).grounded
    assert not generator.generate("Where?", [Hit(chunk("# Only a heading"), 1.0)]).grounded


def test_the_same_sentence_in_two_documents_is_quoted_once():
    sentence = "Apples grow on trees in the orchard."
    assert quoted("Where do apples grow on trees?", chunk(sentence, "a"), chunk(sentence, "b")) == [sentence]


def test_at_most_three_sentences_answer():
    text = " ".join(f"Apples grow on trees of kind {word}." for word in ("Cox", "Gala", "Fuji", "Braeburn", "Jonagold"))
    assert len(quoted("Apples grow on trees of which kind?", chunk(text))) == 3


def test_sentences_that_were_seen_before_are_not_embedded_again():
    embedder = HashingEmbedder()
    generator = ExtractiveGenerator(embedder)
    first = generator.generate("Where do apples grow on trees?", [Hit(chunk(ORCHARD), 1.0)])
    embedder.embedded.clear()
    assert generator.generate("Where do apples grow on trees?", [Hit(chunk(ORCHARD), 1.0)]) == first
    assert embedder.embedded == []


def test_threads_share_a_generator():
    generator = ExtractiveGenerator(HashingEmbedder())
    texts = [f"Apples of kind {i} grow on trees." for i in range(50)]

    def ask(i: int) -> str:
        return generator.generate("Which apples grow on trees?", [Hit(chunk(text), 1.0) for text in texts[i : i + 5]]).text

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, [i % 45 for i in range(200)]))
