"""Proposals from feedback and from the log of asked questions."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from index.answers import AnswerRecord, new_id
from index.feedback import Feedback
from index.golden import GoldenQuestion, Passage
from index.queries import Asked
from index.store import Store, open_store
from tasks.propose import Questions, found_by, from_queries, propose

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path) -> Store:
    return open_store(str(tmp_path), tmp_path)


def search(text: str) -> list[Passage]:
    return [Passage("found", text.upper())]


def judged(store: Store, question: str, useful: bool, comment: str | None = None, minute: int = 0) -> None:
    identifier = new_id(NOON)
    facts = {"question": question, "k": 1, "filter": {}, "always": {}, "release": 3, "generation": "g", "embedder": "e", "search": {}}
    made = {"generator": "x", "prompt": None, "answer": "a", "grounded": True, "degraded": []}
    cited = {"citations": [{"n": 1, "doc_id": "doc", "chunk_id": "c", "quote": "the words", "span": [0, 9]}]}
    store.answers.write(AnswerRecord(identifier, NOON.isoformat(), "key", **facts, **made, **cited))
    store.feedback.write(Feedback(identifier, NOON + timedelta(minutes=minute), useful, comment, "key", 3))


def asked(text: str, number: int = 0, **facts) -> Asked:
    given = {"hits": 10, "best": 0.9, "filtered": False, "grounded": None, "embedder": "e"} | facts
    return Asked(
        id=f"{text}{number}",
        at=NOON + timedelta(seconds=number),
        text=text,
        vector=None,
        mode="hybrid",
        release=1,
        k=10,
        scores=(),
        doc_ids=(),
        kind="search",
        answer_id=None,
        language=None,
        tokens=3,
        unknown=0.0,
        key="key",
        **given,
    )


def proposed(store: Store, limit: int = 20) -> list[GoldenQuestion]:
    propose(store, "mine", search, limit, "admin", NOON + timedelta(days=1))
    return list(store.golden.review("mine"))


def test_answers_that_were_not_useful_come_first_and_useful_ones_bring_their_citations(store):
    judged(store, "How deep is the mine?", useful=True)
    judged(store, "Where is the mine?", useful=False, comment="That is the wrong town.", minute=1)
    store.queries.write([asked("Who owns the mine?")])
    wrong, right, logged = proposed(store)
    assert (wrong.question, wrong.passages, wrong.origin) == ("Where is the mine?", (), "feedback")
    assert wrong.note == "an answer on release 3 was found not useful, with the comment “That is the wrong town.”"
    assert (right.question, right.passages) == ("How deep is the mine?", (Passage("doc", "the words"),))
    assert (logged.question, logged.origin, logged.by) == ("Who owns the mine?", "query_log", "admin")
    assert [each.found for each in (wrong, right, logged)] == [tuple(search(each.question)) for each in (wrong, right, logged)]
    assert store.golden.questions("mine") == ()


def test_at_most_as_many_as_are_asked_for_and_not_again_what_is_known(store):
    store.queries.write([asked(f"Question about item {n}?") for n in range(9)])
    assert len(proposed(store, limit=4)) == 4
    assert len(proposed(store, limit=4)) == 8
    assert len(proposed(store, limit=4)) == 9
    assert len(proposed(store, limit=4)) == 9


def test_what_was_rejected_or_accepted_is_not_proposed_again(store):
    judged(store, "Where is the mine?", useful=False)
    [proposal] = proposed(store)
    store.golden.decide("mine", GoldenQuestion(proposal.id, proposal.question, (), None, state="rejected"))
    store.golden.put("mine", [GoldenQuestion("a", "How deep is the great mine?", (), None)])
    store.queries.write([asked("where IS the mine"), asked("How deep is the great mine??"), asked("how deep is the great miné?")])
    assert proposed(store) == []


def test_feedback_whose_record_is_gone_is_passed_over(store):
    store.feedback.write(Feedback(new_id(NOON), NOON, useful=False, comment=None, key="k", release=1))
    assert proposed(store) == []


def test_the_log_is_drawn_from_by_turns(store):
    rows = [asked("nothing there", hits=0), asked("far away", best=0.1), asked("rather far", best=0.2), asked("common one", number=1)]
    rows += [asked("Common one?", number=n) for n in range(2, 5)]
    rows += [asked("filtered away", hits=0, filtered=True), asked("of another model", best=-1.0, embedder="old")]
    rows += [asked("could not say", grounded=False), asked("newest", number=9)]
    store.queries.write(rows)
    found = list(from_queries(store.queries.tail(99).to_pylist(), random.Random(0)))
    assert [(each.question, each.why) for each in found[:3]] == [
        ("nothing there", "from the query log: nothing was found"),
        ("far away", "from the query log: the best hit has a similarity of 0.10"),
        ("Common one?", "from the query log: asked 4 times"),
    ]
    whys = {each.question: each.why for each in reversed(found) if "random" not in each.why}
    assert whys["could not say"] == "from the query log: it was answered that the documents do not say"
    assert "of another model" not in whys
    assert {each.question for each in found} == {row.text for row in rows} - {"filtered away", "common one"}


@pytest.mark.parametrize("text", ["where is the mine", "Where is the mine???", "Where is the minel?", "WHERE  is\nthe mine?", "…", ""])
def test_the_same_question_in_other_clothes_is_not_new(text):
    assert not Questions(["Where is the mine?"]).is_new(text)


@pytest.mark.parametrize("text", ["Why does error 503 come up in the log?", "Where is the harbour?"])
def test_another_question_or_another_number_is_new(text):
    assert Questions(["Why does error 404 come up in the log?", "Where is the mine?"]).is_new(text)


def test_what_is_found_can_be_quoted(bench):
    bench.put("mine", "The great copper mine is in Falun. " + "It is deep. " * 400)
    bench.reader.follow()
    first = found_by(bench.reader, bench.embedder)("copper mine")[0]
    assert first.doc_id == "mine"
    assert "copper mine is in Falun" in first.quote
    assert len(first.quote) <= 1_500
