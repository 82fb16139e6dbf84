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

from api.app import served
from api.server import config
from api.worker_server import RETIRES_WITHIN_S
from api.workers import TRIES

pytestmark = pytest.mark.thorough

# Of each of those who ask at once: enough of them ask all the time, and workers get some of the cores, too.
PAUSE_S = 0.005
WORKER = Path(__file__).with_name("tiny_worker.py")
ROOT = WORKER.parents[2]
MASTER = """
import asyncio, os, sys
from functools import partial
from pathlib import Path
from api import counts, workers
from api.listening import listening
from api.workers import Workers
workers.SHORT_LIFE_S = float(os.environ.get("SHORT_LIFE_S", workers.SHORT_LIFE_S))
ended = partial(counts.forget_gauges, Path(os.environ.get("COUNTS", "")))
sys.exit(asyncio.run(Workers(listening("127.0.0.1", int(sys.argv[1])), int(sys.argv[2]), sys.argv[3:], ended).run()))
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


class Watched:
    """Tiny workers and the process that watches over them."""

    def __init__(self, command: list[str], number: int = 2, **more: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | more
        self.master = subprocess.Popen([sys.executable, "-c", MASTER, str(port), str(number), *command], cwd=ROOT, env=environment)

    @property
    def workers(self) -> set[int]:
        return children(self.master.pid)


@pytest.fixture
def started():
    """Starts so many."""
    masters = []

    def start(number: int, **more: str) -> Watched:
        running = Watched([sys.executable, str(WORKER)], number, **more)
        masters.append(running.master)
        until(lambda: is_up(running.url))
        until(lambda: len(running.workers) == number)
        return running

    yield start
    for master in masters:
        master.kill()
        master.wait()


@pytest.fixture
def two(started):
    return started(2)


def asks(url, stop, said, keeps):
    client = httpx.Client(trust_env=False)
    while not stop.is_set():
        if not keeps:
            client.close()
            client = httpx.Client(trust_env=False)
        try:
            said[client.get(url).status_code] += 1
            sleep(PAUSE_S)
        except httpx.HTTPError as error:
            said[repr(error)] += 1
    client.close()


@pytest.mark.parametrize("number", [1, 2])
def test_workers_are_replaced_under_load_without_a_failed_request(started, number):
    running = started(number)
    stop, said = Event(), Counter()
    threads = [Thread(target=asks, args=(running.url, stop, said, number % 2)) for number in range(6)]
    for thread in threads:
        thread.start()
    before = running.workers
    running.master.send_signal(signal.SIGHUP)
    until(lambda: len(running.workers) == number and not running.workers & before)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(said) == {200}
    assert said[200] > 50


@pytest.mark.parametrize("number", [1, 2])
def test_a_worker_that_dies_is_started_again_and_connections_wait_for_it(started, number):
    running = started(number)
    victim = next(iter(running.workers))
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in running.workers)
    assert httpx.get(running.url, trust_env=False, timeout=60).status_code == 200
    until(lambda: len(running.workers) == number)


def test_where_a_worker_can_not_be_started_any_more_the_one_that_watches_ends(tmp_path):
    program = tmp_path / "worker"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {WORKER} "$@"\n')
    program.chmod(0o755)
    running = Watched([str(program)], 1)
    until(lambda: is_up(running.url))
    program.unlink()
    os.kill(next(iter(running.workers)), signal.SIGKILL)
    assert running.master.wait(30) == 1


def test_sigterm_ends_all_of_them(two):
    workers = two.workers
    two.master.terminate()
    assert two.master.wait(20) == 0
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_sigterm_ends_a_worker_too_that_is_about_to_retire(started):
    running = started(1)
    [before] = running.workers
    with httpx.Client(trust_env=False) as unused:
        assert unused.get(running.url).status_code == 200  # the old worker waits for this connection
        running.master.send_signal(signal.SIGHUP)
        until(lambda: len(running.workers) == 2)
        until(lambda: httpx.get(running.url, trust_env=False).text != str(before))
        running.master.terminate()
        assert running.master.wait(20) == 0
    assert not Path(f"/proc/{before}").exists()


def test_a_worker_that_has_not_begun_to_serve_ends_with_the_process_that_watches_over_it(tmp_path):
    program = (
        f"import sys, time; from api.worker_server import Life; Life(int(sys.argv[3])); open({str(tmp_path / 'up')!r}, 'w'); time.sleep(60)"
    )
    running = Watched([sys.executable, "-c", program], 1)
    until((tmp_path / "up").exists)
    [worker] = running.workers
    running.master.kill()
    running.master.wait()
    until(lambda: not Path(f"/proc/{worker}").exists())


def test_whatever_a_thread_waits_for_a_process_that_shall_leave_does():
    program = "import time; from api.worker_server import _leave_within; _leave_within(0.2); time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30, check=False).returncode == 1


def test_workers_end_with_the_process_that_watches_over_them(two):
    workers = two.workers
    two.master.kill()
    until(lambda: not [pid for pid in workers if Path(f"/proc/{pid}").exists()])


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_is_not_ready_yet_ends_with_the_process_that_watches_over_it(started, sent):
    running = started(1, NEVER_READY="1")
    running.master.send_signal(signal.SIGHUP)
    until(lambda: len(running.workers) == 2)
    workers = running.workers
    running.master.send_signal(sent)
    until(lambda: not [pid for pid in workers if Path(f"/proc/{pid}").exists()])


def starts_and_ends(with_code: int, starts: Path) -> list[str]:
    """A worker that never accepts a connection, and leaves a line for each start."""
    program = f"import time; open({str(starts)!r}, 'a').write('one\\n'); time.sleep(0.2); raise SystemExit({with_code})"
    return [sys.executable, "-c", program]


@pytest.mark.parametrize("short_life_s", ["10", "0"])
def test_a_worker_that_never_comes_up_is_given_up_however_long_it_takes(tmp_path, short_life_s):
    running = Watched(starts_and_ends(3, tmp_path / "starts"), 1, SHORT_LIFE_S=short_life_s)
    assert running.master.wait(30) == 1
    assert len((tmp_path / "starts").read_text().splitlines()) == TRIES


def test_a_worker_that_says_that_it_is_misconfigured_is_not_tried_again(tmp_path):
    running = Watched(starts_and_ends(os.EX_CONFIG, tmp_path / "starts"), 1)
    assert running.master.wait(30) == os.EX_CONFIG
    assert (tmp_path / "starts").read_text() == "one\n"


def test_a_second_start_on_a_port_that_is_taken_leaves_what_runs_there_as_it_is(tmp_path):
    pid_file = tmp_path / "run" / "api.pid"
    pid_file.parent.mkdir()
    pid_file.write_text("4711\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        second = os.environ | {"GROUNDWORK_HOME": str(tmp_path), "GROUNDWORK_PORT": port, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "api.serve"]
        ended = subprocess.run(command, cwd=ROOT, env=second, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == ["run/api.pid"]
    assert pid_file.read_text() == "4711\n"


@pytest.fixture
def counting(tmp_path):
    running = Watched([sys.executable, str(WORKER)], COUNTS=str(tmp_path))
    try:
        until(lambda: is_up(running.url))
        until(lambda: len(running.workers) == 2)
        yield running
    finally:
        running.master.kill()
        running.master.wait()


def counted(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}


def all_told(counting: Watched, at_least: int) -> float:
    """Both workers have answered, and each tells the same of all; the requests so far."""
    before = counted(counting.url).get("tiny_requests_total", 0.0)
    answered: Counter = Counter()

    def both() -> bool:
        answered.update(httpx.get(counting.url, trust_env=False).text for _ in range(5))
        return len(answered) == 2 and answered.total() >= at_least

    until(both)
    for _ in range(6):
        found = counted(counting.url)
        assert found["tiny_requests_total"] == found["tiny_seconds_count"] == before + answered.total()
    return before + answered.total()


def test_what_is_counted_is_told_of_all_workers_by_each(counting):
    assert all_told(counting, 10) >= 10


def test_no_count_falls_when_workers_are_replaced_or_killed_and_files_stay_few(counting, tmp_path):
    seen, stop = [], Event()

    def watches() -> None:
        while not stop.is_set():
            try:
                seen.append(counted(counting.url).get("tiny_requests_total", 0.0))
                sleep(PAUSE_S)
            except httpx.TransportError:  # the one that was killed was asked
                continue

    total = all_told(counting, 10)
    watching = Thread(target=watches)
    watching.start()
    for _ in range(3):
        before = counting.workers
        counting.master.send_signal(signal.SIGHUP)
        until(lambda before=before: len(counting.workers) == 2 and not counting.workers & before)
    victim = next(iter(counting.workers))
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(counting.workers) == 2 and victim not in counting.workers)
    until(lambda: is_up(counting.url))
    stop.set()
    watching.join()
    assert seen == sorted(seen)
    assert seen[-1] >= total
    assert all_told(counting, 10) > total
    assert {int(path.stem.rpartition("_")[2]) for path in tmp_path.glob("*.db")} <= {0, 1, 2, 3}


def test_what_a_killed_worker_had_in_hand_is_told_no_more(counting):
    all_told(counting, 10)
    stop = Event()
    asking = [Thread(target=asks, args=(counting.url, stop, Counter(), False)) for _ in range(8)]
    for thread in asking:
        thread.start()
    until(lambda: counted(counting.url)["tiny_in_hand"] > 2)
    for victim in counting.workers:
        os.kill(victim, signal.SIGKILL)
    stop.set()
    for thread in asking:
        thread.join()
    until(lambda: len(counting.workers) == 2 and is_up(counting.url))
    assert counted(counting.url)["tiny_in_hand"] == 0


def test_a_connection_that_nobody_uses_is_kept_longer_than_clients_keep_it_and_shorter_than_a_worker_waits():
    clients_s = httpx.Limits().keepalive_expiry
    assert clients_s
    assert clients_s < config(served).timeout_keep_alive < RETIRES_WITHIN_S
