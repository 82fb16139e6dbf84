"""The table of golden sets: whole writes, decisions made once, and nothing left of what goes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from index.errors import BadRequest, Conflict, NotFound
from index.golden import GoldenQuestion, Passage
from index.golden_sets import GoldenSets, Put
from index.store import open_store

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def sets(tmp_path) -> GoldenSets:
    return open_store(str(tmp_path), tmp_path).golden


def asked(identifier: str, *passages: Passage, **facts) -> GoldenQuestion:
    return GoldenQuestion(identifier, f"What is {identifier}?", passages or (Passage("doc", f"it is {identifier}"),), None, **facts)


def test_what_was_put_is_read_in_order_of_ids(sets, tmp_path):
    question = asked("b", Passage("x", ""), Passage("y", "words"), part="held_out", origin="imported", by="key", added_at=NOON, note="why")
    assert sets.put("mine", [question, asked("a")]) == Put(2, 0, 0)
    assert sets.questions("mine") == (asked("a"), question)
    assert open_store(str(tmp_path), tmp_path).golden.questions("mine") == (asked("a"), question)
    assert sets.questions("mine", "held_out" if asked("a").part == "development" else "development") in ((question,), ())


def test_sets_do_not_touch_each_other_and_are_counted(sets):
    sets.put("one", [asked("a", part="development"), asked("b", part="held_out"), GoldenQuestion("c", "?", (), None, part="held_out")])
    sets.put("two", [asked("a", part="development", added_at=NOON)])
    sets.propose("two", [asked("p")])
    one, two = sets.sets()
    assert (one.name, one.questions, one.development, one.held_out, one.unanswerable, one.proposed) == ("one", 3, 1, 2, 1, 0)
    assert (two.name, two.questions, two.proposed, two.rejected, two.changed_at) == ("two", 1, 1, 0, NOON)
    assert sets.drop("one") == 3
    assert [each.name for each in sets.sets()] == ["two"]


def test_putting_again_replaces_by_id_and_alone_removes_the_others_but_no_proposals(sets):
    sets.put("mine", [asked("a"), asked("b")])
    sets.propose("mine", [asked("p")])
    sets.put("other", [asked("a")])
    changed = replace(asked("b"), question="Another?")
    assert sets.put("mine", [changed, asked("c")]) == Put(1, 1, 0)
    assert sets.put("mine", [changed], alone=True) == Put(0, 1, 2)
    assert sets.questions("mine") == (changed,)
    assert len(sets.review("mine")) == 1
    assert sets.questions("other") == (asked("a"),)


@pytest.mark.parametrize(
    ("name", "questions", "reason"),
    [
        ("../x", ["a"], "can't name"),
        ("x' OR '1'='1", ["a"], "can't name"),
        ("mine", [], "no question"),
        ("mine", ["a", "b", "a"], "the id 'a'"),
    ],
)
def test_a_write_that_is_refused_leaves_nothing(sets, name, questions, reason):
    with pytest.raises(BadRequest, match=reason):
        sets.put(name, [asked(identifier) for identifier in questions])
    assert sets.sets() == []


def test_proposals_count_for_nothing_until_they_are_accepted(sets):
    first, second = (replace(asked(name), added_at=NOON + timedelta(microseconds=n)) for n, name in enumerate(("z", "a")))
    assert sets.propose("mine", [first, second]) == 2
    assert sets.propose("mine", [replace(first, question="made twice")]) == 0
    assert [each.id for each in sets.review("mine")] == ["z", "a"]
    assert sets.questions("mine") == ()
    sets.decide("mine", replace(first, state="accepted", found=(Passage("x", "y"),)))
    assert [(each.id, each.found) for each in sets.questions("mine")] == [("z", ())]


def test_of_a_rejected_proposal_only_the_question_stays_and_it_is_not_proposed_again(sets):
    sets.propose("mine", [replace(asked("p"), found=(Passage("doc", "secret"),))])
    sets.decide("mine", replace(asked("p"), state="rejected", reference="secret"))
    assert sets.get("mine", "p").passages == ()
    assert sets.get("mine", "p").reference is None
    assert sets.texts("mine") == ["What is p?"]
    assert sets.propose("mine", [asked("p")]) == 0


def test_only_a_proposal_can_be_decided_and_only_once(sets):
    sets.put("mine", [asked("a")])
    sets.propose("mine", [asked("p")])
    with pytest.raises(NotFound):
        sets.decide("mine", asked("unknown"))
    with pytest.raises(Conflict, match="is accepted"):
        sets.decide("mine", replace(asked("a"), state="rejected"))
    sets.decide("mine", replace(asked("p"), state="rejected"))
    with pytest.raises(Conflict, match="is rejected"):
        sets.decide("mine", asked("p"))


def test_of_two_who_decide_at_once_one_is_told(sets):
    sets.propose("mine", [asked("p")])
    told: list[str] = []

    def decide(state) -> None:
        try:
            sets.decide("mine", replace(asked("p"), state=state))
            told.append(state)
        except Conflict:
            told.append("conflict")

    threads = [Thread(target=decide, args=(state,)) for state in ("accepted", "rejected")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("conflict") == 1
    assert sets.get("mine", "p").state in told


def test_a_set_that_is_not_there_can_not_be_dropped(sets):
    with pytest.raises(NotFound):
        sets.drop("mine")


def holding(folder, needle: str) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and needle.encode() in path.read_bytes()]


def test_of_a_dropped_set_no_file_holds_a_byte(sets, tmp_path):
    sets.put("mine", [asked("a", Passage("doc", "xylophonic zeppelins"))])
    sets.put("other", [asked("b")])
    assert holding(tmp_path, "xylophonic zeppelins")
    sets.drop("mine")
    assert not holding(tmp_path, "xylophonic zeppelins")
    assert sets.questions("other") == (asked("b"),)


def test_what_a_document_said_is_forgotten_and_its_questions_wait_for_a_person(sets, tmp_path):
    whole = asked("a", Passage("secret", "xylophonic zeppelins"), Passage("kept", "here still"))
    sets.put("mine", [replace(whole, reference="They are xylophonic zeppelins."), asked("b")])
    sets.propose("other", [replace(asked("p"), passages=(), found=(Passage("secret", "xylophonic zeppelins"), Passage("kept", "x")))])
    assert sets.forget("secret") == 2
    assert not holding(tmp_path, "xylophonic zeppelins")
    [waiting] = sets.review("mine")
    assert (waiting.id, waiting.passages, waiting.reference) == ("a", (Passage("kept", "here still"),), None)
    assert "secret was purged" in waiting.note
    assert sets.questions("mine") == (asked("b"),)
    assert sets.review("other")[0].found == (Passage("kept", "x"),)
    assert sets.forget("secret") == 0


def test_references_and_notes_that_say_the_same_go_too(sets, tmp_path):
    told, noted = "They are xylophonic zeppelins.", "xylophonic zeppelins"
    sets.put("mine", [replace(asked("a"), reference=told), asked("b"), replace(asked("c"), note=noted)])
    assert sets.forget("unknown", [b"xylophonic zeppelins"]) == 2
    assert [(each.id, each.reference, each.note) for each in sets.questions("mine")] == [("a", None, ""), ("b", None, ""), ("c", None, "")]
    assert not holding(tmp_path, "xylophonic zeppelins")


def test_many_small_writes_are_folded_into_few_files(sets, tmp_path):
    for number in range(8):
        sets.put("mine", [asked(f"q{number}")])
    sets.fold()
    assert len(sets.questions("mine")) == 8
    assert len(sets._open().to_lance().get_fragments()) == 1
