"""Fusion of rankings (pure)."""

from collections.abc import Mapping

# The best on average over four collections; the README has the table.
VECTOR_WEIGHT = 0.5


def weighted_min_max(
    by_vector: Mapping[str, float], by_text: Mapping[str, float], vector_weight: float = VECTOR_WEIGHT
) -> dict[str, float]:
    """Scores of both rankings scaled to 0..1 each, then added with weights; the keys are chunk ids.

    A passage that one ranking did not find gets that ranking's lowest score. Convex combination
    after min-max scaling: Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
    Retrieval", ACM TOIS 2023.
    """
    dense, sparse = _scaled(by_vector), _scaled(by_text)
    return {key: vector_weight * dense.get(key, 0.0) + (1 - vector_weight) * sparse.get(key, 0.0) for key in {**dense, **sparse}}


def _scaled(scores: Mapping[str, float]) -> dict[str, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {key: (score - low) / (high - low) if high > low else 1.0 for key, score in scores.items()}
