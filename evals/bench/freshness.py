"""How long single documents take to be found: at a steady pace, and while a bulk load goes in; and what that costs searches."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from time import monotonic, sleep

import numpy as np

from evals.bench.figures import Case, Figure, p99_ms
from evals.bench.options import Options
from evals.bench.paced import PacedSearches
from evals.bench.platform import RunningPlatform, started
from evals.bench.variants import Variants, passages
from index.documents import Draft

PART = "freshness"
DOCUMENTS = 1_667
BULK = 2_000
WARM_UP = 5
AT_ONCE = 16
WITHIN_S = 60.0
QUESTION_WORDS = 8
# The curve of the picture; the goals are about the 50th and the 99th.
PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds from one to the next. A document is looked for every `look_s`, with nothing else to do before `quiet_s` of searches."""

    document_s: float = 3600 / 10_000
    single_s: float = 1.0
    search_s: float = 0.25
    look_s: float = 0.05
    settle_s: float = 15.0
    quiet_s: float = 60.0


def freshness(options: Options) -> list[Figure]:
    """`docs` documents at 10,000 an hour, then one a second while `rows` documents go in in bulk.

    Goals: p50 0.5 s and p99 1.5 s at the steady pace; p99 3 s beside the bulk load, and no search that fails or p99 of
    searches above three times that of the idle platform.
    """
    texts = passages(options.data)
    with started() as platform:
        return measured(platform, texts, options.docs or DOCUMENTS, options.rows or BULK, Pace())


def measured(platform: RunningPlatform, texts: Sequence[str], documents: int, bulk: int, pace: Pace) -> list[Figure]:
    """The figures of a platform that is up, with variants of these texts as documents."""
    variants = Variants(texts)
    questions = [question(draft) for draft in variants.drafts(100, "question")]
    for draft in variants.drafts(WARM_UP, "warm"):
        wait_for(platform, draft)
    figures = steady(platform, list(variants.drafts(documents, "steady")), pace)
    sleep(pace.settle_s)
    with PacedSearches(platform, questions, pace.search_s) as quiet:
        sleep(pace.quiet_s)
    loaded = list(variants.drafts(bulk, "bulk"))
    return figures + beside_bulk(platform, loaded, variants.drafts(bulk, "single"), questions, quiet, pace)


def steady(platform: RunningPlatform, drafts: Sequence[Draft], pace: Pace) -> list[Figure]:
    """Documents at a pace, each looked for by another client until a search finds it."""
    other = platform.another_client()
    try:
        seconds = at_pace(drafts, pace.document_s, partial(look_for, platform, other, every_s=pace.look_s))
    finally:
        other.close()
    case = Case(PART, f"{len(drafts)} documents at {3600 / pace.document_s:,.0f} an hour, found by another client")
    return [*curve(case, seconds), *as_served(platform)]


def beside_bulk(
    platform: RunningPlatform,
    loaded: Sequence[Draft],
    singles: Iterable[Draft],
    questions: Sequence[str],
    quiet: PacedSearches,
    pace: Pace,
) -> list[Figure]:
    """Single documents with `?wait=`, and searches, from when a bulk load is handed in until all of it is indexed."""
    began = monotonic()
    with PacedSearches(platform, questions, pace.search_s) as searches, ThreadPoolExecutor(1) as loader:
        loading = loader.submit(platform.accept, loaded)
        going_on = takewhile(lambda _: not loading.done() or bulk_waits(platform), singles)
        seconds = at_pace(going_on, pace.single_s, partial(wait_for, platform))
        took = monotonic() - began
        loading.result()
    case = Case(PART, f"one document every {pace.single_s:g} s, {len(loaded)} in bulk meanwhile")
    idle = Case(PART, "searches of the idle platform").figure("p99", p99_ms(quiet.seconds), "ms")
    busy = Case(PART, f"searches while {len(loaded)} documents go in in bulk")
    return [
        *curve(case, seconds),
        case.figure("bulk", len(loaded) / took, "documents/s"),
        idle,
        busy.figure("p99", p99_ms(searches.seconds), "ms").against(idle),
        busy.figure("searches", len(searches.seconds), "searches"),
        busy.figure("failed searches", len(searches.failed), "searches"),
    ]


def at_pace(drafts: Iterable[Draft], every_s: float, send: Callable[[Draft], float], at_once: int = AT_ONCE) -> list[float]:
    """Sends the documents at a pace, whether or not earlier ones are done; the seconds of each from when it was due."""

    def late_and_sent(draft: Draft, due: float) -> float:
        late = monotonic() - due
        return late + send(draft)

    with ThreadPoolExecutor(at_once) as pool:
        sent = []
        due = monotonic()
        for draft in drafts:
            sleep(max(0.0, due - monotonic()))
            sent.append(pool.submit(late_and_sent, draft, due))
            due += every_s
        return [one.result() for one in sent]


def look_for(platform: RunningPlatform, other: RunningPlatform, draft: Draft, every_s: float) -> float:
    """Seconds from sending a document until a search of the other client finds it; 60 when none does by then."""
    began = monotonic()
    platform.call("PUT", f"/v1/documents/{draft.doc_id}", json=body(draft))
    asked = {"query": question(draft), "mode": "text", "k": 1, "filter": {"doc_id": draft.doc_id}}
    while not other.call("POST", "/v1/search", json=asked)["hits"]:
        if monotonic() - began > WITHIN_S:
            return WITHIN_S
        sleep(every_s)
    return monotonic() - began


def wait_for(platform: RunningPlatform, draft: Draft) -> float:
    """Seconds from sending a document until `?wait=` says that it is searchable; 60 when it does not by then."""
    began = monotonic()
    reply = platform.call("PUT", f"/v1/documents/{draft.doc_id}", params={"wait": WITHIN_S}, json=body(draft))
    return monotonic() - began if reply.get("served") else WITHIN_S


def bulk_waits(platform: RunningPlatform) -> bool:
    """Whether something of the bulk load is not indexed yet."""
    return bool(platform.call("GET", "/v1/freshness")["waiting"]["bulk"])


def as_served(platform: RunningPlatform) -> list[Figure]:
    """What `GET /v1/freshness` says of single documents in the last ten minutes."""
    case = Case(PART, "the same, as GET /v1/freshness has it")
    levels = platform.call("GET", "/v1/freshness")["express"]
    return [case.figure(name, level[name], "s") for level in levels if level["kind"] == "searchable" for name in ("p50", "p95", "p99")]


def curve(case: Case, seconds: Sequence[float]) -> list[Figure]:
    """Percentiles of seconds until searchable, and how many documents were not within a minute."""
    values = np.percentile(seconds, PERCENTILES)
    return [
        *(case.figure(f"p{percent}", float(value), "s") for percent, value in zip(PERCENTILES, values, strict=True)),
        case.figure("slowest", max(seconds), "s"),
        case.figure(f"not found within {WITHIN_S:.0f} s", sum(one >= WITHIN_S for one in seconds), "documents"),
    ]


def body(draft: Draft) -> dict[str, str]:
    """The JSON of a PUT."""
    return {"text": draft.content.decode(), "media_type": draft.media_type, "title": draft.title or ""}


def question(draft: Draft) -> str:
    """The first words of a document."""
    return " ".join(draft.content.decode().split()[:QUESTION_WORDS])
