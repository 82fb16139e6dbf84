"""The judge: RAGAS' faithfulness and answer relevancy, by any OpenAI-compatible endpoint."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evals import telemetry
from evals.answers import Attempt
from index.embedder import Embedder

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from ragas.embeddings.base import BaseRagasEmbedding

FAITHFULNESS = "faithfulness"
ANSWER_RELEVANCY = "answer_relevancy"
METRICS = (FAITHFULNESS, ANSWER_RELEVANCY)
ABSTAINED = "not judged: there was no answer"
MAX_REASON_CHARACTERS = 200

Scorer = Callable[[Attempt], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Judge:
    """An OpenAI-compatible endpoint (`url` ends before `/chat/completions`) and how long it may take.

    `metric_timeout_s` is for one metric of one question, `budget_s` for all questions together.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    metric_timeout_s: float = 60.0
    budget_s: float = 1_800.0
    parallel: int = 4
    retries: int = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """The value of one metric for one answer; None when it could not be measured, with the reason."""

    value: float | None
    reason: str | None = None


Verdicts = Mapping[str, Mapping[str, Verdict]]


def judge_answers(
    judge: Judge, embedder: Embedder, attempts: Sequence[Attempt], progress: Callable[[int, int], None] = lambda _done, _of: None
) -> Verdicts:
    """Verdicts by question and metric on the answers to answerable questions; takes at most the judge's time budget."""
    return asyncio.run(_judge_all(judge, embedder, [attempt for attempt in attempts if attempt.question.answerable], progress))


async def _judge_all(judge: Judge, embedder: Embedder, attempts: Sequence[Attempt], progress: Callable[[int, int], None]) -> Verdicts:
    from openai import AsyncOpenAI

    places = asyncio.Semaphore(judge.parallel)
    answered = [attempt for attempt in attempts if attempt.answer is not None and attempt.answer.grounded]
    async with AsyncOpenAI(base_url=judge.url, api_key=judge.key or "none", max_retries=judge.retries) as client:
        scorers = _scorers(client, judge.model, embedder)
        jobs = {
            (attempt.question.id, metric): asyncio.create_task(_limited(places, judge.metric_timeout_s, scorer, attempt))
            for attempt in answered
            for metric, scorer in scorers.items()
        }
        await _until_done(list(jobs.values()), judge.budget_s, progress)
    given = {place: _verdict(job, judge) for place, job in jobs.items()}
    return {
        attempt.question.id: {metric: given.get((attempt.question.id, metric), Verdict(None, ABSTAINED)) for metric in METRICS}
        for attempt in attempts
    }


async def _limited(places: asyncio.Semaphore, timeout_s: float, scorer: Scorer, attempt: Attempt) -> float:
    async with places, asyncio.timeout(timeout_s):
        return await scorer(attempt)


async def _until_done(jobs: Sequence["asyncio.Task[float]"], budget_s: float, progress: Callable[[int, int], None]) -> None:
    for job in jobs:
        job.add_done_callback(lambda _: progress(sum(other.done() for other in jobs), len(jobs)))
    if jobs:
        _, late = await asyncio.wait(jobs, timeout=budget_s)
        for job in late:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


def _verdict(job: "asyncio.Task[float]", judge: Judge) -> Verdict:
    if job.cancelled():
        return Verdict(None, f"not judged: {judge.budget_s:g} s were used up")
    error = job.exception()
    if isinstance(error, TimeoutError):
        return Verdict(None, f"no verdict within {judge.metric_timeout_s:g} s")
    if error is not None:
        return Verdict(None, _reason(error))
    value = job.result()
    return Verdict(None, "RAGAS gave no number: the judge found no statement in the answer") if math.isnan(value) else Verdict(value)


def _reason(error: BaseException) -> str:
    """The error at the bottom of what RAGAS and its client wrapped around it, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:MAX_REASON_CHARACTERS]


def _scorers(client: "AsyncOpenAI", model: str, embedder: Embedder) -> dict[str, Scorer]:
    telemetry.off()
    from ragas.llms import llm_factory
    from ragas.metrics.collections import AnswerRelevancy, Faithfulness

    llm = llm_factory(model, client=client)
    faithfulness = Faithfulness(llm=llm)
    relevancy = AnswerRelevancy(llm=llm, embeddings=_embeddings(embedder))

    async def score_faithfulness(attempt: Attempt) -> float:
        question, answer, contexts = _parts(attempt)
        result = await faithfulness.ascore(user_input=question, response=answer, retrieved_contexts=contexts)
        return float(result.value)

    async def score_relevancy(attempt: Attempt) -> float:
        question, answer, _ = _parts(attempt)
        return float((await relevancy.ascore(user_input=question, response=answer)).value)

    return {FAITHFULNESS: score_faithfulness, ANSWER_RELEVANCY: score_relevancy}


def _parts(attempt: Attempt) -> tuple[str, str, list[str]]:
    answer = attempt.answer
    return attempt.question.question, answer.text if answer else "", list(answer.contexts) if answer else []


def _embeddings(embedder: Embedder) -> "BaseRagasEmbedding":
    """Our embedder as RAGAS wants it."""
    from ragas.embeddings.base import BaseRagasEmbedding

    class Adapted(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: object) -> list[float]:
            return [float(value) for value in embedder.embed_query(text)]

        async def aembed_text(self, text: str, **_: object) -> list[float]:
            return await asyncio.to_thread(self.embed_text, text)

    return Adapted()
