"""Workers are replaced while they are asked without a pause: no request fails."""

import os
import signal
from collections import Counter
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import httpx
import pytest

from evals.bench.api_process import ApiProcess, serving
from evals.bench.serve_index import filled

CLIENTS = 8
TIMES = 2
REPLACED_WITHIN_S = 300.0


def asks(api: ApiProcess, stop: Event, said: Counter, new_connections: bool) -> None:
    """One client, with one connection for all its requests, or one for each; it repeats nothing that fails."""
    client, number = api.client(), 0
    while not stop.is_set():
        number += 1
        if new_connections:
            client.close()
            client = api.client()
        try:
            reply = client.post("/v1/search", json={"query": f"where is the copper of year {number}?"})
            said[reply.status_code if reply.status_code != 200 or reply.json()["hits"] else "empty"] += 1
        except httpx.HTTPError as error:
            said[repr(error)] += 1
    client.close()


def workers_of(master: int) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_are_replaced_under_load_without_a_failed_request(tmp_path, workers):
    filled(tmp_path, 300, 1)
    with serving(tmp_path, workers=workers, search_queue=200, search_seconds=60) as api:
        stop, said = Event(), Counter()
        threads = [Thread(target=asks, args=(api, stop, said, number % 2 == 1)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for _ in range(TIMES):
            before = workers_of(api.pid)
            assert len(before) == workers
            os.kill(api.pid, signal.SIGHUP)
            deadline = monotonic() + REPLACED_WITHIN_S
            while workers_of(api.pid) & before or len(workers_of(api.pid)) != workers:
                assert monotonic() < deadline, (before, workers_of(api.pid))
                sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
    assert set(said) == {200}, said
    assert said[200] > 100
    print(said)
