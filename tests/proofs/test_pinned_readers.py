"""Readers that stay on one release each, while batches, maintenance and rebuilds go on for ten minutes: they always see the same."""

import random
from collections.abc import Iterator
from threading import Event, Thread
from time import monotonic
from typing import Self

import pytest

from tests.proofs.platform import Reply, RunningPlatform
from tests.proofs.test_rebuild_live import WORDS, text_of

SECONDS = 600
RELEASES = 15
DOCUMENTS_A_RELEASE = 10
QUESTIONS = [f"report about the {word}" for word in WORDS[:6]]
MODES = ("hybrid", "vector", "text")
REBUILDS = ({"dimensions": 256}, {"chunking": {"tokens": 64}})
MAINTAIN_EVERY_S = 30.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
Seen = list[tuple[str, float, str]]


@pytest.fixture
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """With 15 releases, the later ones with changes of what the earlier ones show; all stay retained."""
    folder = tmp_path_factory.mktemp("pinned")
    (folder / "retention.toml").write_text("last = 100000\n")
    with RunningPlatform(folder / "home", GROUNDWORK_RETENTION=str(folder / "retention.toml")) as running:
        for number in range(RELEASES):
            for each in range(DOCUMENTS_A_RELEASE):
                running.put_surely(f"d/{number}-{each}", text_of(DOCUMENTS_A_RELEASE * number + each))
            running.put(f"d/{max(0, number - 1)}-0", f"Report changed in round {number}. {text_of(number)}", wait=60)
        yield running


class Readers:
    """Ask for one release after the other, each time another question; keep what differs from the first time."""

    def __init__(self, platform: RunningPlatform, releases: list[int]) -> None:
        self._platform = platform
        self._releases = releases
        self._stop = Event()
        self._first = {(release, question, mode): self._seen(release, question, mode) for release, question, mode in self._all()}
        self.asked = 0
        self.wrong: list[str] = []
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _all(self) -> list[tuple[int, str, str]]:
        return [(release, question, mode) for release in self._releases for question in QUESTIONS for mode in MODES]

    def _run(self) -> None:
        places = self._all()
        random.Random(1).shuffle(places)
        while not self._stop.is_set():
            for place in places:
                if self._stop.wait(0.02):
                    return
                found = self._seen(*place)
                self.asked += 1
                if found != self._first[place]:
                    self.wrong.append(f"{place}: {found} in place of {self._first[place]}"[:2000])

    def _seen(self, release: int, question: str, mode: str) -> Seen | Reply:
        reply = self._platform.call("POST", "/v1/search", {"query": question, "mode": mode, "release": release, "k": 5})
        if reply.status != 200:
            return reply
        assert reply.json["release"] == release
        return [(hit["chunk_id"], hit["score"], hit["text"]) for hit in reply.json["hits"]]


def work_goes_on(platform: RunningPlatform) -> tuple[int, int]:
    """Changes, new documents, maintenance and one rebuild after the other, for ten minutes; how many batches' worth and rebuilds."""
    ends, maintained, number, rebuilds = monotonic() + SECONDS, 0.0, 0, 0
    while monotonic() < ends:
        number += 1
        changed = f"d/{number % RELEASES}-{number % DOCUMENTS_A_RELEASE}"
        assert platform.put(f"new/{number}", text_of(5000 + number)).status == 202
        assert platform.put(changed, f"Changed {number}. {text_of(9000 + number)}", wait=1).status in (200, 202)
        if monotonic() - maintained > MAINTAIN_EVERY_S:
            maintained = monotonic()
            platform.start_run("maintain/maintain")
            rebuilds += next_rebuild(platform, rebuilds)
    return number, rebuilds


def next_rebuild(platform: RunningPlatform, done: int) -> bool:
    """Begins the next rebuild if none is under way; one that the gate held goes live all the same."""
    before = platform.call("GET", "/v1/rebuilds").json["items"]
    if before and before[0]["state"] == "running":
        return False
    if before and before[0]["state"] == "held":
        platform.call("POST", f"/v1/releases/{before[0]['release']}/promote", {"reason": "the test looks at readers"})
        return False
    return platform.call("POST", "/v1/rebuilds", REBUILDS[done % len(REBUILDS)] | {"reason": "a test"}).status == 202


def test_readers_of_any_retained_release_see_the_same_while_everything_goes_on(platform):
    servable = [each["release"] for each in platform.call("GET", "/v1/releases", limit=200).json["items"] if each["status"] != "reclaimed"]
    releases = sorted(number for number in servable if number > 1)[:: max(1, len(servable) // RELEASES)]
    with Readers(platform, releases) as readers:
        changes, rebuilds = work_goes_on(platform)
    maintained = [run for run in platform.runs_of("maintain") if run["state_type"] == "COMPLETED"]
    beside = f"{changes} changes, {rebuilds} rebuilds, {len(maintained)} maintenances"
    print(f"{readers.asked} searches on {len(releases)} releases beside {beside}")
    assert readers.wrong == []
    assert readers.asked > 1000
    assert rebuilds >= 2
    assert maintained
