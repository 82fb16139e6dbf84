"""A rebuild of the real platform under load, with `kill -9`; then back over it on two API processes, without Prefect."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Self

import httpx
import pytest

from index.store import open_store
from tests.proofs.platform import ROOT, RunningPlatform, free_ports

DOCUMENTS = 300
KILLS = 10
LIFE_S = 13.0
SEARCHES_PER_S = 20
SEARCHES = 10_000
WORDS = "copper mine falun ferry lake siljan crater orchard river harbour bridge tower market winter harvest school theatre garden".split()  # noqa: SIM905 - it reads better
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def text_of(number: int) -> str:
    """Long enough for several passages of 64 tokens, with words of its own."""
    subjects = [WORDS[(number + part) % len(WORDS)] for part in range(9)]
    said = [f"Part {part} of report {number} tells of the {subject}, item {number * 31 + part}." for part, subject in enumerate(subjects)]
    return "\n\n".join(f"{line} " * 2 for line in said)


class Load:
    """Asks again and again, and puts documents, until it is stopped; keeps what did not work and how long searches took."""

    def __init__(self, platform: RunningPlatform) -> None:
        self._platform = platform
        self._stop = Event()
        self.failed: list[str] = []
        self.seconds: list[tuple[float, float]] = []
        self.releases: list[int] = []
        self.put = 0
        self._threads = [Thread(target=self._search), Thread(target=self._add)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _search(self) -> None:
        key = (self._platform.home / "admin.key").read_text().strip()
        with httpx.Client(base_url=f"http://127.0.0.1:{self._platform.port}", headers={"Authorization": f"Bearer {key}"}) as client:
            number = 0
            while not self._stop.wait(1 / SEARCHES_PER_S):
                number += 1
                began = monotonic()
                reply = client.post("/v1/search", json={"query": f"report about the {WORDS[number % len(WORDS)]}", "k": 5}, timeout=30)
                self.seconds.append((began, monotonic() - began))
                if reply.status_code != 200 or not reply.json()["hits"]:
                    self.failed.append(f"{reply.status_code} {reply.text[:200]}")
                else:
                    self.releases.append(reply.json()["release"])

    def _add(self) -> None:
        while not self._stop.wait(0.5):
            doc_id = f"new/{self.put}"
            if self._platform.put(doc_id, text_of(1000 + self.put)).status != 202:
                self.failed.append(f"{doc_id} was not accepted")
            self.put += 1


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """With documents in it."""
    with RunningPlatform(tmp_path_factory.mktemp("rebuild") / "home") as running:
        for number in range(DOCUMENTS):
            running.put_surely(f"d/{number}", text_of(number))
        drained(running)
        yield running


def drained(platform: RunningPlatform) -> None:
    platform.until(lambda: platform.call("GET", "/v1/documents", state="accepted").json == {"items": [], "next": None}, 600)


def rebuilt(platform: RunningPlatform, asked: dict[str, object], meanwhile: Callable[[], object] = lambda: None) -> dict[str, object]:
    reply = platform.call("POST", "/v1/rebuilds", asked)
    assert reply.status == 202, reply
    meanwhile()
    path = f"/v1/rebuilds/{reply.json['id']}"
    platform.until(lambda: platform.call("GET", path).json["state"] != "running", 900)
    found: dict[str, object] = platform.call("GET", path).json
    return found


def promoted(platform: RunningPlatform, found: dict[str, object]) -> dict[str, object]:
    """What became of it in the end: where the gate held it, an admin lets it through."""
    if found["state"] != "held":
        return found
    platform.call("POST", f"/v1/releases/{found['release']}/promote", {"reason": "the test looks at how, not at how well"})
    number = platform.call("GET", "/v1/rebuilds").json["items"][0]["id"]
    platform.until(lambda: platform.call("GET", f"/v1/rebuilds/{number}").json["state"] != "running", 300)
    platform.call("POST", "/v1/resume", {})
    ended: dict[str, object] = platform.call("GET", f"/v1/rebuilds/{number}").json
    return ended


def kill_often(platform: RunningPlatform) -> None:
    """Kills the ingester again and again while it rebuilds; each life is long enough not to be taken for one that can't start."""
    for kills in range(KILLS):
        sleep(LIFE_S)
        if platform.call("GET", "/v1/rebuilds").json["items"][0]["state"] != "running":
            print(f"done after {kills} kills")
            return
        os.kill(platform.leader("ingester"), signal.SIGKILL)
        platform.until(lambda: platform.processes("ingester"))


def rows_of(platform: RunningPlatform) -> dict[str, int]:
    store = open_store(str(platform.home / "index"), platform.home)
    reader = store.reader()
    reader.follow()
    return reader.view().passages()


def test_a_rebuild_under_load_fails_nothing_loses_nothing_and_goes_on_after_each_kill(platform):
    before = rows_of(platform)
    with Load(platform) as load:
        sleep(5)
        found = promoted(platform, rebuilt(platform, {"chunking": {"tokens": 64}}, lambda: kill_often(platform)))
    drained(platform)
    assert found["state"] == "done", found
    assert load.failed == []
    assert len(load.seconds) > 200
    shown = rows_of(platform)
    assert set(shown) == set(before) | {f"new/{number}" for number in range(load.put)}
    assert all(shown[doc_id] > count for doc_id, count in before.items())
    store = open_store(str(platform.home / "index"), platform.home)
    generations = {store.log.get(number).generation for number in load.releases}
    print(f"{len(load.seconds)} searches, {load.put} documents put, generations {len(generations)}, embedded {found['embedded']}")


def test_another_model_is_swapped_in_and_searches_never_mix(platform):
    with Load(platform) as load:
        found = promoted(platform, rebuilt(platform, {"dimensions": 256}))
        platform.until(lambda: platform.call("GET", "/v1/releases/live").json["recipe"]["dimensions"] == 256)
        sleep(2)
    assert (found["state"], load.failed) == ("done", [])
    assert found["embedded"] == 0 or found["gate"] is not None


@pytest.fixture
def two_apis(platform: RunningPlatform) -> Iterator[list[httpx.Client]]:
    """Clients of two API processes of the same index, while Prefect is stopped."""
    [port] = free_ports(1)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GROUNDWORK_", "PREFECT_"))}
    environment |= {"GROUNDWORK_HOME": str(platform.home), "GROUNDWORK_PORT": str(port), "GROUNDWORK_PREFECT_PORT": "1"}
    headers = {"Authorization": f"Bearer {(platform.home / 'admin.key').read_text().strip()}"}
    os.kill(platform.leader("prefect"), signal.SIGSTOP)
    second = subprocess.Popen([sys.executable, "-m", "api.serve"], cwd=ROOT, env=environment)
    clients = [httpx.Client(base_url=f"http://127.0.0.1:{each}", headers=headers, timeout=30) for each in (platform.port, port)]
    try:
        platform.until(lambda: all(ready(client) for client in clients))
        yield clients
    finally:
        for client in clients:
            client.close()
        second.terminate()
        second.wait()
        os.kill(platform.leader("prefect"), signal.SIGCONT)


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def release_searched(client: httpx.Client) -> int:
    reply = client.post("/v1/search", json={"query": "report about the ferry", "mode": "vector"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["hits"]
    return int(reply.json()["release"])


def of_the_other_model(platform: RunningPlatform) -> int:
    """A servable release that has other dimensions than what is live."""
    store = open_store(str(platform.home / "index"), platform.home)
    live = store.log.live()
    servable = (release for release in store.log.kept() if release.status == "checked" and release.rows)
    return next(release.number for release in servable if release.dimensions != live.dimensions)


def moved(client: httpx.Client, to: int) -> int:
    """Goes back to a release, or (0) follows the newest again; what is live then."""
    path, body = ("/v1/rollback", {"to": to, "reason": "test"}) if to else ("/v1/resume", {})
    return int(client.post(path, json=body).json()["live"])


def test_a_rollback_is_served_within_a_second_by_two_api_processes_without_prefect(platform, two_apis):
    other = of_the_other_model(platform)
    took = []
    for number in (other, 0, other, 0):
        live = moved(two_apis[0], number)
        began = monotonic()
        while not all(release_searched(client) == live for client in two_apis):
            assert monotonic() - began < 5
        took.append(monotonic() - began)
    print(f"served by both after {[round(each, 2) for each in took]} s")
    assert max(took) < 1.0


def test_none_of_ten_thousand_searches_fails_while_it_goes_back_and_forth(platform, two_apis):
    other, stop, released, failed = of_the_other_model(platform), Event(), list[int](), list[str]()

    def search(client: httpx.Client) -> None:
        while not stop.is_set():
            try:
                released.append(release_searched(client))
            except (AssertionError, httpx.HTTPError) as error:
                failed.append(repr(error)[:200])

    threads = [Thread(target=search, args=[client]) for client in two_apis for _ in range(2)]
    for thread in threads:
        thread.start()
    moves = 0
    while len(released) + len(failed) < SEARCHES:
        moved(two_apis[moves % 2], 0 if moves % 2 else other)
        moves += 1
        sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    moved(two_apis[0], 0)
    print(f"{len(released)} searches across {moves} moves, {len(set(released))} releases, {len(failed)} failed")
    assert failed == []
    assert len(set(released)) == 2


def test_documents_that_were_there_before_are_found_in_each_generation(platform):
    platform.call("POST", "/v1/resume", {})
    assert "d/7" in platform.found("Part 3 of report 7", k=20)


def test_it_still_stops_in_time(platform):
    assert platform.stop() < 10
    assert Path(platform.home, "index").is_dir()
