"""Evaluations whose process was killed."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows import abandoned
from flows.abandoned import end_abandoned
from index.progress import EvaluationProgress, EvaluationStep
from index.store import Store

KILLED, RUNNING = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
DIES = """
import sys
from pathlib import Path
from index.progress import EvaluationProgress, EvaluationStep
told = EvaluationProgress(Path(sys.argv[1]))
lease = told.begin(EvaluationStep(sys.argv[2], 3, "default", sys.argv[3]))
told.write(EvaluationStep(sys.argv[2], 3, "default", sys.argv[3], "answering", 40, 120))
print("begun", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def ended_in_prefect(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that were ended in Prefect, which is not there."""
    ended: list[str] = []
    monkeypatch.setattr(abandoned, "_end_runs", lambda steps: ended.extend(step.evaluation for step in steps))
    return ended


def test_an_evaluation_that_was_killed_is_stored_as_failed_with_how_far_it_was(store: Store, ended_in_prefect: list[str]):
    code = [sys.executable, "-c", DIES, str(store.folder), KILLED, BEGUN]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert end_abandoned(store) == []
        os.kill(process.pid, signal.SIGKILL)
    assert end_abandoned(store) == ended_in_prefect == [KILLED]
    found = store.evaluations.get(KILLED)
    assert found is not None
    assert (found.state, found.release, found.scores, found.questions) == ("failed", 3, (), ())
    assert found.reason == "it was stopped before its end (answering, 40 of 120 questions); start it again"
    assert end_abandoned(store) == []


def test_one_that_goes_on_is_left_alone(store: Store):
    told = EvaluationProgress(store.folder)
    with told.begin(EvaluationStep(RUNNING, 1, "default", BEGUN)):
        assert end_abandoned(store) == []
        assert told.read(RUNNING) is not None
    assert end_abandoned(store) == [RUNNING]


def test_where_there_was_none_there_is_nothing_to_end(store: Store, ended_in_prefect: list[str]):
    assert end_abandoned(store) == ended_in_prefect == []
