"""Golden questions as lines: what is one, and what is refused with a reason."""

import pytest

from index.errors import BadRequest
from index.golden import GoldenQuestion, Passage, as_row, check_name, part_of, question_of

ROW = {"id": "q1", "question": "Where is the mine?", "passages": [{"doc_id": "a", "quote": "in Falun"}], "reference": "In Falun."}


def test_a_line_says_a_question():
    question = question_of(ROW, "imported")
    assert question == GoldenQuestion("q1", "Where is the mine?", (Passage("a", "in Falun"),), "In Falun.", origin="imported")
    assert question_of(as_row(question), "written") == question


def test_the_name_that_earlier_files_have_for_passages_is_understood():
    line = {"id": "q", "question": "?", "answers": [{"doc_id": "a", "quote": "b"}]}
    assert question_of(line, "written").passages == (Passage("a", "b"),)


def test_no_passage_means_unanswerable_and_no_quote_all_of_the_document():
    assert not question_of(ROW | {"passages": []}, "imported").answerable
    assert question_of(ROW | {"passages": [{"doc_id": "a"}]}, "imported").passages == (Passage("a", ""),)


def test_the_part_is_decided_by_the_id_about_half_each_and_kept_when_given():
    parts = [part_of(f"q{n}") for n in range(1_000)]
    assert 450 < parts.count("held_out") < 550
    assert GoldenQuestion("q1", "?", (), None).part == part_of("q1")
    assert {question_of(ROW | {"part": part}, "imported").part for part in ("development", "held_out")} == {"development", "held_out"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, "id"),
        ({"id": " "}, "white space"),
        ({"id": "a\tb"}, "control characters"),
        ({"id": 7}, "Expected `str`, got `int`"),
        ({"id": "x" * 201}, "length"),
        ({"question": " "}, "the question is empty"),
        ({"question": "x" * 8_001}, "length"),
        ({"question": "\ud800"}, "lone surrogates"),
        ({"passages": None}, "give the passages"),
        ({"passages": "a"}, "Expected `array"),
        ({"passages": [{"quote": "x"}]}, "doc_id"),
        ({"passages": [{"doc_id": "a\n"}]}, "control characters"),
        ({"passages": [{"doc_id": "a", "quote": " \n"}]}, "the quote from a is empty"),
        ({"passages": [{"doc_id": "a", "quote": "\udfff"}]}, "lone surrogates"),
        ({"part": "test"}, "part"),
        ({"origin": "invented"}, "origin"),
        ({"answer": "typing mistake"}, "unknown field `answer`"),
    ],
)
def test_what_is_no_golden_question_is_refused_with_the_reason(change, reason):
    with pytest.raises(BadRequest, match=reason):
        question_of(ROW | change, "imported")


@pytest.mark.parametrize("row", [None, 7, "text", [ROW], {}])
def test_what_is_no_object_is_refused(row):
    with pytest.raises(BadRequest, match="no golden question"):
        question_of(row, "imported")


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "=1+1", "@cmd", "a" * 65, "a\n", "ä", "a/b", "'; drop"])
def test_names_that_no_set_can_have(name):
    with pytest.raises(BadRequest, match="can't name a golden set"):
        check_name(name)


def test_names_that_a_set_can_have():
    assert [check_name(name) for name in ("default", "legal-2026_v1", "a" * 64)] == ["default", "legal-2026_v1", "a" * 64]
