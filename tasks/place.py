"""Where a page of a search ended: what the next one needs so that it goes on in the same order (pure)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from index.errors import Conflict
from index.policy import SearchSettings
from tasks.ranked import DEEPEST, Scored, Sought

Mode = Literal["hybrid", "vector", "text"]


@dataclass(frozen=True, slots=True)
class Place:
    """After `skipped` hits of a release, found in one `mode` with these settings and so many candidates; `digest` says which hits."""

    release: int
    skipped: int
    mode: Mode
    depth: int
    settings: SearchSettings | None
    reranked: bool
    digest: str


def place_after(release: int, mode: Mode, sought: Sought, order: Sequence[Scored], end: int, reranked: bool, is_all: bool) -> Place | None:
    """Where the page after the first `end` hits begins; None where nothing can come."""
    if end >= DEEPEST or len(order) < end or (len(order) == end and is_all):
        return None
    return Place(release, end, mode, sought.depth, sought.settings, reranked, _digest(order[:end]))


def resumed(place: Place, order: Sequence[Scored]) -> None:
    """Raises `Conflict` when the hits that were shown are not the first ones any more: pages would overlap, or leave something out."""
    if _digest(order[: place.skipped]) != place.digest:
        raise Conflict("what the pages before showed has changed, as a document was deleted: start again without a cursor")


def _digest(shown: Sequence[Scored]) -> str:
    rows = ",".join(str(row) for row in sorted(row for row, _ in shown))
    return hashlib.blake2b(rows.encode(), digest_size=8).hexdigest()
