"""How `POST /v1/search` is served: to one client, to 32 beside a textbook service, and to ten times more than can be served."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evals.bench.api_process import ApiProcess, serving
from evals.bench.figures import Case, Figure, p50_ms, p99_ms
from evals.bench.load import Replies, Target, at_rate, by_clients
from evals.bench.options import Options
from evals.bench.peers.service import textbook_service
from evals.bench.platform import PlatformFailed
from evals.bench.serve_index import Filled, filled
from index.errors import Misconfigured

PART = "serve"
ROWS = 20_000
REQUESTS = 500
OVERLOAD_S = 60.0
QUESTIONS = 10_000
CLIENTS = 32
TIMES_TOO_MUCH = 10
WARM_UP = 100
# Numbers of questions, so far apart that none is asked twice, and that each case begins with others: no passages are known from before.
APART = 1_002_000
OK, REFUSED = 200, (429, 503)


def serve(options: Options) -> list[Figure]:
    """Hybrid searches over `rows` passages; each question is asked once. `docs` is the number of requests of each case."""
    rows, requests = options.rows or ROWS, options.docs or REQUESTS
    with TemporaryDirectory(prefix="groundwork-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        index = filled(home, rows, QUESTIONS, options.data, copy=home / "copy")
        name = f"{rows:,} passages"
        with serving(home) as api:
            ours = list(_ours(api, index, name, requests, options.seconds or OVERLOAD_S))
        theirs = list(_theirs(home, index, name, requests, ours))
    return [*ours, *theirs]


def _ours(api: ApiProcess, index: Filled, name: str, requests: int, overload_s: float) -> Iterator[Figure]:
    def target(place: int) -> Target:
        return Target(api.url, "/v1/search", index.questions, api.key, place * APART)

    by_clients(target(0), CLIENTS, WARM_UP)
    one = served(by_clients(target(1), 1, requests, bodies=True))
    case = Case(PART, f"{name}, 1 client")
    yield from latencies(case, one)
    yield from shares(case, one)
    many = served(by_clients(target(2), CLIENTS, requests))
    full = Case(PART, f"{name}, {CLIENTS} clients")
    yield from latencies(full, many)
    yield from overload(name, target(3), many, full, overload_s)
    after = served(by_clients(target(4), CLIENTS, max(WARM_UP, requests // 5)))
    for figure, before in zip(latencies(Case(PART, f"{name}, right after"), after), latencies(full, many), strict=True):
        yield figure.against(before)


def overload(name: str, target: Target, many: Replies, full: Case, seconds: float) -> Iterator[Figure]:
    """Ten times the throughput of full load, whatever becomes of it."""
    rate = TIMES_TOO_MUCH * len(many.seconds) / many.took_s
    replies = at_rate(target, rate, seconds)
    case = Case(PART, f"{name}, {TIMES_TOO_MUCH} x too much")
    yield case.figure("offered", len(replies.status) / seconds, "searches/s")
    yield case.figure("served", len(replies.of(OK)) / replies.took_s, "searches/s")
    for metric, measure in (("p50", p50_ms), ("p99", p99_ms)):
        yield case.figure(metric, measure(replies.of(OK)), "ms").against(full.figure(metric, measure(many.seconds), "ms"))
    if refused := replies.of(*REFUSED):
        yield case.figure("refused in, p50", p50_ms(refused), "ms")
        yield case.figure("refused in, p99", p99_ms(refused), "ms")
    yield case.figure("errors", len(replies.status) - len(replies.of(OK, *REFUSED)), "")


def _theirs(home: Path, index: Filled, name: str, requests: int, ours: Sequence[Figure]) -> Iterator[Figure]:
    """The textbook service, by clients alone: it has no bounds that an overload could show."""
    try:
        with textbook_service(home) as url:
            target = Target(url, "/search", index.questions)
            by_clients(target, CLIENTS, WARM_UP)
            for place, clients in ((1, 1), (2, CLIENTS)):
                told = "1 client" if clients == 1 else f"{clients} clients"
                replies = served(by_clients(Target(url, "/search", index.questions, "", place * APART), clients, requests))
                for figure in latencies(Case(PART, f"{name}, {told}, FastAPI + LangChain + Chroma"), replies):
                    yield figure.against(next(each for each in ours if each.case == f"{name}, {told}" and each.metric == figure.metric))
    except Misconfigured as error:
        print(f"without the textbook service: {error}", file=sys.stderr)


def latencies(case: Case, replies: Replies) -> list[Figure]:
    """The median, the 99th percentile and the throughput."""
    return [
        case.figure("p50", p50_ms(replies.seconds), "ms"),
        case.figure("p99", p99_ms(replies.seconds), "ms"),
        case.figure("throughput", len(replies.seconds) / replies.took_s, "searches/s"),
    ]


def shares(case: Case, replies: Replies) -> Iterator[Figure]:
    """Of the time of one client: the model's, LanceDB's, and the rest, which is HTTP and our own code. Medians."""
    timings = [json.loads(body)["timings_ms"] for body in replies.bodies]
    walls = np.array(replies.seconds) * 1000
    embed, search, total = (np.array([each[stage] for each in timings]) for stage in ("embed", "search", "total"))
    read = np.array([each.get("read", 0.0) for each in timings])
    yield case.figure("embedding", float(np.median(embed)), "ms")
    yield case.figure("LanceDB", float(np.median(search + read)), "ms")
    yield case.figure("own code around the search", float(np.median(total - embed - search - read)), "ms")
    yield case.figure("HTTP, with the client's side", float(np.median(walls - total)), "ms")
    yield case.figure("HTTP and own code", float(np.median((walls - embed - search - read) / walls)) * 100, "%")


def served(replies: Replies) -> Replies:
    """The replies, all of which must be there; raises `PlatformFailed`."""
    if set(replies.status) != {OK}:
        raise PlatformFailed(f"requests failed: statuses {sorted(set(replies.status))}")
    return replies
