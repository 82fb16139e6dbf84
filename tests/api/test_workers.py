"""Several processes on one port."""

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import httpx
import pytest

WORKER = Path(__file__).with_name("tiny_worker.py")
ROOT = WORKER.parents[2]
MASTER = """
import asyncio, socket, sys
from api.workers import Workers
listening = socket.socket()
listening.bind(("127.0.0.1", int(sys.argv[1])))
sys.exit(asyncio.run(Workers(listening, 2, sys.argv[2:]).run()))
"""


def until(condition, timeout_s=60.0):
    deadline = monotonic() + timeout_s
    while not condition():
        assert monotonic() < deadline, "waited too long"
        sleep(0.02)


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def is_up(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


class Two:
    """Two tiny workers and the process that watches over them."""

    def __init__(self, command: list[str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self.master = subprocess.Popen([sys.executable, "-c", MASTER, str(port), *command], cwd=ROOT, env=environment)

    @property
    def workers(self) -> set[int]:
        return children(self.master.pid)


@pytest.fixture
def two():
    running = Two([sys.executable, str(WORKER)])
    until(lambda: is_up(running.url))
    until(lambda: len(running.workers) == 2)
    yield running
    running.master.kill()
    running.master.wait()


def asks(url, stop, said, keeps):
    client = httpx.Client(trust_env=False)
    while not stop.is_set():
        if not keeps:
            client.close()
            client = httpx.Client(trust_env=False)
        try:
            said[client.get(url).status_code] += 1
        except httpx.HTTPError as error:
            said[repr(error)] += 1
    client.close()


def test_workers_are_replaced_under_load_without_a_failed_request(two):
    stop, said = Event(), Counter()
    threads = [Thread(target=asks, args=(two.url, stop, said, number % 2)) for number in range(6)]
    for thread in threads:
        thread.start()
    before = two.workers
    two.master.send_signal(signal.SIGHUP)
    until(lambda: len(two.workers) == 2 and not two.workers & before)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(said) == {200}
    assert said[200] > 50


def test_a_worker_that_dies_is_started_again(two):
    victim = next(iter(two.workers))
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(two.workers) == 2 and victim not in two.workers)
    until(lambda: is_up(two.url))


def test_sigterm_ends_all_of_them(two):
    workers = two.workers
    two.master.terminate()
    assert two.master.wait(20) == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_workers_end_with_the_process_that_watches_over_them(two):
    workers = two.workers
    two.master.kill()
    until(lambda: not [pid for pid in workers if Path(f"/proc/{pid}").exists()])


def test_workers_that_never_come_up_are_given_up():
    running = Two([sys.executable, "-c", "raise SystemExit(3)"])
    assert running.master.wait(30) == 1
