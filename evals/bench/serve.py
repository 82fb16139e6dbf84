"""How fast the running platform answers `POST /v1/search`, to one client and to several at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from time import perf_counter

from evals.bench.collection import real_documents
from evals.bench.figures import Case, Figure, Stopwatch, p50_ms, p99_ms
from evals.bench.options import Options
from evals.bench.platform import RunningPlatform, started

PART = "serve"
DOCUMENTS = 300
QUESTIONS = 200
CLIENTS = 8
WARM_UP = 20
QUESTION_WORDS = 10
INDEXED_WITHIN_S = 3600.0


def serve(options: Options) -> list[Figure]:
    """Hybrid searches over `docs` documents, with the beginnings of sentences of theirs as questions."""
    drafts = real_documents(options.data, options.docs or DOCUMENTS)
    questions = [" ".join(draft.content.decode().split()[-QUESTION_WORDS:]) for draft in drafts]
    with started() as platform:
        platform.accept(drafts)
        for _ in platform.until_indexed(INDEXED_WITHIN_S):
            pass
        asked = [questions[number % len(questions)] for number in range(QUESTIONS)]
        client(platform, asked[:WARM_UP])
        one = Stopwatch()
        with one:
            alone = client(platform, asked)
        many = Stopwatch()
        with many, ThreadPoolExecutor(CLIENTS) as pool:
            together = list(chain(*pool.map(client, [platform] * CLIENTS, [asked[number::CLIENTS] for number in range(CLIENTS)])))
    baseline = latencies(f"1 client, {len(drafts)} documents", alone, one.last)
    return [
        *baseline,
        *(figure.against(other) for figure, other in zip(latencies(f"{CLIENTS} clients", together, many.last), baseline, strict=True)),
    ]


def client(platform: RunningPlatform, questions: Sequence[str]) -> list[float]:
    """Seconds of each search, one after the other."""
    seconds = []
    for question in questions:
        began = perf_counter()
        platform.search(question)
        seconds.append(perf_counter() - began)
    return seconds


def latencies(case: str, seconds: Sequence[float], all_s: float) -> list[Figure]:
    """The median, the 99th percentile and the throughput."""
    timed = Case(PART, case)
    return [
        timed.figure("p50", p50_ms(seconds), "ms"),
        timed.figure("p99", p99_ms(seconds), "ms"),
        timed.figure("throughput", len(seconds) / all_s, "searches/s"),
    ]
