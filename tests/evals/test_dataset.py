import pytest

from evals import dataset
from index.chunk_rows import Chunk
from index.errors import BadRequest, Misconfigured, NotFound
from index.golden import GoldenQuestion, Passage
from tasks import golden
from tasks.discover import SampleSource
from tasks.golden import Relevance
from tasks.parse import parse

QUESTION = '{"id": "a", "question": "Why?", "answers": [{"doc_id": "d", "quote": "because"}], "reference": null}'


def chunk(chunk_id: str, start: int, text: str) -> Chunk:
    return Chunk(chunk_id, "d", 1, 0, text, None, None, "test", "text/plain", (), start, start + len(text), 1, "", "")


def question(*quotes: str, doc_id: str = "d") -> GoldenQuestion:
    return GoldenQuestion("q", "Why?", tuple(Passage(doc_id, quote) for quote in quotes), None)


def resolve(asked: GoldenQuestion, *chunks: Chunk) -> Relevance:
    return golden.resolve(asked, lambda doc_id: chunks if doc_id == "d" else ())


def test_the_default_set_is_about_the_sample_and_has_questions_without_an_answer():
    questions = dataset.load()
    documents = {passage.doc_id for question in questions for passage in question.passages}
    assert len(questions) >= 60
    assert len(documents) >= 40
    assert any(not question.answerable for question in questions)


def test_each_quote_of_the_default_set_stands_in_the_sample():
    texts = {draft.doc_id: parse(draft).text for draft in SampleSource().drafts()}
    passages = {passage for asked in dataset.load() for passage in asked.passages}
    assert [p for p in passages if not golden.holding(p.quote, [chunk("all", 0, texts.get(p.doc_id, ""))])] == []


def test_other_files_of_the_folder_are_further_sets(tmp_path):
    (tmp_path / "sample.jsonl").write_text(QUESTION + "\n")
    (tmp_path / "legal.jsonl").write_text(QUESTION + "\n\n" + QUESTION.replace('"a"', '"b"'))
    assert [q.id for q in dataset.load("default", folder=tmp_path)] == ["a"]
    assert dataset.load("legal", folder=tmp_path)[1] == GoldenQuestion("b", "Why?", (Passage("d", "because"),), None)


@pytest.mark.parametrize("name", ["missing", "../golden/sample", "/etc/passwd", "sample", ""])
def test_an_unknown_name_lists_the_known_ones_and_opens_no_file(name):
    with pytest.raises(NotFound, match="there are: default"):
        dataset.load(name)


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"id": "b", "question": "?"}', QUESTION.replace("because", " "), QUESTION.replace("Why?", "")]
)
def test_a_line_that_is_no_golden_question_is_named(tmp_path, line):
    (tmp_path / "sample.jsonl").write_text(f"{QUESTION.replace('a', 'x', 1)}\n{line}\n")
    with pytest.raises(Misconfigured, match=r"sample\.jsonl, line"):
        dataset.load(folder=tmp_path)


def test_two_questions_with_one_id_are_refused(tmp_path):
    (tmp_path / "sample.jsonl").write_text(f"{QUESTION}\n{QUESTION}\n")
    with pytest.raises(Misconfigured, match="same id"):
        dataset.load(folder=tmp_path)


def test_a_set_of_the_index_goes_first_and_a_part_of_it_can_be_asked_for(library):
    stored = library.store.golden
    parts = {"a": "development", "b": "held_out", "c": "held_out"}
    stored.put("default", [GoldenQuestion(name, "Why?", (), None, part) for name, part in parts.items()])
    stored.propose("default", [GoldenQuestion("p", "Why?", (), None, "held_out")])
    assert [asked.id for asked in dataset.load("default", stored)] == ["a", "b", "c"]
    assert [asked.id for asked in dataset.load("default", stored, "held_out")] == ["b", "c"]
    assert len(dataset.load("default")) >= 60
    stored.put("small", [GoldenQuestion("a", "Why?", (), None, "held_out")])
    with pytest.raises(BadRequest, match="no question in its development part"):
        dataset.load("small", stored, "development")


def test_a_sample_is_the_same_each_time_and_keeps_the_order():
    questions = dataset.load()
    sample = dataset.sample(questions, 10)
    assert sample == dataset.sample(questions, 10)
    assert list(sample) == [asked for asked in questions if asked in sample]
    assert len(sample) == 10
    assert dataset.sample(questions, None) == dataset.sample(questions, 10_000) == questions
    with pytest.raises(BadRequest):
        dataset.sample(questions, 0)


def test_the_chunk_that_holds_the_quote_answers_whatever_its_white_space():
    chunks = [chunk("one", 0, "First things first."), chunk("two", 21, "Then  the\nsecond thing.")]
    assert resolve(question("Then the second thing"), *chunks).chunk_ids == {"two"}


def test_a_quote_over_two_chunks_belongs_to_those_that_hold_half_of_it():
    chunks = [chunk("one", 0, "aaaa bbbb"), chunk("two", 10, "cccc dddd")]
    assert resolve(question("bbbb cccc dddd"), *chunks).chunk_ids == {"two"}


def test_both_halves_of_a_quote_answer():
    chunks = [chunk("one", 0, "aaaa"), chunk("two", 4, "bbbb")]
    assert resolve(question("aaaabbbb"), *chunks).chunk_ids == {"one", "two"}


def test_a_quote_cut_into_many_belongs_to_the_chunk_that_holds_most():
    chunks = [chunk("one", 0, "aaa"), chunk("two", 4, "bbbbb"), chunk("three", 10, "ccc")]
    assert resolve(question("aaa bbbbb ccc"), *chunks).chunk_ids == {"two"}


def test_each_place_where_the_quote_stands_answers():
    chunks = [chunk("one", 0, "same words"), chunk("two", 11, "others"), chunk("three", 18, "same words")]
    assert resolve(question("same words"), *chunks).chunk_ids == {"one", "three"}


def test_a_quote_with_signs_of_regular_expressions_is_taken_literally():
    assert resolve(question("f(x) = [a-z]* $1"), chunk("one", 0, "so f(x) = [a-z]* $1 holds")).chunk_ids == {"one"}
    assert resolve(question("a.c"), chunk("one", 0, "abc")).stale


def test_a_question_is_stale_when_one_of_its_quotes_no_longer_stands():
    relevance = resolve(question("still here", "gone"), chunk("one", 0, "still here"))
    assert relevance.stale == ("d no longer says “gone”",)


def test_a_question_is_stale_when_its_document_is_not_in_the_release():
    assert resolve(question("anything", doc_id="e")).stale == ("e is not in this release",)


def test_a_question_without_an_answer_is_never_stale():
    assert resolve(question()) == Relevance(frozenset(), ())
