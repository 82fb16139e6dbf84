"""Fusion of rankings (pure)."""

from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")
# The best on average over four collections; `docs/searching.md` has the table.
VECTOR_WEIGHT = 0.5


def weighted_min_max(
    by_vector: Mapping[Key, float], by_text: Mapping[Key, float], vector_weight: float = VECTOR_WEIGHT
) -> dict[Key, float]:
    """Scores of both rankings scaled to 0..1 each, then added with weights; the keys name passages.

    A passage that one ranking did not find gets that ranking's lowest score. Convex combination
    after min-max scaling: Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
    Retrieval", ACM TOIS 2023.
    """
    dense, sparse = _scaled(by_vector), _scaled(by_text)
    return {key: vector_weight * dense.get(key, 0.0) + (1 - vector_weight) * sparse.get(key, 0.0) for key in {**dense, **sparse}}


def _scaled(scores: Mapping[Key, float]) -> dict[Key, float]:
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    return {key: (score - low) / (high - low) if high > low else 1.0 for key, score in scores.items()}
