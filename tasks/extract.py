"""The extractive generator: the sentences of the sources that best answer, quoted exactly."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import sentencex
from cachetools import LRUCache

from index.chunk_rows import Chunk
from index.embedder import Embedder, Vectors
from tasks.answer import Draft, Part, Say, cite
from tasks.guards import plain
from tasks.retrieve import Hit

# Measured on every second golden question of the sample and all its unanswerable ones: the passage's score puts the quoted
# sentence among the first three for 52 % of the questions (39 % without it); at 0.5, 85 % of the answerable questions are
# answered and 65 % of the others declined.
MIN_SIMILARITY = 0.5
PASSAGE_WEIGHT = 0.3
NEAR_BEST = 0.85
MAX_SENTENCES = 3
MAX_CANDIDATES = 32
MIN_WORDS = 4
MIN_LETTERS = 0.7
REMEMBERED_SENTENCES = 20_000
_MARKUP = re.compile(r"[=~^*\-#\"]{4,}|\[!|!\[|<\w+[^>]*>|\]\(|```")
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+[.)])\s|#|\|)")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Characters `start` to `end` of the text of a chunk."""

    chunk: Chunk
    start: int
    end: int

    @property
    def text(self) -> str:
        """The sentence as it stands in the source."""
        return self.chunk.text[self.start : self.end]


class ExtractiveGenerator:
    """Needs no language model: it can only say what the sources say."""

    name = "extractive"

    def __init__(self, embedder: Embedder, min_similarity: float = MIN_SIMILARITY) -> None:
        """Nothing is said where no sentence is as similar to the question as this, a cosine."""
        self._embedder = embedder
        self._min_similarity = min_similarity
        # The same passages answer many questions: most of their sentences have been embedded before.
        self._known: LRUCache[str, Vectors] = LRUCache(REMEMBERED_SENTENCES)
        self._lock = Lock()

    async def write(self, question: str, sources: Sequence[Hit], say: Say) -> Draft:
        """The same as `generate`, said sentence by sentence."""
        draft = await asyncio.to_thread(self.generate, question, sources)
        for citation in draft.citations:
            text = f"{shown(citation.quote)} [{citation.n}]"
            await say(Part(text if citation.n == 1 else f" {text}", citation))
        return draft

    def generate(self, question: str, sources: Sequence[Hit]) -> Draft:
        """The best one to three sentences; not grounded when the best is too far from the question."""
        found = _candidates(sources)
        if not found:
            return Draft("", (), grounded=False)
        candidates = [sentence for sentence, _ in found]
        vectors = self._vectors([sentence.text for sentence in candidates])
        similarity = vectors @ self._embedder.embed_query(question)
        if float(similarity.max()) < self._min_similarity:
            return Draft("", (), grounded=False)
        rank = similarity + PASSAGE_WEIGHT * np.array([score for _, score in found])
        best = float(rank.max())
        chosen = _distinct([int(i) for i in np.argsort(-rank, kind="stable") if rank[i] >= best * NEAR_BEST], vectors, candidates)
        citations = tuple(cite(n, candidates[i].chunk, candidates[i].start, candidates[i].end) for n, i in enumerate(chosen, 1))
        return Draft(" ".join(f"{shown(citation.quote)} [{citation.n}]" for citation in citations), citations, grounded=True)

    def similarity(self, question: str, sources: Sequence[Hit]) -> float:
        """The cosine of the question and the sentence that is most similar to it; -1 where there is no sentence."""
        texts = [sentence.text for sentence, _ in _candidates(sources)]
        return float((self._vectors(texts) @ self._embedder.embed_query(question)).max()) if texts else -1.0

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, shape (texts, dimensions)."""
        with self._lock:
            found: dict[str, Vectors] = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        found |= dict(zip(missing, self._embedder.embed(missing), strict=True))
        with self._lock:
            self._known.update(found)
        return np.stack([found[text] for text in texts])


def _candidates(sources: Sequence[Hit]) -> list[tuple[Sentence, float]]:
    """The sentences that may be quoted, with the score of their passage."""
    return [(sentence, hit.score) for hit in sources for sentence in sentences(hit.chunk)][:MAX_CANDIDATES]


def sentences(chunk: Chunk) -> Iterator[Sentence]:
    """The sentences of a chunk that say something; headings and fragments are left out."""
    for start, end in _blocks(chunk.text):
        block = chunk.text[start:end]
        if block.lstrip().startswith("#"):
            continue
        position = start
        for piece in sentencex.segment("en", block):
            left = position + len(piece) - len(piece.lstrip())
            right = position + len(piece.rstrip())
            position += len(piece)
            if _says_something(chunk.text[left:right]):
                yield Sentence(chunk, left, right)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for gap in _BLOCK.finditer(text):
        yield start, gap.start()
        start = gap.end()
    yield start, len(text)


def _says_something(sentence: str) -> bool:
    """Whether this can stand as an answer: words, no underlined heading, badge or lead-in to a list."""
    letters = sum(character.isalpha() for character in sentence)
    dense = letters > MIN_LETTERS * len("".join(sentence.split()))
    return len(sentence.split()) >= MIN_WORDS and dense and not sentence.endswith(":") and not _MARKUP.search(sentence)


def shown(quote: str) -> str:
    """A quote as a sentence of an answer."""
    return plain(quote.lstrip("-*+> "))


def _distinct(ranked: Sequence[int], vectors: Vectors, candidates: Sequence[Sentence]) -> list[int]:
    """The best candidates without those that say again what a better one said."""
    chosen: list[int] = []
    for i in ranked:
        new = all(float(vectors[i] @ vectors[j]) < 0.95 and candidates[i].text != candidates[j].text for j in chosen)
        if new:
            chosen.append(i)
        if len(chosen) == MAX_SENTENCES:
            break
    return chosen
