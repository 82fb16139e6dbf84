"""Questions made from passages: natural, about one passage alone, and the same ones every time."""

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from evals.canaries import Corpus, as_golden, holds, make
from index.canaries import Canary
from index.chunk_rows import Chunk

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OTTER = (
    "An otter is a carnivorous mammal that lives beside rivers and lakes. It sleeps in a den called a holt and eats fish, "
    "frogs and crayfish all year round."
)
DOCKS = (
    "Ships unload timber and barley at the northern quay before the tide turns. The harbourmaster rings a brass bell when "
    "the gangway is clear, and nobody walks below the crane until then."
)


def chunk(doc_id: str, text: str, heading: tuple[str, ...] = (), title: str | None = None, digest: str = "") -> Chunk:
    name = digest or hashlib.sha256(f"{doc_id} {text}".encode()).hexdigest()
    return Chunk(name, doc_id, 1, 0, text, title, None, "http", "text/plain", heading, 0, len(text), 30, name, text)


def only(*chunks: Chunk) -> Canary:
    [canary] = make(chunks, NOW, 3)
    return canary


def test_a_definition_asks_what_it_defines():
    canary = only(chunk("zoo", OTTER))
    assert (canary.question, canary.kind, canary.doc_id) == ("What is an otter?", "definition", "zoo")
    assert canary.quote == "An otter is a carnivorous mammal that lives beside rivers and lakes."


@pytest.mark.parametrize("sentence", ["It is a matter of course that boats are heavy.", "This is the reason why they float so well."])
def test_what_a_pronoun_is_defines_nothing(sentence: str):
    assert only(chunk("docks", f"{sentence} {DOCKS}")).kind != "definition"


@pytest.mark.parametrize(
    ("title", "heading", "question"),
    [
        ("Harbour rules", "Unloading timber", "What does Harbour rules say about unloading timber?"),
        ("Harbour rules", "VHF channels", "What does Harbour rules say about VHF channels?"),
        (None, "Unloading timber", "What is there to know about unloading timber?"),
        ("Harbour rules", "Who rings the bell?", "Who rings the bell?"),
    ],
)
def test_a_heading_is_asked_about_as_people_do(title: str | None, heading: str, question: str):
    canary = only(chunk("docks", DOCKS, ("Rules", heading), title, digest="0000"))
    assert (canary.question, canary.kind) == (question, "heading")


@pytest.mark.parametrize("heading", ["Overview", "See also", "1.2.3", "FAQ"])
def test_a_heading_that_every_document_has_is_not_asked_about(heading: str):
    assert only(chunk("docks", DOCKS, (heading,), "Harbour rules", digest="0000")).kind != "heading"


def test_a_section_of_several_passages_is_not_asked_about():
    chunks = [chunk("docks", DOCKS, ("Unloading",), digest="0000"), chunk("docks", OTTER, ("Unloading",), digest="0003")]
    assert {canary.kind for canary in make(chunks, NOW, 3)} == {"definition", "terms"}


def test_rare_words_come_from_the_passage_in_its_order():
    canary = only(chunk("docks", DOCKS, digest="0000"))
    assert canary.kind == "terms"
    words = canary.question.split()
    assert 2 <= len(words) <= 3
    assert words == sorted(words, key=DOCKS.lower().index)


def test_a_sentence_is_cut_to_the_length_of_a_question():
    canary = only(chunk("docks", DOCKS, digest="0001"))
    assert canary.kind == "sentence"
    assert canary.quote.startswith(canary.question)
    assert len(canary.question.split()) == 14


@pytest.mark.parametrize(
    "text",
    ["Too short to ask.", "| 1 | 2 | 3 |\n" * 30, "x = f(1, 2)[3]; y = {4: 5}; z = x ** 2 / 7 - 8;\n" * 10],
)
def test_what_says_little_is_not_asked_about(text: str):
    assert list(make([chunk("thin", text)], NOW, 3)) == []


def test_what_stands_twice_and_what_is_an_alias_is_not_asked_about():
    one = chunk("one", OTTER)
    assert list(make([one, chunk("two", OTTER, digest="0001")], NOW, 3)) == []
    assert list(make([one, replace(one, doc_id="two")], NOW, 3)) == []
    assert list(make([replace(one, duplicate_of="two")], NOW, 3)) == []


def test_the_same_passages_make_the_same_canaries_in_whatever_order():
    chunks = [chunk(f"d{n}", f"{DOCKS} Berth {chr(97 + n)}{chr(98 + n)}cdef is the longest of them.") for n in range(6)]
    assert list(make(chunks, NOW, 3)) == list(make(chunks[::-1], NOW, 3))


def test_each_document_comes_before_a_second_passage_of_any_and_known_passages_are_left_out():
    names = ["heron", "badger", "weasel", "marten", "polecat", "stoat"]
    texts = [
        f"A {name} is a shy animal of the {name} woods. It hides in the {name} thicket for most of a long and rainy day." for name in names
    ]
    chunks = [chunk("a" if n < 4 else f"d{n}", text) for n, text in enumerate(texts)]
    made = list(make(chunks, NOW, 3))
    assert Counter(canary.doc_id for canary in made[:3]) == {"a": 1, "d4": 1, "d5": 1}
    assert len(made) == 6
    assert len(list(make(chunks, NOW, 3, known=[canary.text_hash for canary in made[:2]]))) == 4


def test_a_quote_stands_in_a_text_however_it_is_broken():
    assert holds("An otter\n is a  mammal.", "otter is a mammal")
    assert not holds("An otter is a fish.", "otter is a mammal")


def test_they_can_be_asked_as_golden_questions_are():
    canary = only(chunk("zoo", OTTER))
    [question] = as_golden([canary])
    assert (question.id, question.question, question.passages[0].doc_id, question.reference) == (
        canary.id,
        "What is an otter?",
        "zoo",
        None,
    )


def test_a_corpus_without_passages_has_nothing_to_say():
    assert list(make([], NOW, 3)) == []
    assert Corpus([]).draft(chunk("zoo", OTTER)) is None
