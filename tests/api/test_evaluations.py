"""Evaluations over HTTP: started as Prefect runs, read from the index once they are done."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api import runs
from index.evaluations import Evaluation, Score
from index.progress import EvaluationProgress, EvaluationStep
from tests.api.prefect_server import FakePrefect
from tests.api.running import RunningApi

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SCORE = {"metric": "nDCG@10", "value": 0.7, "low": 0.6, "high": 0.8, "measured": 59, "of": 60, "covered": True}


EVERYTHING = {"release": None, "dataset": "default", "sample": None, "answers": True, "part": None, "minutes": None}


def finished(identifier: str, minutes: int = 0, **facts: Any) -> Evaluation:
    scores = (Score("nDCG@10", 0.7, 0.6, 0.8, 59, 60),)
    ended = NOON + timedelta(minutes=minutes)
    evaluation = Evaluation(identifier, 1, "default", "completed", None, NOON, ended, scores, ({"id": "q1", "metrics": {"nDCG@10": 0.7}},))
    return replace(evaluation, **facts)


@pytest.fixture(scope="module")
def prefect():
    with FakePrefect() as server:
        yield server


@pytest.fixture(scope="module")
def evaluating(prefect, tmp_path_factory):
    with RunningApi(tmp_path_factory.mktemp("evaluating"), prefect.api_url) as running:
        yield running.start_ingester()


@pytest.mark.thorough
def test_an_evaluation_is_started_as_a_run_of_the_deployment(evaluating, prefect):
    asked = {"release": 1, "sample": 5, "part": "held_out", "answers": False, "minutes": 2.5}
    reply = evaluating.post("/v1/evaluations", asked)
    run = reply.json["id"]
    assert (reply.status, reply.json["url"]) == (202, f"{prefect.api_url.removesuffix('/api')}/runs/flow-run/{run}")
    assert prefect.runs[run]["parameters"] == asked | {"dataset": "default"}


def test_a_run_is_started_once_however_often_prefect_has_to_be_asked(evaluating, prefect):
    before = len(prefect.runs)
    prefect.locked = 3
    assert evaluating.post("/v1/evaluations").status == 202
    assert (prefect.locked, len(prefect.runs)) == (0, before + 1)


def test_a_prefect_that_stays_locked_is_told_after_some_seconds(evaluating, prefect, monkeypatch):
    monkeypatch.setattr(runs, "PATIENCE_S", 0.3)
    prefect.locked = 1_000
    reply = evaluating.post("/v1/evaluations")
    prefect.locked = 0
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert "prefect is busy (503)" in reply.detail


@pytest.mark.parametrize(
    "wrong", [{"part": "training"}, {"minutes": 0}, {"minutes": 1e9}, {"answers": "no"}, {"sample": 0}, {"again": True}]
)
def test_a_wish_that_makes_no_sense_is_refused(evaluating, wrong):
    assert evaluating.post("/v1/evaluations", wrong).status == 400


@pytest.mark.parametrize("body", [None, {}])
def test_without_wishes_the_live_release_is_evaluated_on_the_whole_default_set(evaluating, prefect, body):
    run = evaluating.post("/v1/evaluations", body).json["id"]
    assert prefect.runs[run]["parameters"] == EVERYTHING


def test_a_run_is_queued_then_running_and_completed_only_with_its_scores(evaluating, prefect):
    run = evaluating.post("/v1/evaluations", {"release": 1}).json["id"]
    seen = []
    for state in ("SCHEDULED", "PENDING", "RUNNING", "COMPLETED"):
        prefect.becomes(run, state)
        seen.append(evaluating.get(f"/v1/evaluations/{run}").json["state"])
    assert seen == ["queued", "queued", "running", "running"]
    evaluating.store.evaluations.write(finished(run))
    done = evaluating.get(f"/v1/evaluations/{run}").json
    assert (done["state"], done["release"], done["scores"]) == ("completed", 1, [SCORE])
    assert done["questions"] == [{"id": "q1", "metrics": {"nDCG@10": 0.7}}]
    assert done["url"].endswith(f"/runs/flow-run/{run}")


def test_a_scheduled_run_that_found_nothing_to_measure_says_so(evaluating, prefect):
    run = evaluating.post("/v1/evaluations", {"release": 1}).json["id"]
    prefect.becomes(run, "COMPLETED", "Release 1 was measured on these questions already.", name="Skipped")
    skipped = evaluating.get(f"/v1/evaluations/{run}").json
    assert (skipped["state"], skipped["reason"]) == ("skipped", "Release 1 was measured on these questions already.")


def test_while_it_runs_it_tells_how_far_it_is(evaluating, prefect):
    run = evaluating.post("/v1/evaluations", {}).json["id"]
    begun = EvaluationStep(run, 1, "default", NOON.isoformat())
    told = EvaluationProgress(evaluating.store.folder)
    prefect.becomes(run, "RUNNING")
    with told.begin(begun):
        told.write(replace(begun, step="searching", done=30, of=120))
        running = evaluating.get(f"/v1/evaluations/{run}").json
    assert {name: running[name] for name in ("state", "release", "step", "done", "of")} == {
        "state": "running",
        "release": 1,
        "step": "searching",
        "done": 30,
        "of": 120,
    }
    told.clear(run)
    assert evaluating.get(f"/v1/evaluations/{run}").json["step"] is None


@pytest.mark.parametrize("state", ["FAILED", "CRASHED", "CANCELLED"])
def test_a_run_that_failed_says_why(evaluating, prefect, state):
    run = evaluating.post("/v1/evaluations", {}).json["id"]
    prefect.becomes(run, state, "Flow run infrastructure exited with non-zero status code -9.")
    failed = evaluating.get(f"/v1/evaluations/{run}").json
    assert (failed["state"], failed["reason"], failed["scores"]) == (
        "failed",
        "Flow run infrastructure exited with non-zero status code -9.",
        [],
    )


def test_an_evaluation_that_is_stored_as_failed_says_why(evaluating):
    identifier = "00000000-0000-0000-0000-00000000000f"
    evaluating.store.evaluations.write(finished(identifier, state="failed", reason="no such dataset", scores=()))
    failed = evaluating.get(f"/v1/evaluations/{identifier}").json
    assert (failed["state"], failed["reason"]) == ("failed", "no such dataset")


def test_a_run_that_nobody_knows_is_a_404(evaluating):
    reply = evaluating.get("/v1/evaluations/00000000-0000-0000-0000-000000000000")
    assert (reply.status, "there is no run" in reply.detail) == (404, True)


def test_while_the_deployment_is_not_served_yet_the_caller_may_try_again(evaluating, prefect):
    prefect.deployed = False
    reply = evaluating.post("/v1/evaluations", {})
    prefect.deployed = True
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert "evaluate/evaluate" in reply.detail


@pytest.mark.thorough
def test_finished_evaluations_are_listed_newest_first_by_pages(own):
    names = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(3)]
    for minutes, identifier in enumerate(names):
        own.store.evaluations.write(finished(identifier, minutes))
    first = own.get("/v1/evaluations?limit=2").json
    second = own.get(f"/v1/evaluations?limit=2&cursor={first['next']}").json
    assert [item["id"] for item in first["items"] + second["items"]] == names[::-1]
    assert (first["items"][0]["scores"], first["items"][0]["questions"], second["next"]) == ([SCORE], [], None)


def test_what_is_under_way_is_listed_before_what_is_finished(evaluating, prefect):
    evaluating.store.evaluations.write(finished("00000000-0000-0000-0000-000000000001"))
    waits, runs_now, later, done, broken = (evaluating.post("/v1/evaluations", {"release": 1}).json["id"] for _ in range(5))
    prefect.becomes(runs_now, "RUNNING")
    prefect.runs[later]["expected_start_time"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    evaluating.store.evaluations.write(finished(done, minutes=-1))  # Prefect has not heard of its end
    prefect.becomes(broken, "CRASHED")
    listed = evaluating.get("/v1/evaluations").json
    ours = [(item["id"], item["state"]) for item in listed["items"] if item["id"] in (waits, runs_now, later, broken)]
    assert ours == [(runs_now, "running"), (waits, "queued")]
    states = [item["state"] for item in listed["items"]]
    assert states == sorted(states, key=lambda state: state in ("completed", "failed"))
    assert (listed["degraded"], [item["state"] for item in listed["items"] if item["id"] == done]) == ([], ["completed"])
    assert by_pages(evaluating, 1) == by_pages(evaluating, 1_000)


def by_pages(running: RunningApi, limit: int) -> list[str]:
    """All that is listed, asked for in pages of this size."""
    page = running.get(f"/v1/evaluations?limit={limit}").json
    found = [item["id"] for item in page["items"]]
    while page["next"]:
        page = running.get(f"/v1/evaluations?limit={limit}&cursor={page['next']}").json
        assert len(page["items"]) <= limit
        found += [item["id"] for item in page["items"]]
    return found


def test_a_golden_set_that_is_not_there_is_told_at_once(evaluating, prefect):
    before = len(prefect.runs)
    reply = evaluating.post("/v1/evaluations", {"dataset": "nope"})
    assert (reply.status, len(prefect.runs)) == (404, before)
    assert "there is no golden set 'nope'" in reply.detail
    assert evaluating.post("/v1/evaluations", {"dataset": "canaries"}).status == 202


def test_a_page_goes_on_where_the_one_before_ended_though_that_evaluation_is_gone(own):
    names = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(3)]
    for identifier in names:
        own.store.evaluations.write(finished(identifier))
    first = own.get("/v1/evaluations?limit=1").json
    own.store.evaluations.drop([names[2]])
    second = own.get(f"/v1/evaluations?limit=1&cursor={first['next']}").json
    assert [item["id"] for item in first["items"] + second["items"]] == [names[2], names[1]]


def test_without_prefect_nothing_can_be_started_but_everything_else_goes_on(api):
    for reply in (api.post("/v1/evaluations", {}), api.get("/v1/evaluations/00000000-0000-0000-0000-000000000000")):
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        assert "prefect does not answer" in reply.detail
        assert "searching and ingesting go on" in reply.detail
    listed = api.get("/v1/evaluations")
    assert (listed.status, len(listed.json["degraded"])) == (200, 1)
    assert listed.json["degraded"][0].startswith("evaluations under way are missing: Prefect does not answer")
    assert api.found("copper mine")
    assert api.put("without-prefect", "Ingested all the same.").json["served"]


def test_one_whose_process_has_just_died_is_not_said_to_have_failed(evaluating, prefect):
    run = evaluating.post("/v1/evaluations", {}).json["id"]
    told = EvaluationProgress(evaluating.store.folder)
    told.begin(EvaluationStep(run, 1, "default", NOON.isoformat())).release()
    prefect.becomes(run, "CRASHED", "Process exited with status code: -9.")
    assert evaluating.get(f"/v1/evaluations/{run}").json["state"] == "queued"
    told.clear(run)
    assert evaluating.get(f"/v1/evaluations/{run}").json["state"] == "failed"


def test_the_metrics_tell_the_newest_score_of_the_whole_default_set(own):
    told = [
        ("1", 0, {"scores": (Score("nDCG@10", 0.7, 0.6, 0.8, 59, 60), Score("grounded", 0.9, 0.8, 1.0, 60, 60))}),
        ("2", 1, {"scores": (Score("nDCG@10", 0.8, 0.7, 0.9, 40, 60),)}),
        ("3", 2, {"scores": (Score("nDCG@10", 1.0, 1.0, 1.0, 2, 2),)}),
        ("4", 3, {"scores": (Score("nDCG@10", 0.1, 0.0, 0.2, 60, 60),), "dataset": "mine"}),
        ("5", 4, {"scores": (Score("nDCG@10", None, None, None, 0, 60),)}),
    ]
    for number, minutes, facts in told:
        own.store.evaluations.write(finished(f"00000000-0000-0000-0000-00000000000{number}", minutes, **facts))
    lines = [line for line in sorted(own.get("/metrics").text.splitlines()) if line.startswith("groundwork_evaluation_score{")]
    assert lines == ['groundwork_evaluation_score{metric="grounded"} 0.9', 'groundwork_evaluation_score{metric="nDCG@10"} 0.8']
