"""What people think of answers: theirs alone, and the last word counts."""

import pytest

from tests.api.running import RunningApi

QUESTION = {"question": "Where is the great copper mine?"}


@pytest.fixture
def asked(api: RunningApi) -> str:
    """The id of an answer that the admin got."""
    return str(api.post("/v1/answers", QUESTION).json["id"])


def test_the_last_word_counts_and_the_record_shows_it(api: RunningApi, asked: str):
    first = api.post("/v1/feedback", {"answer_id": asked, "useful": True})
    assert (first.status, set(first.json), first.json["answer_id"]) == (201, {"answer_id", "at"}, asked)
    assert api.post("/v1/feedback", {"answer_id": asked, "useful": False, "comment": "It is closed."}).status == 201
    [said] = api.get(f"/v1/answers/{asked}").json["feedback"]
    release = api.get(f"/v1/answers/{asked}").json["release"]
    assert (said["useful"], said["comment"], said["release"]) == (False, "It is closed.", release)


def test_only_who_may_see_an_answer_may_judge_it(api: RunningApi):
    mine, other = api.key("reader"), api.key("writer")
    answer = api.post("/v1/answers", QUESTION, key=mine).json["id"]
    assert api.post("/v1/feedback", {"answer_id": answer, "useful": True}, key=mine).status == 201
    hidden = api.post("/v1/feedback", {"answer_id": answer, "useful": True}, key=other)
    assert (hidden.status, "there is no answer" in hidden.detail) == (404, True)
    assert api.post("/v1/feedback", {"answer_id": answer, "useful": False}).status == 201
    assert sorted(said["useful"] for said in api.get(f"/v1/answers/{answer}").json["feedback"]) == [False, True]


def test_pages_of_it_are_for_writers_newest_first(api: RunningApi):
    answers = [api.post("/v1/answers", QUESTION).json["id"] for _ in range(3)]
    for answer in answers:
        api.post("/v1/feedback", {"answer_id": answer, "useful": True})
    page = api.get("/v1/feedback?limit=2", key=api.key("writer")).json
    assert [said["answer_id"] for said in page["items"]] == [answers[2], answers[1]]
    assert api.get(f"/v1/feedback?limit=1&cursor={page['next']}").json["items"][0]["answer_id"] == answers[0]
    assert api.get("/v1/feedback", key=api.key("reader")).status == 403


@pytest.mark.parametrize("cursor", ["bm90IGEgdGltZQ==", "MjAyNi0wMS0wMSB4", "%00"])
def test_a_cursor_that_is_none_is_refused(api: RunningApi, cursor: str):
    assert api.get(f"/v1/feedback?cursor={cursor}").status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"useful": True},
        {"answer_id": "x"},
        {"answer_id": "x", "useful": "very"},
        {"answer_id": "x", "useful": True, "comment": "c" * 2_001},
        {"answer_id": "x", "useful": True, "stars": 5},
    ],
)
def test_what_is_no_feedback_is_refused(api: RunningApi, body: dict[str, object]):
    assert api.post("/v1/feedback", body).status == 400


@pytest.mark.thorough
def test_the_metrics_say_how_much_of_it_is_good(own: RunningApi):
    own.start_ingester().put("mine", "The great copper mine is in Falun.")
    assert "groundwork_feedback_useful_share" not in own.get("/metrics").text
    for useful in (True, False):
        answer = own.post("/v1/answers", QUESTION).json["id"]
        own.post("/v1/feedback", {"answer_id": answer, "useful": useful})
    assert "groundwork_feedback_useful_share 0.5" in own.get("/metrics").text
