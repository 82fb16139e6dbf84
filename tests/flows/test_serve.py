"""What people find under Deployments in the Prefect UI."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows import serve
from index.errors import Misconfigured
from index.settings import Settings


def deployments(home: Path, **given: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"home": home, "sample": True} | given
    return {f"{found.flow_name}/{found.name}": found for found in serve.deployments(Settings(**values))}


def test_each_source_has_a_sweep_and_each_job_a_deployment(tmp_path):
    found = deployments(tmp_path, sources=f"{tmp_path}/papers,{tmp_path}/notes")
    assert set(found) == {
        "sweep/sweep-sample",
        "sweep/sweep-papers",
        "sweep/sweep-notes",
        "evaluate/evaluate",
        "exam/exam",
        "evaluate/evaluate-retrieval",
        "maintain/maintain",
        "tune/tune",
        "capacity/capacity",
        "drift/drift",
        "canaries/canaries",
        "rebuild/rebuild",
        "rollback/rollback",
        "rollback/resume",
    }
    assert found["sweep/sweep-papers"].parameters == {"source": "papers"}
    assert found["rollback/resume"].parameters == {"resume": True}
    assert {tag for deployment in found.values() for tag in deployment.tags} == {
        "ingest",
        "sample",
        "file",
        "quality",
        "upkeep",
        "releases",
    }
    assert all(deployment.description for deployment in found.values())


def test_the_sample_is_swept_hourly_and_folders_every_five_minutes(tmp_path):
    found = deployments(tmp_path, sources=f"{tmp_path}/papers")
    every = {
        name: [schedule.schedule.interval for schedule in found[name].schedules] for name in ("sweep/sweep-sample", "sweep/sweep-papers")
    }
    assert every == {"sweep/sweep-sample": [timedelta(hours=1)], "sweep/sweep-papers": [timedelta(minutes=5)]}
    assert [schedule.schedule.cron for schedule in found["evaluate/evaluate"].schedules] == ["30 2 * * *"]
    assert [schedule.schedule.cron for schedule in found["evaluate/evaluate-retrieval"].schedules] == ["10 * * * *"]
    assert found["evaluate/evaluate-retrieval"].parameters == {"answers": False, "again": False}
    assert found["rollback/rollback"].schedules == []


def test_canaries_are_phrased_four_times_a_day_where_there_is_a_language_model(tmp_path):
    assert deployments(tmp_path)["canaries/canaries"].schedules == []
    with_model = deployments(tmp_path, llm_url="http://localhost/v1", llm_model="small")["canaries/canaries"]
    assert [schedule.schedule.cron for schedule in with_model.schedules] == ["50 */6 * * *"]


def test_each_source_has_its_own_schedule_and_shows_where_it_is_without_credentials(tmp_path):
    found = deployments(tmp_path, sources="s3://bucket/papers#every=1h,git+https://me:secret@host/wiki.git@v2#every=1d")
    papers, wiki = found["sweep/sweep-papers"], found["sweep/sweep-wiki"]
    assert [schedule.schedule.interval for schedule in papers.schedules] == [timedelta(hours=1)]
    assert [schedule.schedule.interval for schedule in wiki.schedules] == [timedelta(days=1)]
    assert papers.description == "Keeps the index equal to the source 'papers' (s3://bucket/papers)."
    assert wiki.description == "Keeps the index equal to the source 'wiki' (git+https://host/wiki.git@v2)."
    assert (papers.tags, wiki.tags) == (["ingest", "s3"], ["ingest", "git+https"])


def test_of_each_deployment_one_run_at_a_time_goes_on(tmp_path):
    assert {deployment.concurrency_limit for deployment in deployments(tmp_path).values()} == {1}


def test_a_sweep_that_is_due_while_the_last_one_goes_on_is_left_out_and_everything_else_waits(tmp_path):
    options = {name: found.concurrency_options for name, found in deployments(tmp_path).items()}
    assert {name: chosen.collision_strategy for name, chosen in options.items() if chosen} == {"sweep/sweep-sample": "CANCEL_NEW"}


def test_without_sample_and_sources_there_is_nothing_to_sweep(tmp_path):
    assert not [name for name in deployments(tmp_path, sample=False) if name.startswith("sweep/")]


def test_two_sources_of_one_name_are_refused(tmp_path):
    with pytest.raises(Misconfigured):
        deployments(tmp_path, sources=f"{tmp_path}/a/papers,{tmp_path}/b/papers")


def test_the_deployments_that_the_api_and_a_rebuild_start_are_among_them(tmp_path):
    from api import evaluations, judge
    from flows import after_rebuild

    assert evaluations.DEPLOYMENT == after_rebuild.DEPLOYMENT
    assert {evaluations.DEPLOYMENT, judge.DEPLOYMENT} <= set(deployments(tmp_path))
