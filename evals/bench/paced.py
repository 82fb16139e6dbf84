"""Searches at a pace that nothing slows: each is sent when it is due, whether or not those before it are done."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic, time
from types import TracebackType
from typing import Self

import httpx

from evals.bench.platform import PlatformFailed, RunningPlatform

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Reply:
    """When a search was due, when its reply was there (seconds of the system's clock), and the release it came from."""

    due: float
    ended: float
    release: int


class PacedSearches:
    """One search after the other, `every_s`. `seconds` of each count from when it was due."""

    def __init__(self, platform: RunningPlatform, questions: Sequence[str], every_s: float) -> None:
        self._platform = platform
        self._questions = questions
        self._every_s = every_s
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.replies: list[Reply] = []
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def seconds(self) -> list[float]:
        """How long each took, from when it was due."""
        return [reply.ended - reply.due for reply in self.replies]

    def first_on(self, release: int, *, or_newer: bool) -> Reply | None:
        """The first reply that came from a release, or one after it."""
        there = (reply for reply in self.replies if reply.release == release or (or_newer and reply.release > release))
        return min(there, key=lambda reply: reply.ended, default=None)

    def _run(self) -> None:
        # The pace is kept by the clock that never jumps; what is told is the system's, to compare with times of the platform.
        ahead = time() - monotonic()
        due, sent = monotonic(), 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while not self._stop.wait(max(0.0, due - monotonic())):
                pool.submit(self._search, self._questions[sent % len(self._questions)], due, ahead)
                due, sent = due + self._every_s, sent + 1

    def _search(self, question: str, due: float, ahead: float) -> None:
        try:
            found = self._platform.call("POST", "/v1/search", json={"query": question})
        except (httpx.HTTPError, PlatformFailed) as failure:
            self.failed.append(str(failure))
            return
        self.replies.append(Reply(due + ahead, monotonic() + ahead, found["release"]))
