import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evals.bench.memory import PROC, MemoryWatch, family, memory, runs
from evals.bench.platform import RunningPlatform
from evals.bench.pressure import filled, looking
from evals.bench.variants import Variants
from index.inbox import Inbox, Limits
from index.store import Store
from tests.api.running import RunningApi

TEXTS = ["the red apple of the old orchard ripens in the autumn", "a blue boat sails around the small island every morning"]
on_linux = pytest.mark.skipif(not (PROC / "self" / "smaps_rollup").exists(), reason="memory is read from Linux' /proc")


@on_linux
def test_the_memory_of_a_process_counts_those_that_it_started():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        processes = family(os.getpid())
        found = memory(processes)
        child.communicate(b"\n")
    assert {os.getpid(), child.pid} <= set(processes)
    assert found.total() > 10_000_000


def test_a_process_is_named_for_what_it_runs():
    assert runs(["/usr/bin/python3", "-W", "ignore", "-m", "flows.ingester", ""]) == "flows.ingester"
    assert runs(["/usr/bin/python3", "/usr/bin/prefect", "server", "start"]) == "python3 prefect"
    assert runs(["/usr/bin/redis", ""]) == "redis"


@on_linux
def test_a_watch_remembers_the_peak():
    with MemoryWatch(os.getpid(), every_s=0.01) as watch:
        pass
    assert watch.peak.total() > 10_000_000


def test_an_inbox_is_looked_at_with_a_bulk_load_in_it_and_with_single_documents(store: Store):
    figures = looking(store, Variants(TEXTS), 20)
    assert {figure.case for figure in figures} == {"20 documents wait, handed in in bulk", "2 single documents wait as well"}
    assert {"backlog", "segments", "is_empty", "pending, first time", "pending, again", "read the oldest", "accept one"} == {
        figure.metric for figure in figures
    }


@on_linux
@pytest.mark.slow
def test_what_is_refused_past_the_bound_is_taken_later_and_nothing_is_lost(tmp_path: Path):
    api = RunningApi(tmp_path)
    store = api.platform.store
    api.platform.store = replace(store, inbox=Inbox(store.folder / "inbox", Limits(documents=8)))
    with api:
        api.start_ingester()
        platform = RunningPlatform(tmp_path, f"http://127.0.0.1:{api.port}", os.getpid())
        figures = {figure.metric: figure.value for figure in filled(platform, Variants(TEXTS), documents=8, held_s=0)}
        platform.close()
    assert figures["refused with"] == 503
    assert figures["Retry-After"] >= 1
    assert figures["accepted"] >= 8
    assert figures["lost"] == 0
