"""`kill -9` of any one process while 500 documents go in: all are indexed, each once, and nothing needs a hand."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.store import open_store
from tests.proofs.platform import PARTS, RunningPlatform

DOCUMENTS = 500
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """One platform for all: each of its parts is killed once."""
    with RunningPlatform(tmp_path_factory.mktemp("kills") / "home") as running:
        yield running


def text_of(doc_id: str) -> str:
    return f"Document {doc_id} is about a mine of its own."


def put_all(platform: RunningPlatform, victim: str) -> list[str]:
    """Puts 500 documents, each until it is accepted, and kills the victim half-way."""
    names = [f"{victim}/{n}" for n in range(DOCUMENTS)]
    for n, doc_id in enumerate(names):
        if n == DOCUMENTS // 2:
            os.kill(platform.supervisor if victim == "supervisor" else platform.leader(victim), signal.SIGKILL)
            if victim == "supervisor":
                platform.restart()
        platform.put_surely(doc_id, text_of(doc_id))
    return names


def each_is_served_once(folder: Path, names: list[str]) -> bool:
    """Whether the live release has one passage of each document, and of these that were there before no more than before."""
    reader = open_store(str(folder), folder).reader()
    reader.follow()
    view = reader.view()
    return all([chunk.text for chunk in view.chunks_of(doc_id)] == [text_of(doc_id)] for doc_id in names)


@pytest.mark.parametrize("victim", [*PARTS, "supervisor"])
def test_all_500_are_indexed_each_once(platform, victim):
    before = platform.call("GET", "/v1/releases/live").json["rows"]
    names = put_all(platform, victim)
    platform.until(lambda: platform.call("GET", "/v1/documents", state="accepted").json == {"items": [], "next": None}, 300)
    platform.until(lambda: each_is_served_once(platform.home / "index", names[-1:]), 60)
    assert each_is_served_once(platform.home / "index", names)
    assert platform.call("GET", "/v1/releases/live").json["rows"] == before + DOCUMENTS
    assert platform.call("GET", f"/v1/documents/{victim}%2F0").json["state"] == "indexed"
    platform.until(lambda: platform.call("GET", "/health/ready").status == 200)
    platform.until(lambda: all(platform.processes(part) for part in PARTS))


def test_no_flow_run_of_a_killed_ingester_stays_open(platform):
    platform.put("last", "A last document.", wait=60)
    platform.until(lambda: not [run for run in platform.runs_of("ingest") if run["state_type"] == "RUNNING"])
    assert "COMPLETED" in {run["state_type"] for run in platform.runs_of("ingest")}


def test_it_still_stops_in_time_and_leaves_nothing(platform):
    assert platform.stop() < 10
    assert platform.processes() == []
