"""Evaluations whose process was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.abandoned import ATTEMPTS, begun, resume_abandoned
from index.evaluations import Evaluation
from index.progress import EvaluationProgress, EvaluationStep
from index.store import Store
from tests.api.prefect_server import FakePrefect

KILLED, RUNNING = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
DIES = """
import sys
from pathlib import Path
from index.evaluations import Evaluation
from index.progress import EvaluationProgress, EvaluationStep
told = EvaluationProgress(Path(sys.argv[1]))
lease = told.begin(EvaluationStep(sys.argv[2], 3, "default", sys.argv[3]))
told.write(EvaluationStep(sys.argv[2], 3, "default", sys.argv[3], "answering", 40, 120))
print("begun", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def prefect() -> Iterator[FakePrefect]:
    """It knows the two runs."""
    with FakePrefect() as server:
        server.runs = {run: {"id": run, "state": {"type": "RUNNING"}} for run in (KILLED, RUNNING)}
        yield server


def step(attempt: int = 1) -> EvaluationStep:
    return EvaluationStep(KILLED, 3, "default", BEGUN, "answering", 40, 120, attempt=attempt)


def leave(store: Store, left: EvaluationStep) -> None:
    """As one that was killed leaves it."""
    told = EvaluationProgress(store.folder)
    told.begin(left).release()
    told.write(left)


@pytest.mark.thorough
def test_an_evaluation_that_was_killed_goes_on(store: Store, prefect: FakePrefect):
    code = [sys.executable, "-c", DIES, str(store.folder), KILLED, BEGUN]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert resume_abandoned(store, prefect.api_url) == []
        os.kill(process.pid, signal.SIGKILL)
    assert resume_abandoned(store, prefect.api_url) == [KILLED]
    state = prefect.runs[KILLED]["state"]
    assert (state["type"], state["name"]) == ("SCHEDULED", "AwaitingRetry")
    assert state["message"] == "it was stopped before its end (answering, 40 of 120 questions); it goes on"
    assert store.evaluations.get(KILLED) is None


def test_it_goes_on_with_the_release_that_it_was_begun_on_unless_one_was_named(store: Store):
    fresh = EvaluationStep(KILLED, 7, "default", BEGUN)
    assert begun(store, fresh, asked=False) == fresh
    leave(store, step())
    assert begun(store, fresh, asked=False) == replace(fresh, release=3, attempt=2)
    assert begun(store, fresh, asked=True) == replace(fresh, release=7, attempt=2)


def test_one_that_was_killed_three_times_is_stored_as_failed_with_how_far_it_was(store: Store, prefect: FakePrefect):
    leave(store, step(ATTEMPTS))
    assert resume_abandoned(store, prefect.api_url) == [KILLED]
    found = store.evaluations.get(KILLED)
    assert found is not None
    assert (found.state, found.release, found.scores, found.questions) == ("failed", 3, (), ())
    reached = "it was stopped before its end (answering, 40 of 120 questions), 3 times"
    assert found.reason == f"{reached}; start it again: what a judge has decided is not asked again"
    assert prefect.runs[KILLED]["state"]["type"] == "CRASHED"
    assert resume_abandoned(store, prefect.api_url) == []
    assert begun(store, EvaluationStep(KILLED, 7, "default", BEGUN), asked=False) == EvaluationStep(KILLED, 3, "default", BEGUN)
    assert store.evaluations.get(KILLED) is None


@pytest.mark.thorough
def test_where_prefect_does_not_know_it_any_more_it_failed(store: Store, prefect: FakePrefect):
    prefect.runs.clear()
    leave(store, step())
    assert resume_abandoned(store, prefect.api_url) == [KILLED]
    assert [found.state for found in store.evaluations.all()] == ["failed"]


def test_where_prefect_is_gone_it_failed(store: Store):
    leave(store, step())
    assert resume_abandoned(store, "http://127.0.0.1:9/api") == [KILLED]
    assert [found.state for found in store.evaluations.all()] == ["failed"]


def test_one_that_was_killed_after_its_end_is_left_as_it_was_stored(store: Store, prefect: FakePrefect):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    stored = Evaluation(KILLED, 3, "default", "completed", None, at, at)
    store.evaluations.write(stored)
    leave(store, step())
    assert resume_abandoned(store, prefect.api_url) == [KILLED]
    assert store.evaluations.get(KILLED) == stored
    assert prefect.runs[KILLED]["state"]["type"] == "COMPLETED"
    assert resume_abandoned(store, prefect.api_url) == []


def test_one_that_is_under_way_is_left_alone(store: Store, prefect: FakePrefect):
    told = EvaluationProgress(store.folder)
    with told.begin(EvaluationStep(RUNNING, 1, "default", BEGUN)):
        assert resume_abandoned(store, prefect.api_url) == []
        assert prefect.runs[RUNNING]["state"]["type"] == "RUNNING"
    assert resume_abandoned(store, prefect.api_url) == [RUNNING]


def test_where_there_was_none_there_is_nothing_to_do(store: Store, prefect: FakePrefect):
    assert resume_abandoned(store, prefect.api_url) == []
