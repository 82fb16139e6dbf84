"""Why a passage is where it is: the parts of its score, and how it was looked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from index.filters import Term
from index.search import View
from tasks.fuse import VECTOR_WEIGHT
from tasks.ranked import Look, Ranked, Scores, Sought

_WORDS = {"gt": "above", "gte": "at least", "lt": "below", "lte": "at most"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the score of a hit is made of; None where a search did not find it among its candidates.

    `vector_part` and `text_part` are the scores on a scale of 0 (the last candidate) to 1 (the first). `look` counts from 1: what a
    later look found is scored below the earlier ones. `rerank` takes the place of all of it.
    """

    similarity: float | None
    vector_rank: int | None
    vector_part: float | None
    bm25: float | None
    text_rank: int | None
    text_part: float | None
    look: int
    fused: float
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a search was done. `candidates` of each kind were looked for, in so many `looks`; `uses_index`: not each vector was read."""

    mode: str
    rows: int
    candidates: int
    looks: int
    uses_index: bool
    nprobes: int | None
    refine_factor: int | None
    weights: Mapping[str, float]
    filter: str
    reranked: int


def parts_of(found: Ranked, rows: Sequence[tuple[int, float]]) -> list[Parts]:
    """Those of some rows, in their order."""
    by_look = [(_places(look.by_vector), _places(look.by_text)) for look in found.looks]
    return [_parts(row, score, found.looks, by_look) for row, score in rows]


def explanation(mode: str, view: View, sought: Sought, found: Ranked, own: Sequence[Term], reranked: int) -> Explanation:
    """`own` are the terms that the caller gave: those of the key are not spelled out."""
    uses_index = view.vector_index is not None and not sought.exact and sought.vector is not None
    settings = sought.settings if uses_index else None
    return Explanation(
        mode=mode,
        rows=view.release.rows,
        candidates=sought.depth,
        looks=len(found.looks),
        uses_index=uses_index,
        nprobes=settings.nprobes if settings else None,
        refine_factor=settings.refine_factor if settings else None,
        weights={"vector": VECTOR_WEIGHT, "text": 1 - VECTOR_WEIGHT} if mode == "hybrid" else {mode: 1.0},
        filter=in_words(own, len(sought.terms) > len(own)),
        reranked=reranked,
    )


def in_words(terms: Sequence[Term], bound: bool) -> str:
    """A filter as people say it; `bound`: the key has one of its own."""
    said = [f"{term.field} is {_values(term)}" for term in terms]
    return " and ".join([*said, "the filter of your key holds"] if bound else said) or "none"


def _values(term: Term) -> str:
    shown = [str(value).lower() if isinstance(value, bool) else repr(value) for value in term.values]
    if term.operator != "in":
        return f"{_WORDS[term.operator]} {shown[0]}"
    return shown[0] if len(shown) == 1 else f"one of {', '.join(shown[:20])}{' ...' if len(shown) > 20 else ''}"


def _places(scores: Scores) -> dict[int, int]:
    return {row: place for place, row in enumerate(sorted(scores, key=lambda row: (-scores[row], row)), 1)}


def _parts(row: int, score: float, looks: Sequence[Look], places: Sequence[tuple[dict[int, int], dict[int, int]]]) -> Parts:
    at = next(place for place, look in enumerate(looks) if row in look.by_vector or row in look.by_text)
    look, (vector_places, text_places) = looks[at], places[at]
    return Parts(
        similarity=look.by_vector.get(row),
        vector_rank=vector_places.get(row),
        vector_part=_scaled(look.by_vector, row),
        bm25=look.by_text.get(row),
        text_rank=text_places.get(row),
        text_part=_scaled(look.by_text, row),
        look=at + 1,
        fused=score,
    )


def _scaled(scores: Scores, row: int) -> float | None:
    if row not in scores:
        return None
    low, high = min(scores.values()), max(scores.values())
    return (scores[row] - low) / (high - low) if high > low else 1.0


def as_json(parts: Parts | Explanation) -> dict[str, Any]:
    """As the wire shows it."""
    return {name: getattr(parts, name) for name in type(parts).__slots__}
