"""How good rankings are, per question (pure): RAGAS' context metrics that need no language model, and those of IR."""

import asyncio
import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import ir_measures
from ir_measures import RR, R, nDCG
from rapidfuzz import fuzz

from evals import telemetry

if TYPE_CHECKING:
    from ragas.dataset_schema import SingleTurnSample
    from ragas.metrics.base import SingleTurnMetric

K = 10
NDCG = "nDCG@10"
RECALL = "recall@10"
MRR = "MRR@10"
CONTEXT_PRECISION = "context_precision"
CONTEXT_RECALL = "context_recall"
TEXT_PRECISION = "non_llm_context_precision"
TEXT_RECALL = "non_llm_context_recall"
BY_ID = (NDCG, RECALL, MRR, CONTEXT_PRECISION, CONTEXT_RECALL)
BY_TEXT = (TEXT_PRECISION, TEXT_RECALL)
METRICS = (*BY_ID, *BY_TEXT)
# From which likeness on a text holds a quoted passage, and which share of its words must be there for that to be looked at.
HOLDS = 0.8
SHARED_WORDS = 0.5
_IR_MEASURES = {nDCG @ K: NDCG, R @ K: RECALL, RR @ K: MRR}

Rankings = Mapping[str, Sequence[str]]
Relevant = Mapping[str, Collection[str]]
Texts = Mapping[str, Sequence[str]]
Values = dict[str, dict[str, float | None]]


def measure(found: Rankings, relevant: Relevant) -> Values:
    """Each metric by id of each question; None where it is not defined, as precision of nothing found.

    Args:
        found: ids of the chunks found, best first, by question; only the first 10 count.
        relevant: ids of the chunks that answer, by question; at least one each.
    """
    best = {question: list(found[question][:K]) for question in relevant}
    values: Values = {question: {} for question in relevant}
    for question, metric, value in [*_by_ir_measures(best, relevant), *_by_ragas(best, relevant)]:
        values[question][metric] = None if math.isnan(value) else value
    return values


def measure_texts(found: Texts, quoted: Texts) -> Values:
    """RAGAS' non-LLM context precision and recall of each question; None where they are not defined.

    The same words count wherever they stand, so that a passage which another document repeats is not held to be irrelevant.

    Args:
        found: texts found, best first, by question; only the first 10 count.
        quoted: the passages that answer, as they are quoted, by question; at least one each.
    """
    best = {question: [_plain(text) for text in found[question][:K]] for question in quoted}
    values: Values = {question: dict.fromkeys(BY_TEXT) | ({} if best[question] else {TEXT_RECALL: 0.0}) for question in quoted}
    there = {question: texts for question, texts in best.items() if texts}
    references = {question: [_plain(text) for text in quoted[question]] for question in there}
    for question, metric, value in _by_text(there, references):
        values[question][metric] = None if math.isnan(value) else value
    return values


@lru_cache(maxsize=4096)  # precision and recall ask for the same pairs
def standing(quote: str, text: str) -> float:
    """How like the quote the stretch of the text is that is most like it, 0 to 1; 0 below `HOLDS`.

    RAGAS compares whole strings by default: a sentence would never be like the passage of 200 words that it stands in. A text without
    half of its words is not compared letter by letter: that would take ten times as long as all other metrics.
    """
    words = _words(quote)
    if len(words & _words(text)) < SHARED_WORDS * len(words):
        return 0.0
    return float(fuzz.partial_ratio(quote, text, score_cutoff=100 * HOLDS)) / 100


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _by_ir_measures(found: Rankings, relevant: Relevant) -> list[tuple[str, str, float]]:
    qrels = {question: dict.fromkeys(chunk_ids, 1) for question, chunk_ids in relevant.items()}
    # Ranks as scores: the order that was served is measured, however close its scores were.
    run = {question: {chunk_id: float(K - rank) for rank, chunk_id in enumerate(ids)} for question, ids in found.items()}
    results = ir_measures.iter_calc(list(_IR_MEASURES), qrels, run) if qrels else ()
    return [(result.query_id, _IR_MEASURES[result.measure], float(result.value)) for result in results]


def _by_ragas(found: Rankings, relevant: Relevant) -> list[tuple[str, str, float]]:
    metrics = _context_metrics()
    from ragas.dataset_schema import SingleTurnSample

    async def score_all() -> list[tuple[str, str, float]]:
        samples = {
            question: SingleTurnSample(retrieved_context_ids=list(found[question]), reference_context_ids=list(chunk_ids))
            for question, chunk_ids in relevant.items()
        }
        return [
            (question, name, float(await metric.single_turn_ascore(sample)))
            for question, sample in samples.items()
            for name, metric in metrics.items()
        ]

    return asyncio.run(score_all())


def _by_text(found: Texts, quoted: Texts) -> list[tuple[str, str, float]]:
    metrics = _text_metrics()
    from ragas.dataset_schema import SingleTurnSample

    async def score_all() -> list[tuple[str, str, float]]:
        samples = {
            question: SingleTurnSample(retrieved_contexts=list(texts), reference_contexts=list(quoted[question]))
            for question, texts in found.items()
        }
        return [
            (question, name, float(await metric.single_turn_ascore(sample)))
            for question, sample in samples.items()
            for name, metric in metrics.items()
        ]

    return asyncio.run(score_all())


def _plain(text: str) -> str:
    return " ".join(text.split())


def _context_metrics() -> "dict[str, SingleTurnMetric]":
    telemetry.off()
    with warnings.catch_warnings():
        # RAGAS 0.4 moves its metrics to ragas.metrics.collections and warns of the old place, but the
        # id-based ones are only in the old place.
        warnings.filterwarnings("ignore", r"Importing IDBasedContext\w+ from 'ragas.metrics' is deprecated", DeprecationWarning)
        from ragas.metrics import IDBasedContextPrecision, IDBasedContextRecall
    return {CONTEXT_PRECISION: IDBasedContextPrecision(), CONTEXT_RECALL: IDBasedContextRecall()}


def _text_metrics() -> "dict[str, SingleTurnMetric]":
    telemetry.off()
    with warnings.catch_warnings():
        # As above: there is no other place for them yet.
        warnings.filterwarnings("ignore", r"Importing NonLLM\w+ from 'ragas.metrics' is deprecated", DeprecationWarning)
        from ragas.metrics import NonLLMContextPrecisionWithReference, NonLLMContextRecall, NonLLMStringSimilarity

    class Standing(NonLLMStringSimilarity):
        """How much of the shorter of two texts stands in the longer one."""

        async def single_turn_ascore(self, sample: "SingleTurnSample", *_: object, **__: object) -> float:
            """Without the callbacks that RAGAS makes for each pair: they take ten times as long as the comparison."""
            return standing(sample.response or "", sample.reference or "")

    how = Standing()
    return {
        TEXT_PRECISION: NonLLMContextPrecisionWithReference(distance_measure=how),
        TEXT_RECALL: NonLLMContextRecall(_distance_measure=how),
    }
