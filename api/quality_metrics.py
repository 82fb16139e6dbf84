"""Metrics of quality: what people ask and find, what they think of it, and what canaries found."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import isnan
from statistics import fmean

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.platform import Platform
from api.traffic import Traffic
from index.evaluations import Evaluation
from tasks.golden import DEFAULT

FEEDBACK_OF = timedelta(days=30)
LEAST_SHARE = 0.5


def count_traffic(traffic: Traffic, counted: CollectorRegistry) -> None:
    """Has the questions counted that are kept, and those that are not."""
    logged = Counter("groundwork_queries_logged", "Questions that were kept.", registry=counted)
    dropped = Counter("groundwork_queries_dropped", "Questions that could not be kept.", registry=counted)
    traffic.counted_by(logged.inc, dropped.inc)


def headlines(newest_first: Sequence[Evaluation]) -> dict[str, float]:
    """By metric the newest score of the default golden set; a small sample is no successor of the whole set."""
    scores = [score for each in newest_first if (each.state, each.dataset) == ("completed", DEFAULT) for score in each.scores]
    most: dict[str, int] = {}
    for score in scores:
        most[score.metric] = max(score.of, most.get(score.metric, 0))
    found: dict[str, float] = {}
    for score in scores:
        if score.value is not None and score.of >= most[score.metric] * LEAST_SHARE:
            found.setdefault(score.metric, score.value)
    return found


class QualityMetrics(Collector):
    """Looked up when they are asked for. What nothing is known of is left out: it is not zero."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Of the questions of this process, and of everybody's feedback and canaries."""
        traffic = self._platform.traffic
        yield from self._scores()
        known = {
            "groundwork_searches_without_hits_share": ("Share of the last 1,000 searches that found nothing.", traffic.without_hits),
            "groundwork_answers_not_grounded_share": ("Share of the last 1,000 answers without ground.", traffic.not_grounded),
            "groundwork_feedback_useful_share": ("Share of answers found useful, of the feedback of 30 days.", self._useful()),
        } | self._canaries()
        for name, (text, value) in known.items():
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)

    def _scores(self) -> Iterator[GaugeMetricFamily]:
        told = "Of the default golden set, by metric: the newest score over half as many questions as any or more."
        score = GaugeMetricFamily("groundwork_evaluation_score", told, labels=["metric"])
        for metric, value in headlines(self._platform.store.evaluations.all()).items():
            score.add_metric([metric], value)
        yield score

    def _useful(self) -> float | None:
        now = datetime.now(UTC)
        return self._platform.store.feedback.useful_share(now - FEEDBACK_OF, now + FEEDBACK_OF)

    def _canaries(self) -> dict[str, tuple[str, float | None]]:
        run = next(iter(self._platform.store.canary_runs.tail(1)), None)
        ranks = [rank for rank in run.ranks if not isnan(rank)] if run else []
        return {
            "groundwork_canary_mean_reciprocal_rank": ("Of the newest run of canaries.", fmean(ranks) if ranks else None),
            "groundwork_canaries_measured": ("Canaries that the newest run could measure.", float(len(ranks)) if run else None),
            "groundwork_canary_run_timestamp_seconds": ("When it was.", run.at.timestamp() if run else None),
        }
