"""Whether a release may be called proven (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass

from evals.intervals import mean_interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate against its baseline on the questions that both were measured on.

    `delta` is the mean of candidate - baseline, `low` and `high` its 95 % interval; None without
    questions in common.
    """

    holds: bool
    delta: float | None
    low: float | None
    high: float | None
    questions: int


def not_significantly_worse(candidate: Mapping[str, float], baseline: Mapping[str, float]) -> Comparison:
    """Holds unless the whole interval of the paired difference lies below 0.

    Args:
        candidate: the value per question id; higher is better.
        baseline: the same for what it is compared with.
    """
    shared = sorted(candidate.keys() & baseline.keys())
    interval = mean_interval([candidate[question] - baseline[question] for question in shared])
    holds = interval.high is None or interval.high >= 0
    return Comparison(holds, interval.mean, interval.low, interval.high, len(shared))
