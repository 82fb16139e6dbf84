"""A long time of everything at once: no error, and neither memory nor open files grow, nor the disk by more than what is kept."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import pytest

from tests.proofs.platform import Reply, RunningPlatform

# An hour is the goal; ten minutes show what grows with each request.
SOAK_S = float(os.environ.get("SOAK_S", "600"))
LOOK_S = 5.0
DOCUMENTS = 200
EVALUATE_EVERY_S = 180.0
ROLL_BACK_EVERY_S = 30.0
# Of the last third of the time beside the third before it: caches are still filling, and pages come and go.
MORE_MEMORY = 1.10
MORE_FILES = 20
# Of the disk, in bytes: what stands in a home from its first hour on, and what is kept of a request.
ROOM, ROOM_A_REQUEST = 200e6, 10e3
WATCHED = ("api", "ingester")


class Soak:
    """Clients of all kinds, each in a thread, until it is over."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform
        self.over = Event()
        self.said: Counter[str] = Counter()
        self.wrong: list[Any] = []

    def saw(self, what: str, reply: Reply, *allowed: int) -> Reply:
        """Counts a reply; any other than these and 200 is an error."""
        self.said[what] += 1
        if reply.status not in (200, *allowed):
            self.wrong.append((what, reply))
        return reply

    def search(self) -> None:
        """Some questions again and again, some new."""
        for number in count():
            if self.over.is_set():
                return
            query = f"where is the copper of year {number % 50 if number % 2 else number}?"
            self.saw("search", self.platform.call("POST", "/v1/search", {"query": query}))

    def ask(self) -> None:
        """Answers, and their records."""
        for number in count():
            if self.over.is_set():
                return
            made = self.saw("answer", self.platform.call("POST", "/v1/answers", {"question": f"What was mined in year {number}?"}))
            if made.status == 200:
                self.saw("record", self.platform.call("GET", f"/v1/answers/{made.json['id']}"))

    def write(self) -> None:
        """New texts for the same documents, and now and then a deletion."""
        for number in count():
            if self.over.wait(0.2):
                return
            name = f"mine-{number % DOCUMENTS}"
            text = f"In year {number} copper was mined in shaft {number % 7}, and silver was sold in {number % 90} towns."
            self.saw("write", self.platform.put(name, text), 202)
            if number % 10 == 9:
                self.saw("delete", self.platform.call("DELETE", f"/v1/documents/mine-{(number - 5) % DOCUMENTS}"), 202)

    def roll_back(self) -> None:
        """Back, and on again. There may be nothing to go back to yet."""
        while not self.over.wait(ROLL_BACK_EVERY_S):
            self.saw("rollback", self.platform.call("POST", "/v1/rollback", {"reason": "soak"}), 409)
            sleep(2)
            self.saw("resume", self.platform.call("POST", "/v1/resume", {"reason": "soak"}))

    def evaluate(self) -> None:
        """As its schedule would, only more often."""
        while not self.over.wait(EVALUATE_EVERY_S):
            self.saw("evaluation", self.platform.call("POST", "/v1/evaluations", {"sample": 10}), 202, 409)

    def run(self, seconds: float, look: Callable[[], None]) -> None:
        """All of them, for so long."""
        threads = [Thread(target=each) for each in (self.search, self.search, self.ask, self.write, self.roll_back, self.evaluate)]
        for thread in threads:
            thread.start()
        until = monotonic() + seconds
        while monotonic() < until:
            look()
            sleep(LOOK_S)
        self.over.set()
        for thread in threads:
            thread.join()


def memory_of(pid: int) -> int:
    """Bytes of its own that are in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def files_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def room_of(home: Path) -> int:
    """Bytes of all files; those that go meanwhile count nothing."""
    found = 0
    for file in home.rglob("*"):
        with suppress(FileNotFoundError):
            found += file.lstat().st_size
    return found


def at_work(platform: RunningPlatform) -> dict[str, int]:
    """The processes that do the work of what is watched."""
    [answers] = platform.api_workers()
    return dict(zip(WATCHED, (answers, platform.leader("ingester")), strict=True))


@pytest.mark.slow
@pytest.mark.timeout(SOAK_S + 900)
def test_everything_at_once_for_long_fails_nowhere_and_grows_nowhere(tmp_path):
    with RunningPlatform(tmp_path / "home") as platform:
        platform.until(lambda: platform.put("mine-0", "Copper was mined in Falun.", wait=60).status == 200)
        watched = at_work(platform)
        seen: dict[tuple[str, str], list[int]] = {(part, what): [] for part in WATCHED for what in ("memory", "files")}

        def look() -> None:
            for part, pid in watched.items():
                seen[part, "memory"].append(memory_of(pid))
                seen[part, "files"].append(files_of(pid))

        soak = Soak(platform)
        soak.run(SOAK_S, look)
        still = at_work(platform)
        room = room_of(platform.home)
    thirds = {key: (median(many[len(many) // 3 : 2 * len(many) // 3]), median(many[2 * len(many) // 3 :])) for key, many in seen.items()}
    print(
        dict(soak.said),
        f"{room / 1e6:.0f} MB of disk",
        {key: [round(value / 1e6, 1) if key[1] == "memory" else value for value in pair] for key, pair in thirds.items()},
    )
    assert not soak.wrong, (len(soak.wrong), soak.wrong[:3])
    assert still == watched, "a part was started again"
    assert room <= ROOM + ROOM_A_REQUEST * soak.said.total()
    assert min(soak.said[what] for what in ("search", "answer", "write", "rollback", "evaluation")) > 0
    for (part, what), (before, after) in thirds.items():
        most = before * MORE_MEMORY if what == "memory" else before + MORE_FILES
        assert after <= most, (part, what, before, after)
