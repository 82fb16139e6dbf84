"""Golden questions, and which chunks of a release answer them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.chunks import Chunk
from index.errors import BadRequest, Misconfigured, NotFound

FOLDER = Path(__file__).parent / "golden"
DEFAULT = "default"
DEFAULT_FILE = "sample"
# Two evaluations with the same sample size ask the same questions, so they can be compared.
SAMPLE_SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class Passage:
    """Where an answer stands: words of a document, quoted; white space may differ."""

    doc_id: str
    quote: str


@dataclass(frozen=True, slots=True)
class GoldenQuestion:
    """A question with the passages that answer it. Without any, the right answer is that there is none."""

    id: str
    question: str
    passages: tuple[Passage, ...]
    reference: str | None

    @property
    def answerable(self) -> bool:
        """Whether the documents hold an answer."""
        return bool(self.passages)


@dataclass(frozen=True, slots=True)
class Relevance:
    """The chunks of one release that answer a question, and why passages of it could not be found."""

    chunk_ids: frozenset[str]
    stale: tuple[str, ...] = ()


def names(folder: Path = FOLDER) -> dict[str, Path]:
    """The golden sets by name; `sample.jsonl` is the default one."""
    files = sorted(folder.glob("*.jsonl"))
    return {DEFAULT if file.stem == DEFAULT_FILE else file.stem: file for file in files}


def load(name: str = DEFAULT, folder: Path = FOLDER) -> tuple[GoldenQuestion, ...]:
    """The questions of one golden set; `NotFound` when there is none with this name."""
    known = names(folder)
    if name not in known:
        raise NotFound(f"there is no golden set {name!r}; there are: {', '.join(known)}")
    lines = known[name].read_text(encoding="utf-8").splitlines()
    questions = [_question(line, f"{known[name].name}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if len({question.id for question in questions}) < len(questions):
        raise Misconfigured(f"{known[name].name}: two questions have the same id")
    return tuple(questions)


def sample(questions: Sequence[GoldenQuestion], size: int | None) -> tuple[GoldenQuestion, ...]:
    """`size` of the questions at random, in their order; all when there are not more, or for None."""
    if size is None or size >= len(questions):
        return tuple(questions)
    if size < 1:
        raise BadRequest("sample must be at least 1; leave it out to ask all questions")
    chosen = np.random.default_rng(SAMPLE_SEED).choice(len(questions), size, replace=False)
    return tuple(questions[i] for i in sorted(chosen))


def resolve(question: GoldenQuestion, chunks_of: Callable[[str], Sequence[Chunk]]) -> Relevance:
    """Which chunks hold the question's passages now; `chunks_of` gives the chunks of a document by its id."""
    found: set[str] = set()
    stale = []
    for passage in question.passages:
        chunks = chunks_of(passage.doc_id)
        holders = holding(passage.quote, chunks)
        found |= holders
        if not chunks:
            stale.append(f"{passage.doc_id} is not in this release")
        elif not holders:
            stale.append(f"{passage.doc_id} no longer says “{passage.quote}”")
    return Relevance(frozenset(found), tuple(stale))


def holding(quote: str, chunks: Sequence[Chunk]) -> set[str]:
    """The ids of the chunks that hold at least half of the quote, wherever it stands in their document.

    If it is cut so that no chunk holds half, the one that holds most. Empty when the quote does not
    stand in the document.
    """
    words = re.compile(r"\s+".join(re.escape(word) for word in quote.split()))
    found: set[str] = set()
    for match in words.finditer(text_of(chunks)):
        overlap = {chunk.chunk_id: min(match.end(), chunk.end) - max(match.start(), chunk.start) for chunk in chunks}
        enough = min((match.end() - match.start()) / 2, max(overlap.values()))
        found |= {chunk_id for chunk_id, characters in overlap.items() if characters >= enough}
    return found


def text_of(chunks: Sequence[Chunk]) -> str:
    """The document's text as far as its chunks show it; what stands between them was white space."""
    text = [" "] * max((chunk.end for chunk in chunks), default=0)
    for chunk in chunks:
        text[chunk.start : chunk.end] = chunk.text
    return "".join(text)


def _question(line: str, place: str) -> GoldenQuestion:
    try:
        row: Mapping[str, Any] = json.loads(line)
        passages = tuple(Passage(answer["doc_id"], answer["quote"]) for answer in row["answers"])
        question = GoldenQuestion(row["id"], row["question"], passages, row.get("reference"))
    except (ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{place} is not a golden question ({type(error).__name__}: {error})") from error
    if not question.question.strip() or not all(passage.quote.strip() for passage in question.passages):
        raise Misconfigured(f"{place}: the question or a quote is empty")
    return question
