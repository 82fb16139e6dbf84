"""The judge over HTTP: who it is, whether its scores count, and its exam started as a Prefect run."""

from datetime import UTC, datetime

import pytest

from index.exams import Exam, identity_of
from tests.api.prefect_server import FakePrefect
from tests.api.running import RunningApi

URL, MODEL = "http://me:secret@127.0.0.1:9/v1", "large"
WHO = identity_of(URL, MODEL)
FIGURES = {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6, "of": 150}}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    with (
        FakePrefect() as prefect,
        RunningApi(tmp_path_factory.mktemp("judged"), prefect.api_url, judge_url=URL, judge_model=MODEL) as running,
    ):
        yield running, prefect


def test_without_a_judge_it_says_how_to_have_one_and_none_is_examined(own):
    told = own.get("/v1/judge").json
    assert (told["state"], told["counts"], told["model"]) == ("none", False, None)
    assert "GROUNDWORK_JUDGE_URL" in told["reasons"][0]
    assert own.post("/v1/judge/exam").status == 409


def test_a_judge_is_unexamined_until_its_exam_says_what_its_scores_are_worth(judged):
    running, _ = judged
    told = running.get("/v1/judge").json
    assert (told["state"], told["counts"], told["exam"]) == ("unexamined", False, None)
    assert (told["model"], told["endpoint"]) == ("large", "http://127.0.0.1:9/v1")
    now = datetime.now(UTC)
    failed = Exam(now, WHO, qualified=False, reasons=("accuracy is 0.50, below 0.85",), changed="it judges worse", figures=FIGURES)
    running.store.exams.write(failed)
    told = running.get("/v1/judge").json
    assert (told["state"], told["counts"], told["reasons"]) == ("unqualified", False, ["accuracy is 0.50, below 0.85"])
    assert (told["changed"], told["exam"]) == ("it judges worse", FIGURES)
    running.store.exams.write(Exam(datetime.now(UTC), WHO, qualified=True, figures=FIGURES))
    told = running.get("/v1/judge").json
    assert (told["state"], told["counts"], told["reasons"], told["changed"]) == ("qualified", True, [], None)
    assert "secret" not in str(told)


def test_an_exam_is_started_as_a_run_of_the_deployment(judged):
    running, prefect = judged
    reply = running.post("/v1/judge/exam")
    run = reply.json["id"]
    assert (reply.status, reply.json["url"]) == (202, f"{prefect.api_url.removesuffix('/api')}/runs/flow-run/{run}")
    assert prefect.runs[run]["parameters"] == {}
