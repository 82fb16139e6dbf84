"""What happens when far more comes in than can be indexed: memory, the cost of looking at what waits, and the refusal past the bound."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import httpx

from evals.bench.figures import Case, Figure, Stopwatch, p50_ms
from evals.bench.memory import PROC, MemoryWatch
from evals.bench.options import Options
from evals.bench.platform import BULK_DOCUMENTS, PlatformFailed, RunningPlatform, bulk, started
from evals.bench.variants import Variants, passages
from index.documents import Draft
from index.errors import Misconfigured
from index.store import Store, open_store

PART = "pressure"
DOCUMENTS = 20_000
SEGMENT_DOCUMENTS = 100
SINGLES_SHARE = 10
SOURCE = "http"
LOOKS = 5
HELD_S = 30.0
AGAIN_EVERY_S = 1.0
TAKEN_WITHIN_S = 900.0
MIB = 1024 * 1024
GIB = 1024 * MIB


def pressure(options: Options) -> list[Figure]:
    """`docs` documents (20,000) of about 150 words wait: in the running platform, whose bound that is, and in an inbox by itself.

    Goals for 100,000: 3 GB in all processes, nothing lost.
    """
    if not (PROC / "self" / "smaps_rollup").exists():
        raise Misconfigured("memory is read from Linux' /proc/*/smaps_rollup, which is not here")
    documents, texts = options.docs or DOCUMENTS, passages(options.data)
    with TemporaryDirectory(prefix="groundwork-bench-") as folder:
        figures = looking(open_store(folder, Path(folder)), Variants(texts), documents)
    with started(INBOX_DOCUMENTS=str(documents)) as platform:
        return [*figures, *filled(platform, Variants(texts), documents, HELD_S)]


def looking(store: Store, variants: Variants, documents: int) -> list[Figure]:
    """How long it takes to look at an inbox, and to add to it: after a bulk load, and with a tenth as many single documents."""
    for piece in pieces(variants.drafts(documents, "bulk"), SEGMENT_DOCUMENTS):
        store.inbox.accept(piece)
    figures = looks(store, f"{documents:,} documents wait, handed in in bulk")
    singles = documents // SINGLES_SHARE
    for draft in variants.drafts(singles, "single"):
        store.inbox.accept([draft], "express")
    return figures + looks(store, f"{singles:,} single documents wait as well")


def looks(store: Store, name: str) -> list[Figure]:
    """The median of each way to look; `pending` remembers what it has seen, so its first time is apart."""
    inbox, case = store.inbox, Case(PART, name)
    first = Stopwatch()
    with first:
        inbox.pending()
    steps: dict[str, Callable[[], object]] = {
        "backlog": inbox.backlog,
        "segments": inbox.segments,
        "is_empty": inbox.is_empty,
        "pending, again": inbox.pending,
        "read the oldest": lambda: inbox.read(inbox.segments()[0].name),
        "accept one": lambda: inbox.accept([Draft("one", content=b"one more")], "express"),
    }
    return [
        case.figure("pending, first time", first.last * 1000, "ms"),
        *(case.figure(step, timed(act), "ms") for step, act in steps.items()),
    ]


def timed(act: Callable[[], object]) -> float:
    """The median time in milliseconds."""
    watch = Stopwatch()
    for _ in range(LOOKS):
        with watch:
            act()
    return p50_ms(watch.seconds)


def filled(platform: RunningPlatform, variants: Variants, documents: int, held_s: float) -> list[Figure]:
    """Hands documents in until the inbox is full, uses the platform for a while, and counts what became of all of them."""
    idle = MemoryWatch(platform.process)
    with idle:
        sleep(1)
    with MemoryWatch(platform.process) as watch:
        accepted, refused, refusal = pour(platform, variants.drafts(10 * documents, "waiting"), min(BULK_DOCUMENTS, max(1, documents // 4)))
        after_s = int(refusal.headers["Retry-After"])
        taken_s = until_taken(platform, refused)
        accepted += [draft.doc_id for draft in refused]
        calls = in_use(platform, accepted, held_s)
    case = Case(PART, f"{documents:,} documents wait in the running platform")
    base = Case(PART, "the idle platform").figure("memory of all processes", idle.peak.total() / GIB, "GiB")
    return [
        base,
        case.figure("memory of all processes", watch.peak.total() / GIB, "GiB").against(base),
        *(case.figure(f"of that, {name}", size / MIB, "MiB") for name, size in watch.peak.most_common() if size >= MIB),
        *(case.figure(f"{name} p50", p50_ms(watched.seconds), "ms") for name, watched in calls.items()),
        case.figure("refused with", refusal.status_code, "status"),
        case.figure("Retry-After", after_s, "s"),
        case.figure("taken after", taken_s, "s"),
        case.figure("accepted", len(accepted), "documents"),
        case.figure("lost", len(set(accepted) - known(platform)), "documents"),
    ]


def pour(platform: RunningPlatform, drafts: Iterator[Draft], at_once: int) -> tuple[list[str], Sequence[Draft], httpx.Response]:
    """Hands documents in until the platform refuses some: the ids it took, the documents it refused, and how."""
    accepted: list[str] = []
    for piece in pieces(drafts, at_once):
        reply = platform.request("POST", "/v1/documents", **bulk(piece))
        if reply.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Retry-After" in reply.headers:
            return accepted, piece, reply
        if reply.status_code != httpx.codes.ACCEPTED:
            raise PlatformFailed(f"POST /v1/documents: {reply.status_code} {reply.text[:500]}")
        accepted += [draft.doc_id for draft in piece]
    raise PlatformFailed(f"{len(accepted)} documents were taken, and none refused")


def until_taken(platform: RunningPlatform, drafts: Sequence[Draft]) -> float:
    """Seconds until the platform takes what it refused, asked every second."""
    began = monotonic()
    while not platform.request("POST", "/v1/documents", **bulk(drafts)).is_success:
        if monotonic() - began > TAKEN_WITHIN_S:
            raise PlatformFailed(f"what was refused was not taken within {TAKEN_WITHIN_S:.0f} s")
        sleep(AGAIN_EVERY_S)
    return monotonic() - began


def in_use(platform: RunningPlatform, doc_ids: Sequence[str], seconds: float) -> dict[str, Stopwatch]:
    """Searches, and asks what waits, once a second for a while; how long each took."""
    calls = {"search": Stopwatch(), "status of a waiting document": Stopwatch(), "GET /v1/freshness": Stopwatch()}
    until = monotonic() + seconds
    while True:
        with calls["search"]:
            platform.search("what waits")
        with calls["status of a waiting document"]:
            platform.call("GET", f"/v1/documents/{doc_ids[-1]}")
        with calls["GET /v1/freshness"]:
            platform.call("GET", "/v1/freshness")
        if monotonic() > until:
            return calls
        sleep(1)


def known(platform: RunningPlatform) -> set[str]:
    """All documents that wait or are in the ledger, as another process sees them."""
    store = open_store(str(platform.home / "index"), platform.home)
    waiting = set(store.inbox.pending())  # first: what leaves it meanwhile is in the ledger by then
    return waiting | store.ledger.hashes_of(SOURCE).keys()


def pieces(drafts: Iterator[Draft], count: int) -> Iterator[list[Draft]]:
    """The drafts, so many at once."""
    return iter(lambda: list(islice(drafts, count)), [])
