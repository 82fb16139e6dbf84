"""Prefect's server stands still in the middle of a burst, and for a minute: ingest and search go on, and so does the end."""

import os
import signal
from time import monotonic

import pytest

from tests.proofs.platform import RunningPlatform

STILL_S = 60.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_while_prefect_stands_still_ingest_and_search_go_on_and_the_end_comes_in_time(tmp_path):
    with RunningPlatform(tmp_path / "home") as platform:
        platform.until(lambda: len(platform.prefect("deployments")) == 4)
        moving = [took(platform, f"moving/{n}") for n in range(10)]
        for pid in platform.processes("prefect"):
            os.kill(pid, signal.SIGSTOP)
        stopped = monotonic()
        still: list[float] = []
        while monotonic() - stopped < STILL_S:
            still.append(took(platform, f"still/{len(still)}"))
        assert max(still) < 10
        assert sorted(still)[len(still) // 2] < 2 * sorted(moving)[len(moving) // 2] + 0.5
        evaluation = platform.call("POST", "/v1/evaluations", {})
        assert (evaluation.status, "searching and ingesting go on" in evaluation.json["detail"]) == (503, True)
        platform.put("half-way", "A document on its way.")
        assert platform.stop() < 10
        assert platform.processes() == []


def took(platform: RunningPlatform, doc_id: str) -> float:
    """Seconds until a document is in, and found."""
    began = monotonic()
    assert platform.put(doc_id, f"The document {doc_id} is about a lake of its own.", wait=60).json["served"]
    assert doc_id in platform.found(f"the document {doc_id}", k=1000)
    return monotonic() - began
