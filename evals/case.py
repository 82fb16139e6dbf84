"""A golden question on one release: what answers it there, and what is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals import ranking
from index.golden import GoldenQuestion
from tasks.golden import Relevance
from tasks.retrieve import Hit

# Passages that are read to have the 10 best documents.
DOCUMENT_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Case:
    """A golden question on one release, with the chunks that answer it there, and the documents that are shown where they stand."""

    question: GoldenQuestion
    relevance: Relevance
    documents: frozenset[str] = frozenset()

    @property
    def ranked(self) -> bool:
        """Whether rankings can be measured on it: it has an answer, which still stands where it was quoted."""
        return self.question.answerable and not self.relevance.stale

    @property
    def by_document(self) -> bool:
        """Whether documents are judged: where a passage quotes nothing, the whole document is what answers."""
        return any(not passage.quote.strip() for passage in self.question.passages)

    @property
    def relevant(self) -> frozenset[str]:
        """The ids of what answers it: documents or chunks."""
        return self.documents if self.by_document else self.relevance.chunk_ids

    @property
    def depth(self) -> int:
        """How many chunks must be found to have 10 of what is judged."""
        return DOCUMENT_DEPTH if self.by_document else ranking.K

    def unit(self, hit: Hit) -> str:
        """What a hit stands for in the ranking."""
        return (hit.chunk.duplicate_of or hit.chunk.doc_id) if self.by_document else hit.chunk.chunk_id

    def best(self, hits: Sequence[Hit]) -> list[Hit]:
        """The first hit of each of the 10 best documents or chunks."""
        first: dict[str, Hit] = {}
        for hit in hits:
            first.setdefault(self.unit(hit), hit)
        return list(first.values())[: ranking.K]


@dataclass(frozen=True, slots=True)
class Search:
    """What was found for a question, best first; or why nobody knows."""

    hits: tuple[Hit, ...]
    reason: str | None = None


Found = Mapping[str, Search]
