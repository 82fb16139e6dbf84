"""What became of known questions that find less than before: the evidence for a cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evals.causes import Loss, first_bad
from index.embedder import Embedder
from index.golden import GoldenQuestion, Passage
from index.reader import Reader
from index.releases import Release
from index.search import View
from tasks.golden import Relevance, resolve
from tasks.retrieve import Hit, Query, retrieve

# More say no more, and each takes some searches.
LOOKED_AT = 40
K = 10


@dataclass(frozen=True, slots=True)
class Known:
    """A question whose answer is known, with the values that it had before and has now (of the best rank 1, of none 0)."""

    id: str
    question: str
    passages: tuple[Passage, ...]
    before: float
    now: float = 0.0

    def is_lost(self, value: float) -> bool:
        """Whether a value is nearer to that of now than to that of before."""
        return value <= (self.before + self.now) / 2

    def relevance(self, view: View) -> Relevance:
        """The chunks of a release that answer it."""
        return resolve(GoldenQuestion(self.id, self.question, self.passages, None), view.chunks_of)


class Scene:
    """A release on which questions are lost, beside those before it.

    Args:
        reader: where releases are read.
        embedder: the one that made them; releases of others are not asked.
        now: the release to look at.
        since: one on which the questions were not lost; it need not be kept any more.
        releases: all that can be served.
    """

    def __init__(self, reader: Reader, embedder: Embedder, now: Release, since: int, releases: Sequence[Release]) -> None:
        self._reader = reader
        self._embedder = embedder
        self._now = now
        fitting = sorted(release.number for release in releases if release.embedder == now.embedder and release.number <= now.number)
        self._between = [number for number in fitting if number > since]
        # The newest that is kept of those before: what is not in it came since.
        self._before = max((number for number in fitting if number <= since), default=None)

    @cached_property
    def _view(self) -> View:
        return self._reader.view(self._now.number)

    def losses(self, lost: Sequence[Known]) -> list[Loss]:
        """The evidence, question by question, for at most 40 of them."""
        looked_at = list(lost)[:LOOKED_AT]
        began = first_bad(self._between, lambda release: self._is_bad(release, looked_at))
        return [self._loss(known, began) for known in looked_at]

    def _loss(self, known: Known, began: int | None) -> Loss:
        relevance = known.relevance(self._view)
        if not relevance.chunk_ids:
            return Loss(known.id, gone=True, began=began)
        found, exact = (self._hits(known, self._now.number, exact=exact) for exact in (False, True))
        return Loss(
            known.id,
            exact=known.is_lost(_value(found, relevance)) and not known.is_lost(_value(exact, relevance)),
            likeness=self._likeness(sorted(relevance.chunk_ids)),
            rivals=self._rivals(found),
            began=began,
        )

    def _rivals(self, hits: Sequence[Hit]) -> float:
        """Which share of what is found now was not there before."""
        if not hits or self._before is None:
            return 0.0
        ids = [hit.chunk.chunk_id for hit in hits]
        return 1 - len(self._reader.view(self._before).holds(ids)) / len(ids)

    def _likeness(self, chunk_ids: Sequence[str]) -> float:
        """The least cosine of a stored vector to what the model makes of the stored text."""
        texts, stored = self._view.embedded(chunk_ids)
        made = self._embedder.embed(texts)
        norms = np.linalg.norm(stored, axis=1) * np.linalg.norm(made, axis=1)
        return float(((stored * made).sum(axis=1) / np.maximum(norms, 1e-9)).min())

    def _is_bad(self, release: int, lost: Sequence[Known]) -> bool:
        """Whether most of the questions are lost on a release already."""
        view = self._reader.view(release)
        return sum(self._is_lost(known, release, known.relevance(view)) for known in lost) > len(lost) / 2

    def _is_lost(self, known: Known, release: int, relevance: Relevance) -> bool:
        return not relevance.chunk_ids or known.is_lost(_value(self._hits(known, release, exact=False), relevance))

    def _hits(self, known: Known, release: int, *, exact: bool) -> tuple[Hit, ...]:
        return retrieve(self._reader, self._embedder, Query(known.question, k=K, release=release, exact=exact)).hits


def _value(hits: Sequence[Hit], relevance: Relevance) -> float:
    """The discounted gain of the first passage that answers, 0 when there is none."""
    ranks = [rank for rank, hit in enumerate(hits, 1) if hit.chunk.chunk_id in relevance.chunk_ids]
    return 1 / float(np.log2(1 + ranks[0])) if ranks else 0.0
