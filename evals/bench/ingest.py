"""How long the running platform takes from accepting a write to showing it, and what rolling back costs searches."""

from threading import Event, Thread
from time import perf_counter, sleep
from types import TracebackType
from typing import Self

import httpx

from evals.bench.collection import real_documents
from evals.bench.figures import Case, Figure, Stopwatch, median
from evals.bench.options import Options
from evals.bench.platform import PlatformFailed, RunningPlatform, started
from index.documents import Draft

PART = "ingest"
DOCUMENTS = 500
PUTS = 20
DELETES = 5
ROLLBACKS = 5
SEARCHES = 1_000
CLIENTS = 2
IDLE_S = 0.5
WITHIN_S = 30.0
INDEXED_WITHIN_S = 3600.0
PROBE = "The lighthouse keeper of Groundwork counts nineteen purple herons."


class Searchers:
    """Clients that search all the time, and count how many searches failed."""

    def __init__(self, platform: RunningPlatform, clients: int) -> None:
        self._platform = platform
        self._stop = Event()
        self._threads = [Thread(target=self._search, daemon=True) for _ in range(clients)]
        # Appending to a list is atomic; adding to a number is not.
        self.worked: list[float] = []
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _search(self) -> None:
        while not self._stop.is_set():
            began = perf_counter()
            try:
                self._platform.search(PROBE)
                self.worked.append(perf_counter() - began)
            except (httpx.HTTPError, PlatformFailed) as failure:
                self.failed.append(str(failure))


def ingest(options: Options) -> list[Figure]:
    """Single writes, a rollback under load, and `docs` documents in bulk."""
    drafts = real_documents(options.data, PUTS + (options.docs or DOCUMENTS))
    with started() as platform:
        return [*single_writes(platform, drafts[:PUTS]), *rollbacks(platform), *bulk(platform, drafts[PUTS:])]


def single_writes(platform: RunningPlatform, drafts: list[Draft]) -> list[Figure]:
    """One document at a time on an idle platform: put until searchable, delete until gone."""
    puts, deletes = Stopwatch(), Stopwatch()
    for draft in drafts:
        sleep(IDLE_S)
        with puts:
            put(platform, draft.doc_id, draft.content.decode())
    for draft in drafts[:DELETES]:
        sleep(IDLE_S)
        with deletes:
            platform.call("DELETE", f"/v1/documents/{draft.doc_id}", params={"wait": 10})
    case = Case(PART, "one document, idle platform")
    return [
        case.figure(f"put until searchable, median of {len(puts.seconds)}", median(puts.seconds), "s"),
        case.figure(f"delete until gone, median of {len(deletes.seconds)}", median(deletes.seconds), "s"),
    ]


def rollbacks(platform: RunningPlatform) -> list[Figure]:
    """Rolls back from a document and resumes, some times over, while others search."""
    release = put(platform, "probe", PROBE)
    backward, forward = Stopwatch(), Stopwatch()
    with Searchers(platform, CLIENTS) as searchers:
        for _ in range(ROLLBACKS):
            with backward:
                platform.call("POST", "/v1/rollback", json={"to": release - 1, "reason": "benchmark"})
                until(platform, shown=False)
            with forward:
                platform.call("POST", "/v1/resume", json={"reason": "benchmark"})
                until(platform, shown=True)
        while len(searchers.worked) < SEARCHES and not searchers.failed:
            sleep(0.1)
    case = Case(PART, f"rollback, {CLIENTS} clients searching")
    return [
        case.figure(f"rollback until gone, median of {ROLLBACKS}", median(backward.seconds), "s"),
        case.figure(f"resume until back, median of {ROLLBACKS}", median(forward.seconds), "s"),
        case.figure("searches meanwhile", len(searchers.worked), "searches"),
        case.figure("failed searches", len(searchers.failed), "searches"),
    ]


def bulk(platform: RunningPlatform, drafts: list[Draft]) -> list[Figure]:
    """Documents a second, from the first byte handed in until the last of them is searchable."""
    watch = Stopwatch()
    with watch:
        platform.accept(drafts)
        for _ in platform.until_indexed(INDEXED_WITHIN_S, look_s=0.1):
            pass
    return [Case(PART, f"{len(drafts)} documents in bulk").figure("until searchable", len(drafts) / watch.last, "documents/s")]


def put(platform: RunningPlatform, doc_id: str, text: str) -> int:
    """Puts a text and waits until it is searchable; returns the release that shows it."""
    reply = platform.call("PUT", f"/v1/documents/{doc_id}", params={"wait": 10}, json={"text": text})
    if not reply.get("served"):
        raise PlatformFailed(f"{doc_id} was not searchable within 10 s: {reply}")
    return int(reply["release"])


def until(platform: RunningPlatform, shown: bool) -> None:
    """Searches until the probe is shown, or is not."""
    began = perf_counter()
    while any(hit["doc_id"] == "probe" for hit in platform.search(PROBE)) != shown:
        if perf_counter() - began > WITHIN_S:
            raise PlatformFailed(f"after {WITHIN_S:.0f} s the probe is {'not shown' if shown else 'still shown'}")
