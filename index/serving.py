"""How much the API takes on at once, and how it treats what it is asked (pure)."""

from dataclasses import dataclass
from pathlib import Path

from index.errors import Misconfigured
from index.overrides import overridden

UNSUPPORTED = ("drop", "mark")


@dataclass(frozen=True, slots=True)
class Serving:
    """What may be changed, with the name that each has in the file of `GROUNDWORK_SERVING`.

    Attributes:
        search_seconds: that a search may take, waiting included, when its caller names no shorter time.
        answer_seconds: that an answer may take, waiting and the language model included.
        search_threads: searches that are worked on at once; 0 is as many as cores, 2 at least; else twice the cores (docs/serving.md).
        search_queue: searches that may wait for their turn; what comes then is refused, and while most are, half as many may wait.
        answer_threads: answers that are worked on at once. Most of the time they wait for a language model.
        answer_queue: answers that may wait for their turn.
        other_requests: requests of any other kind that may be open at once.
        batch_questions: whether questions that come at the same time are embedded together.
        cache_mib: memory for replies to repeated searches, and a measure of that for what searches find; 0 remembers nothing.
        workers: processes that share the port, each with a model of its own; they can be replaced without a failed request.
        requests_per_minute: of one key, unless the key has a limit of its own; 0 is no limit.
        mcp_hosts: names, with the port unless it is the usual one, under which clients reach `/mcp`, beside those of this machine.
        llm_price_input: what a million tokens cost that the language model reads.
        llm_price_output: what a million tokens cost that it writes.
        reranker: a sentence-transformers CrossEncoder, by name or path, that searches may ask to put their hits in order; empty: none.
        context_tokens: of the sources that a language model reads for an answer, as the embedder counts them.
        unsupported: what becomes of a sentence of a language model that no source bears out: `drop`, or `mark` it as such.
        cors_origins: pages of these origins may use the API from a browser, such as `https://app.example`; none unless named.
    """

    search_seconds: float = 10.0
    answer_seconds: float = 60.0
    search_threads: int = 0
    search_queue: int = 32
    answer_threads: int = 8
    answer_queue: int = 16
    other_requests: int = 256
    requests_per_minute: int = 0
    mcp_hosts: tuple[str, ...] = ()
    llm_price_input: float = 0.0
    llm_price_output: float = 0.0
    batch_questions: bool = True
    cache_mib: int = 32
    reranker: str = ""
    context_tokens: int = 3_000
    unsupported: str = "drop"
    cors_origins: tuple[str, ...] = ()
    workers: int = 1


def serving(file: Path | None) -> Serving:
    """That of a TOML file, and the defaults of what it leaves out; raises `Misconfigured` when it can't be used."""
    found = overridden(Serving, file, "GROUNDWORK_SERVING")
    if found.unsupported not in UNSUPPORTED:
        raise Misconfigured(f"GROUNDWORK_SERVING: unsupported = {found.unsupported!r} is not one of {', '.join(UNSUPPORTED)}")
    if not found.workers:
        raise Misconfigured("GROUNDWORK_SERVING: workers = 0 serves nobody: set 1 or more")
    return found
