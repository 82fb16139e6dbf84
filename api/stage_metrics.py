"""How long searches and answers take, stage by stage; what was degraded; what the language model used up, and its price."""

from prometheus_client import Counter, Histogram

from index import spans
from tasks.answer import Answer
from tasks.retrieve import Retrieved

# Finest around the goals of 15, 40 and 50 ms.
SEARCH_BUCKETS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)
ANSWER_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0)
# A stage that is not one of these, or a reason that begins with none of these, is counted as "other".
STAGES = frozenset({"embed", "search", "rerank", "read", "cached", "total"})
REASONS = ("full text", "tail", "model", "rerank", "facets")
EXTRACTIVE = "extractive"

SEARCHES = Histogram("groundwork_search_seconds", "Time of searches, by stage.", ["stage"], buckets=SEARCH_BUCKETS)
GENERATIONS = Histogram(
    "groundwork_generation_seconds", "Time to make answers once the passages are found.", ["generator"], buckets=ANSWER_BUCKETS
)
ANSWERS = Counter("groundwork_answers", "Answers, by who made them and whether the sources hold them.", ["generator", "grounded"])
DEGRADED = Counter("groundwork_degraded", "Replies in which something did not work as configured, by reason.", ["reason"])
TOKENS = Counter("groundwork_llm_tokens", "Tokens that the language model read (prompt) and wrote (completion).", ["kind"])
MONEY = Counter("groundwork_llm_cost", "What they cost by the prices of the file of GROUNDWORK_SERVING, in its currency.")


# Whether the language model made the last answer that it was asked for; None before the first one.
_works: list[bool] = []


def language_model_works() -> bool | None:
    """Whether it made the last answer that it was asked for; None before the first one."""
    return _works[-1] if _works else None


def saw_search(found: Retrieved) -> None:
    """Counts a search."""
    # A remembered reply took no time to embed and search: zeros would hide how long that takes.
    stages = ("cached", "total") if "cached" in found.timings_ms else found.timings_ms
    for stage in stages:
        took_ms = found.timings_ms[stage]
        SEARCHES.labels(stage if stage in STAGES else "other").observe(took_ms / 1000)
    spans.past({stage: took_ms / 1000 for stage, took_ms in found.timings_ms.items() if stage in STAGES and stage != "total"})
    for reason in {kind_of(each) for each in found.degraded}:
        DEGRADED.labels(reason).inc()


def saw_answer(made: Answer, seconds: float, preferred: str) -> None:
    """Counts an answer that took so many seconds with its search; one that the `preferred` generator did not make is degraded."""
    generation_s = max(0.0, seconds - made.retrieved.timings_ms["total"] / 1000)
    by = EXTRACTIVE if made.generator == EXTRACTIVE else "llm"
    GENERATIONS.labels(by).observe(generation_s)
    ANSWERS.labels(by, str(made.grounded).lower()).inc()
    spans.past({"generate": generation_s})
    if preferred != EXTRACTIVE:
        _works[:] = [made.generator == preferred]
    if made.generator != preferred:
        DEGRADED.labels("llm").inc()


def saw_usage(prompt_tokens: int, completion_tokens: int, price_input: float, price_output: float) -> None:
    """Counts what a language model used up; prices are for a million tokens."""
    TOKENS.labels("prompt").inc(prompt_tokens)
    TOKENS.labels("completion").inc(completion_tokens)
    MONEY.inc((prompt_tokens * price_input + completion_tokens * price_output) / 1e6)


def kind_of(reason: str) -> str:
    """The kind of a reason, of which there are a few; the sentences may name anything."""
    told = reason.removeprefix("the ").removeprefix("embedding ")
    return next((kind for kind in REASONS if told.startswith(kind)), "other")
