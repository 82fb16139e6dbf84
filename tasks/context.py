"""What a model gets to read: passages within a budget, none said twice, those that join put together (pure)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz import fuzz

from index.chunk_rows import Chunk
from tasks.retrieve import Hit

CONTEXT_TOKENS = 3_000
# Of 100: the share of equal characters from which two passages say the same.
SAME_PASSAGE = 95
# Between two passages of a document the chunker leaves out white space only.
WIDEST_GAP = 16


@dataclass(frozen=True, slots=True)
class Source:
    """Passages of one document that follow each other; `n` is what a model calls them."""

    n: int
    chunks: tuple[Chunk, ...]

    @property
    def text(self) -> str:
        """What stands there, once, where passages overlap."""
        text = self.chunks[0].text
        for before, chunk in pairwise(self.chunks):
            shared = before.end - chunk.start
            text += chunk.text[shared:] if shared > 0 else f"\n{chunk.text}" if shared < 0 else chunk.text
        return text

    @property
    def span(self) -> tuple[int, int]:
        """Where it stands in the document."""
        return self.chunks[0].start, self.chunks[-1].end

    @property
    def title(self) -> str:
        """The document's title and the headings above the passage."""
        first = self.chunks[0]
        return " > ".join([*([first.title] if first.title else []), *first.heading])


def fitting(hits: Iterable[Hit], budget: int) -> tuple[Hit, ...]:
    """The hits that `budget` tokens of the embedder have room for, in their order; the first always, one that says the same never.

    A passage that does not fit is left out, and a shorter one after it may fit.
    """
    kept: list[Hit] = []
    left = budget
    for hit in hits:
        if (kept and hit.chunk.tokens > left) or any(_same(hit.chunk.text, other.chunk.text) for other in kept):
            continue
        kept.append(hit)
        left -= hit.chunk.tokens
    return tuple(kept)


def sources(hits: Sequence[Hit]) -> tuple[Source, ...]:
    """The hits as numbered sources: each where the first of its passages stands among the hits."""
    place = {hit.chunk.chunk_id: rank for rank, hit in enumerate(hits)}
    groups = sorted(_groups(hits), key=lambda group: min(place[chunk.chunk_id] for chunk in group))
    return tuple(Source(n, tuple(group)) for n, group in enumerate(groups, 1))


def _groups(hits: Sequence[Hit]) -> list[list[Chunk]]:
    """The passages, those that join together."""
    found: list[list[Chunk]] = []
    for chunk in sorted((hit.chunk for hit in hits), key=lambda chunk: (chunk.doc_id, chunk.revision, chunk.start)):
        if found and _joins(found[-1][-1], chunk):
            found[-1].append(chunk)
        else:
            found.append([chunk])
    return found


def _joins(before: Chunk, after: Chunk) -> bool:
    """Whether the one goes on where the other ends; one that lies within the other would add nothing in its place."""
    same = (before.doc_id, before.revision, before.heading) == (after.doc_id, after.revision, after.heading)
    return same and before.start < after.start and before.end < after.end and after.start - before.end <= WIDEST_GAP


def _same(one: str, other: str) -> bool:
    return one == other or fuzz.ratio(one, other, score_cutoff=SAME_PASSAGE) > 0
