"""What answers were made from, and the same questions again."""

import pytest

from tests.api.running import RunningApi

QUESTION = {"question": "Where is the great copper mine?"}


@pytest.fixture
def filled(own: RunningApi) -> RunningApi:
    """With an ingester and three documents."""
    own.start_ingester()
    for doc_id, text in {
        "mine": "The great copper mine is in Falun.",
        "ferry": "The ferry leaves at nine.",
        "ore": "Copper is an ore.",
    }.items():
        own.put(doc_id, text)
    return own


def test_a_record_says_what_an_answer_was_made_from(filled):
    made = filled.post("/v1/answers", QUESTION).json
    record = filled.get(f"/v1/answers/{made['id']}").json
    assert (record["answer"], record["release"], record["generator"], record["question"]) == (
        made["answer"], made["release"], made["generator"], QUESTION["question"]
    )  # fmt: skip
    assert record["passages"][0]["doc_id"] == "mine"
    assert len(record["passages"][0]["digest"]) == 64
    assert record["at"].endswith("Z")
    assert record["generation"] == filled.get("/v1/releases/live").json["generation"]


@pytest.mark.thorough
def test_the_same_question_on_the_same_release_finds_the_same_passages(filled):
    made = filled.post("/v1/answers", QUESTION).json
    filled.put("newer", "The great copper mine was in Falun for a thousand years.")
    again = filled.post(f"/v1/answers/{made['id']}/replay").json
    assert (again["release"], again["same_passages"], again["same_answer"]) == (made["release"], True, True)
    assert (again["gone"], again["new"], again["moved"], again["deleted"]) == ([], [], [], [])


@pytest.mark.thorough
def test_on_another_release_it_shows_the_difference(filled):
    made = filled.post("/v1/answers", QUESTION).json
    filled.put("newer", "The great copper mine was in Falun for a thousand years.")
    live = filled.get("/v1/releases/live").json["release"]
    again = filled.post(f"/v1/answers/{made['id']}/replay", {"release": live}).json
    assert (again["release"], again["was_release"], again["same_passages"], len(again["new"])) == (live, made["release"], False, 1)


@pytest.mark.thorough
def test_passages_of_deleted_documents_are_named_and_not_shown(filled):
    made = filled.post("/v1/answers", QUESTION).json
    filled.delete("ore")
    again = filled.post(f"/v1/answers/{made['id']}/replay").json
    assert (again["deleted"], again["same_passages"]) == (["ore"], True)


@pytest.mark.thorough
def test_a_record_is_for_the_key_that_asked_and_for_admins(filled):
    asked, other = filled.key("reader"), filled.key("writer")
    made = filled.post("/v1/answers", QUESTION, key=asked).json
    assert filled.get(f"/v1/answers/{made['id']}", key=asked).status == 200
    assert filled.get(f"/v1/answers/{made['id']}").status == 200
    hidden = filled.get(f"/v1/answers/{made['id']}", key=other)
    assert (hidden.status, "there is no answer" in hidden.detail) == (404, True)
    assert filled.post(f"/v1/answers/{made['id']}/replay", key=other).status == 404


def test_what_is_no_id_names_no_file(filled):
    for name in ("..%2F..%2Fkeys", "x" * 40, "2026112300000000000000000000000000000000"):
        assert filled.get(f"/v1/answers/{name}").status == 404
