"""The judge: RAGAS' LLM metrics, by any OpenAI-compatible endpoint, within a budget."""

import asyncio
import hashlib
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from evals.answers import Attempt
from evals.budget import Budget, Meter, NotAsked
from evals.judge_metrics import (
    ANSWER_RELEVANCY,
    FACTUAL_CORRECTNESS,
    FAITHFULNESS,
    LLM_CONTEXT_PRECISION,
    LLM_CONTEXT_RECALL,
    METRICS,
    Sample,
    Scorer,
    gap,
)
from index.embedder import Embedder
from index.exams import Identity, identity_of
from index.verdicts import VerdictCache, key_of

if TYPE_CHECKING:
    pass

__all__ = [
    "ANSWER_RELEVANCY",
    "FACTUAL_CORRECTNESS",
    "FAITHFULNESS",
    "LLM_CONTEXT_PRECISION",
    "LLM_CONTEXT_RECALL",
    "METRICS",
    "Judge",
    "Question",
    "Verdict",
    "Verdicts",
    "ask",
    "judge_answers",
]
# Given when a judge is asked: how many are through, of how many.
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Judge:
    """An OpenAI-compatible endpoint, and what it may use up.

    Attributes:
        url: ends before `/chat/completions`.
        model: as the endpoint names it.
        key: of the endpoint.
        budget: of one evaluation, or one exam.
        cache: where verdicts are kept.
        since: when it was last found to behave otherwise than before; verdicts from before that are not used again.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    budget: Budget = field(default_factory=Budget)
    cache: VerdictCache | None = field(default=None, repr=False, compare=False)
    since: str | None = field(default=None, compare=False)

    @property
    def identity(self) -> Identity:
        """Who this is; an exam is of one identity."""
        return identity_of(self.url, self.model)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The value of one metric for one answer; None when it could not be measured, with the reason."""

    value: float | None
    reason: str | None = None


Verdicts = Mapping[str, Mapping[str, Verdict]]


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that a judge is asked: a metric of a sample. `key` is the caller's name for it."""

    key: Hashable
    metric: str
    sample: Sample


def judge_answers(judge: Judge, embedder: Embedder, attempts: Sequence[Attempt], progress: Told = lambda _done, _of: None) -> Verdicts:
    """Verdicts by question and metric on the answers to answerable questions; takes at most the judge's budget.

    What was judged before is not asked again. Where the budget ends, questions are judged whole or not at all, as far as that goes.
    """
    samples = {attempt.question.id: _sample(attempt) for attempt in attempts if attempt.question.answerable}
    wanted = [Question((name, metric), metric, samples[name]) for name in _in_order(samples) for metric in METRICS]
    given: dict[Hashable, Verdict] = {(name, metric): Verdict(None, why) for name, metric, why in _unasked(judge.budget, samples)}
    keys = {each.key: _cache_key(judge, embedder, each) for each in wanted if each.key not in given}
    now = datetime.now(UTC)
    known = judge.cache.get(list(keys.values()), now) if judge.cache else {}
    given |= {key: Verdict(known[hashed]) for key, hashed in keys.items() if hashed in known}
    left = [each for each in wanted if each.key not in given]

    def keep(key: Hashable, verdict: Verdict) -> None:
        if judge.cache and verdict.value is not None:
            judge.cache.put(keys[key], verdict.value, now)

    given |= ask(judge, embedder, left, Meter(judge.budget), lambda done, _: progress(len(wanted) - len(left) + done, len(wanted)), keep)
    if judge.cache:
        judge.cache.trim(now)
    return {name: {metric: given[name, metric] for metric in METRICS} for name in samples}


def ask(
    judge: Judge,
    embedder: Embedder,
    questions: Sequence[Question],
    meter: Meter,
    progress: Told = lambda _done, _of: None,
    keep: Callable[[Hashable, Verdict], None] = lambda _key, _verdict: None,
) -> dict[Hashable, Verdict]:
    """The verdict on each question, by its key, in the order given as far as the budget goes; `keep` is told each as it comes."""
    return asyncio.run(_ask(judge, embedder, questions, meter, progress, keep)) if questions else {}


async def _ask(
    judge: Judge,
    embedder: Embedder,
    questions: Sequence[Question],
    meter: Meter,
    progress: Told,
    keep: Callable[[Hashable, Verdict], None],
) -> dict[Hashable, Verdict]:
    from openai import AsyncOpenAI

    from evals.judge_calls import JudgeCalls
    from evals.judge_metrics import scorers

    budget, given = judge.budget, dict[Hashable, Verdict]()
    places = asyncio.Semaphore(max(1, budget.parallel))

    async def settle(question: Question) -> None:
        async with places:
            verdict = await _verdict(by_metric[question.metric], question.sample, meter, judge.key)
        given[question.key] = verdict
        keep(question.key, verdict)
        progress(len(given), len(questions))

    async with AsyncOpenAI(
        base_url=judge.url, api_key=judge.key or "none", max_retries=budget.retries, timeout=budget.call_seconds
    ) as client:
        calls: JudgeCalls = JudgeCalls(client, judge.model, meter, judge.key)
        by_metric = scorers(calls, embedder)
        jobs = [asyncio.create_task(settle(question)) for question in questions]
        _, late = await asyncio.wait(jobs, timeout=max(0.0, budget.seconds - meter.seconds))
        for job in late:
            job.cancel()
        for failed in await asyncio.gather(*jobs, return_exceptions=True):
            if isinstance(failed, Exception):
                raise failed
    unreached = Verdict(None, f"not judged: {budget.seconds:g} s were used up")
    return {question.key: given.get(question.key, unreached) for question in questions}


async def _verdict(score: Scorer, sample: Sample, meter: Meter, key: str) -> Verdict:
    from evals.judge_calls import late, reason_of

    try:
        value = await score(sample)
    except NotAsked as why:
        return Verdict(None, str(why))
    except TimeoutError:
        return Verdict(None, late(meter.budget))
    except Exception as error:  # noqa: BLE001 - whatever an endpoint, its client or RAGAS makes of a bad reply leaves this one unmeasured
        return Verdict(None, reason_of(error, key))
    return Verdict(None, "RAGAS gave no number: the judge found no statement") if math.isnan(value) else Verdict(value)


def _sample(attempt: Attempt) -> Sample:
    answer = attempt.answer
    text = answer.text if answer and answer.grounded else ""
    return Sample(attempt.question.question, text, answer.contexts if answer else (), attempt.question.reference)


def _in_order(names: Mapping[str, Sample]) -> list[str]:
    """The questions in an order that has nothing to do with that of the set, and stays the same when others join them."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def _unasked(budget: Budget, samples: Mapping[str, Sample]) -> list[tuple[str, str, str]]:
    """What is not asked at all: question, metric and why."""
    judged = _in_order(samples)[: budget.questions or None]
    over = f"not judged: the budget is {budget.questions} questions"
    reasons = ((name, metric, gap(metric, sample) if name in judged else over) for name, sample in samples.items() for metric in METRICS)
    return [(name, metric, why) for name, metric, why in reasons if why]


def _cache_key(judge: Judge, embedder: Embedder, question: Question) -> str:
    """All that the verdict rests on."""
    sample = question.sample
    facts: dict[str, str | Sequence[str] | None] = {
        "judge": judge.identity.fingerprint,
        "since": judge.since,
        "metric": question.metric,
        "question": sample.question,
        "answer": sample.answer,
        "contexts": sample.contexts,
        "reference": sample.reference,
        "embedder": embedder.fingerprint if question.metric == ANSWER_RELEVANCY else None,
    }
    return key_of(facts)
