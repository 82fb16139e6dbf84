"""Ways to fuse a ranking by vectors with one by words, to choose between by measurement (pure)."""

from collections.abc import Callable, Mapping
from functools import partial

from tasks.fuse import weighted_min_max

Scores = Mapping[str, float]
Fusion = Callable[[Scores, Scores], dict[str, float]]
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
RRF_CONSTANTS = (10, 60)


def reciprocal_rank(by_vector: Scores, by_text: Scores, constant: int) -> dict[str, float]:
    """The sum of 1 / (constant + rank) over the rankings that found a passage (Cormack et al., SIGIR 2009)."""
    fused: dict[str, float] = {}
    for scores in (by_vector, by_text):
        for rank, key in enumerate(ranked(scores), 1):
            fused[key] = fused.get(key, 0.0) + 1 / (constant + rank)
    return fused


def ranked(scores: Scores) -> list[str]:
    """The keys, best first; equal scores in the order of the keys."""
    return sorted(scores, key=lambda key: (-scores[key], key))


FUSIONS: Mapping[str, Fusion] = {
    **{f"min-max, vector weight {weight}": partial(weighted_min_max, vector_weight=weight) for weight in WEIGHTS},
    **{f"reciprocal rank, constant {constant}": partial(reciprocal_rank, constant=constant) for constant in RRF_CONSTANTS},
}
