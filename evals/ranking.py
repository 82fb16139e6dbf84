"""How good rankings are, per question (pure): RAGAS' id-based context metrics and those of IR."""

import asyncio
import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import ir_measures
from ir_measures import RR, R, nDCG

from evals import telemetry

if TYPE_CHECKING:
    from ragas.metrics.base import SingleTurnMetric

K = 10
NDCG = "nDCG@10"
RECALL = "recall@10"
MRR = "MRR@10"
CONTEXT_PRECISION = "context_precision"
CONTEXT_RECALL = "context_recall"
METRICS = (NDCG, RECALL, MRR, CONTEXT_PRECISION, CONTEXT_RECALL)
_IR_MEASURES = {nDCG @ K: NDCG, R @ K: RECALL, RR @ K: MRR}

Rankings = Mapping[str, Sequence[str]]
Relevant = Mapping[str, Collection[str]]
Values = dict[str, dict[str, float | None]]


def measure(found: Rankings, relevant: Relevant) -> Values:
    """Each metric of each question; None where it is not defined, as precision of nothing found.

    Args:
        found: ids of the chunks found, best first, by question; only the first 10 count.
        relevant: ids of the chunks that answer, by question; at least one each.
    """
    best = {question: list(found[question][:K]) for question in relevant}
    values: Values = {question: {} for question in relevant}
    for question, metric, value in [*_by_ir_measures(best, relevant), *_by_ragas(best, relevant)]:
        values[question][metric] = None if math.isnan(value) else value
    return values


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


def _context_metrics() -> "dict[str, SingleTurnMetric]":
    telemetry.off()
    with warnings.catch_warnings():
        # RAGAS 0.4 moves its metrics to ragas.metrics.collections and warns of the old place, but the
        # id-based ones are only in the old place.
        warnings.filterwarnings("ignore", r"Importing IDBasedContext\w+ from 'ragas.metrics' is deprecated", DeprecationWarning)
        from ragas.metrics import IDBasedContextPrecision, IDBasedContextRecall
    return {CONTEXT_PRECISION: IDBasedContextPrecision(), CONTEXT_RECALL: IDBasedContextRecall()}
