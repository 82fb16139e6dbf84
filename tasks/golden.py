"""Golden sets by name, and which chunks of a release answer their questions."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from index.chunk_rows import Chunk
from index.errors import BadRequest, Misconfigured, NotFound
from index.golden import GoldenQuestion, Passage, question_of
from index.golden_sets import GoldenSet, GoldenSets, summary

# What comes with Groundwork: questions about the sample.
PACKAGED = Path(__file__).parents[1] / "evals" / "golden"
DEFAULT = "default"
DEFAULT_FILE = "sample"
SHOWN_QUOTE = 200
ChunksOf = Callable[[str], Sequence[Chunk]]


@dataclass(frozen=True, slots=True)
class Relevance:
    """The chunks of one release that answer a question, and why passages of it could not be found."""

    chunk_ids: frozenset[str]
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A golden set that there is; `packaged` came with Groundwork, and nobody has put one of its name."""

    golden: GoldenSet
    packaged: bool


def sets(stored: GoldenSets | None, folder: Path = PACKAGED) -> list[Named]:
    """Each golden set in order of their names; packaged ones where none of their name has accepted questions."""
    found = {each.name: each for each in (stored.sets() if stored else ())}
    packaged = {name: path for name, path in _packaged(folder).items() if name not in found or not found[name].questions}
    named = [Named(summary(name, _read(path)), packaged=True) for name, path in packaged.items()]
    return sorted(named + [Named(each, packaged=False) for each in found.values() if each.name not in packaged], key=_name)


def questions(stored: GoldenSets | None, name: str = DEFAULT, folder: Path = PACKAGED) -> tuple[GoldenQuestion, ...]:
    """The accepted questions of a set: those that were put, else those that are packaged. `NotFound` when there are neither."""
    if found := stored.questions(name) if stored else ():
        return found
    packaged = _packaged(folder)
    if name not in packaged:
        known = sorted({*packaged, *(each.name for each in (stored.sets() if stored else ()))})
        raise NotFound(f"there is no golden set {name!r} with accepted questions; there are: {', '.join(known)}")
    return _read(packaged[name])


def stale(view_of: ChunksOf, asked: Sequence[GoldenQuestion]) -> dict[str, tuple[str, ...]]:
    """Why questions are stale, by their ids; those that are not are missing."""
    chunks_of = cache(view_of)
    reasons = {question.id: resolve(question, chunks_of).stale for question in asked}
    return {identifier: why for identifier, why in reasons.items() if why}


def resolve(question: GoldenQuestion, chunks_of: ChunksOf) -> Relevance:
    """Which chunks hold the question's passages now; `chunks_of` gives the chunks of a document by its id.

    A document that says the same as another is shown as that one: the passage must stand there too.
    """
    found: set[str] = set()
    reasons = list[str]()
    for passage in question.passages:
        chunks, shown_as = _shown(passage.doc_id, chunks_of)
        holders = holding(passage.quote, chunks)
        found |= holders
        if not chunks:
            reasons.append(f"{passage.doc_id} is not in this release")
        elif not holders:
            where = "no longer says" if shown_as == passage.doc_id else f"is shown as {shown_as}, which does not say"
            reasons.append(f"{passage.doc_id} {where} “{_beginning(passage.quote)}”")
    return Relevance(frozenset(found), tuple(reasons))


def check_standing(passages: Sequence[Passage], chunks_of: ChunksOf) -> None:
    """Raises `BadRequest` when one of the passages does not stand in the release."""
    asked = GoldenQuestion("", "", tuple(passages), None)
    if reasons := resolve(asked, chunks_of).stale:
        raise BadRequest("; ".join(reasons))


def holding(quote: str, chunks: Sequence[Chunk]) -> set[str]:
    """The ids of the chunks that hold at least half of the quote, wherever it stands in their document; of all for an empty quote.

    If it is cut so that no chunk holds half, the one that holds most. Empty when the quote does not
    stand in the document.
    """
    if not quote:
        return {chunk.chunk_id for chunk in chunks}
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


def _shown(doc_id: str, chunks_of: ChunksOf) -> tuple[Sequence[Chunk], str]:
    """The chunks that searches show of a document, and the document that they are of."""
    chunks = chunks_of(doc_id)
    canonical = chunks[0].duplicate_of if chunks else None
    return (chunks_of(canonical), canonical) if canonical else (chunks, doc_id)


def _beginning(quote: str) -> str:
    return quote if len(quote) <= SHOWN_QUOTE else quote[:SHOWN_QUOTE] + "…"


def _name(named: Named) -> str:
    return named.golden.name


def _packaged(folder: Path) -> dict[str, Path]:
    """The packaged golden sets by name; `sample.jsonl` is the default one."""
    files = sorted(folder.glob("*.jsonl"))
    return {DEFAULT if file.stem == DEFAULT_FILE else file.stem: file for file in files}


def _read(file: Path) -> tuple[GoldenQuestion, ...]:
    lines = file.read_text(encoding="utf-8").splitlines()
    found = [_question(line, f"{file.name}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if len({question.id for question in found}) < len(found):
        raise Misconfigured(f"{file.name}: two questions have the same id")
    return tuple(found)


def _question(line: str, place: str) -> GoldenQuestion:
    try:
        return question_of(json.loads(line), "written")
    except (ValueError, BadRequest) as error:
        raise Misconfigured(f"{place} is not a golden question ({error})") from error
