"""Another model for the whole index while people search it and documents come in: what searches notice of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Thread
from time import monotonic, sleep, time
from typing import Any

from evals.bench.figures import Case, Figure, p50_ms, p99_ms
from evals.bench.filled_home import fill_home
from evals.bench.freshness import body, question
from evals.bench.options import Options
from evals.bench.paced import PacedSearches
from evals.bench.platform import PlatformFailed, RunningPlatform, started
from evals.bench.variants import Variants, passages

PART = "rebuild"
DOCUMENTS = 2_000
LONGEST_S = 4 * 3600.0
LOOK_S = 0.2
# Fewer dimensions of the same model need no embedding; other passages need all of it.
CUT = "to 256 dimensions"
RECIPES: dict[str, dict[str, Any]] = {CUT: {"dimensions": 256}, "to passages of 128 tokens": {"chunking": {"tokens": 128}}}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds from one to the next; how long searches are timed before."""

    search_s: float = 1 / 20
    document_s: float = 0.5
    quiet_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Swap:
    """The release that took over, when that was decided (seconds of the system's clock), and whether the gate had held it."""

    release: int
    at: float
    embedded: int
    held: bool = False


@dataclass(slots=True)
class Puts:
    """One document after the other at a pace, until it is told to stop; keeps their ids."""

    platform: RunningPlatform
    variants: Variants
    every_s: float
    name: str
    stopped: bool = False
    sent: int = 0
    refused: int = 0

    def run(self) -> None:
        """Puts documents."""
        for draft in self.variants.drafts(10**6, self.name):
            if self.stopped:
                return
            reply = self.platform.request("PUT", f"/v1/documents/{draft.doc_id}", json=body(draft))
            self.refused += reply.status_code != 202
            self.sent += 1
            sleep(self.every_s)


def rebuild(options: Options) -> list[Figure]:
    """`docs` documents; 20 searches and 2 new documents a second meanwhile. What the gate holds is let through.

    Or `rows` documents whose vectors are drawn, not embedded, and a model of fewer dimensions alone: then any number is there in minutes.
    Goals: nothing fails and nothing is lost, p99 of searches at most twice the quiet one, and the swap within a second.
    """
    known = passages(options.data)
    variants = Variants(known)
    if options.rows:
        drafts = variants.drafts(options.rows, "first")
        with started(lambda home: fill_home(home, known, drafts)) as platform:
            return measured(platform, variants, Pace(), (CUT,))
    with started() as platform:
        platform.accept(list(variants.drafts(options.docs or DOCUMENTS, "first")))
        for _ in platform.until_indexed(LONGEST_S):
            pass
        return measured(platform, variants, Pace())


def measured(platform: RunningPlatform, variants: Variants, pace: Pace, recipes: Collection[str] | None = None) -> list[Figure]:
    """The figures of a platform that has documents; of all `RECIPES`, if none are named."""
    questions = [question(draft) for draft in variants.drafts(100, "question")]
    rows = platform.call("GET", "/v1/releases/live")["rows"]
    with PacedSearches(platform, questions, pace.search_s) as quiet:
        sleep(pace.quiet_s)
    case = Case(PART, f"{rows:,} passages, quiet")
    before = case.figure("p99", p99_ms(quiet.seconds), "ms")
    figures = [case.figure("p50", p50_ms(quiet.seconds), "ms"), before]
    for name in RECIPES if recipes is None else recipes:
        asked = RECIPES[name]
        figures += _one(platform, variants, questions, (name, asked), before, pace)
    return figures


def _one(
    platform: RunningPlatform, variants: Variants, questions: Sequence[str], wanted: tuple[str, dict[str, Any]], quiet: Figure, pace: Pace
) -> list[Figure]:
    name, asked = wanted
    plan = platform.call("POST", "/v1/rebuilds", json=asked | {"dry_run": True})
    live = platform.call("GET", "/v1/releases/live")
    puts = Puts(platform.another_client(), variants, pace.document_s, "-".join(("meanwhile", *asked)))
    putting = Thread(target=puts.run, daemon=True)
    with PacedSearches(platform, questions, pace.search_s) as searches:
        putting.start()
        began = monotonic()
        swap = _ended(platform, asked)
        took = monotonic() - began
        puts.stopped = True
        putting.join()
    puts.platform.close()
    for _ in platform.until_indexed(LONGEST_S):
        pass
    rows = platform.call("GET", "/v1/releases/live")["rows"]
    case = Case(PART, f"{live['rows']:,} passages {name}")
    return [
        case.figure("took", took, "s"),
        case.figure("planned", plan["seconds"], "s"),
        case.figure("embedded", swap.embedded, "texts"),
        case.figure("to embed, as planned", plan["embed"], "texts"),
        case.figure("passages, as planned", plan["chunks"], "passages"),
        case.figure("passages", rows, "passages"),
        case.figure("held by the gate first", float(swap.held), ""),
        *_swapped(case, searches, swap),
        case.figure("searches", len(searches.seconds), "searches"),
        case.figure("failed searches", len(searches.failed), "searches"),
        case.figure("p50", p50_ms(searches.seconds), "ms"),
        case.figure("p99", p99_ms(searches.seconds), "ms").against(quiet),
        case.figure("slowest", 1000 * max(searches.seconds), "ms"),
        case.figure("documents put meanwhile", puts.sent, "documents"),
        case.figure("refused or lost", puts.refused + _lost(platform, puts), "documents"),
    ]


def _swapped(case: Case, searches: PacedSearches, swap: Swap) -> list[Figure]:
    """Seconds from the decision to the first reply of the new generation, and searches sent after it that another release answered."""
    # What is held and let through is pinned; what passes by itself is followed by newer releases.
    first = searches.first_on(swap.release, or_newer=not swap.held)
    if first is None:
        return []
    back = [reply for reply in searches.replies if reply.due > first.ended and reply.release < swap.release]
    return [case.figure("swap", first.ended - swap.at, "s"), case.figure("answered by an older release after it", len(back), "searches")]


def _ended(platform: RunningPlatform, asked: dict[str, Any]) -> Swap:
    """What took over, when its generation is served."""
    first = _until_ended(platform, platform.call("POST", "/v1/rebuilds", json=asked | {"reason": "a benchmark"})["id"])
    if first["state"] == "done":
        made = platform.call("GET", f"/v1/releases/{first['release']}")["created_at"]
        return Swap(first["release"], datetime.fromisoformat(made).timestamp(), first["embedded"])
    if first["state"] != "held":
        raise PlatformFailed(f"the rebuild {first['state']}: {first['outcome']}")
    swap = Swap(first["release"], time(), first["embedded"], held=True)
    platform.call("POST", f"/v1/releases/{swap.release}/promote", json={"reason": "a benchmark of how, not of how well"})
    second = _until_ended(platform, platform.call("GET", "/v1/rebuilds")["items"][0]["id"])
    platform.call("POST", "/v1/resume", json={})
    return replace(swap, embedded=swap.embedded + second["embedded"])


def _until_ended(platform: RunningPlatform, number: int) -> dict[str, Any]:
    deadline = monotonic() + LONGEST_S
    while (found := platform.call("GET", f"/v1/rebuilds/{number}"))["state"] == "running":
        if monotonic() > deadline:
            raise PlatformFailed(f"rebuild {number} does not come to an end: {found}")
        sleep(LOOK_S)
    return dict(found)


def _lost(platform: RunningPlatform, puts: Puts) -> int:
    """How many of the documents that were put are not served."""
    served, cursor = 0, None
    while True:
        page = platform.call("GET", "/v1/documents", params={"limit": 1000} | ({"cursor": cursor} if cursor else {}))
        served += len([each for each in page["items"] if each["served"] and each["doc_id"].startswith(f"{puts.name}-")])
        cursor = page["next"]
        if cursor is None:
            return max(0, puts.sent - served)
