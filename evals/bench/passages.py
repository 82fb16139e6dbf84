"""Ways to cut a document into passages, and what passages cover and break (pure)."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyromark
import sentencex
from tokenizers import Tokenizer

from index.documents import Draft, Write
from tasks.chunk import HEADING_TOKENS, MIN_TOKENS, SPECIAL_TOKENS, TITLE_TOKENS, Chunker
from tasks.parse import Parsed, parse

LANGUAGE = "en"
BLOCKS = {"Table", "CodeBlock"}


@dataclass(frozen=True, slots=True)
class Text:
    """A parsed document and where its tokens begin; `base` is the number of its first token among those of all documents."""

    draft: Draft
    parsed: Parsed
    starts: Sequence[int]
    base: int

    def tokens(self, start: int, end: int) -> range:
        """The numbers of the tokens that begin from character `start` on and before `end`."""
        return range(self.base + bisect_left(self.starts, start), self.base + bisect_left(self.starts, end))


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` to `end` of a document, and what is embedded for them."""

    doc_id: str
    start: int
    end: int
    tokens: range
    embedded: str


@dataclass(frozen=True, slots=True)
class Way:
    """How documents are cut: into windows of tokens, or by their structure where `overlap` is None.

    `tokens` is the most that is embedded for a passage, special tokens and headers included. `headers`: whether the title
    (and the heading path, where structure is known) is embedded with each passage.
    """

    tokens: int
    overlap: float | None
    headers: bool

    @property
    def name(self) -> str:
        """The way in words."""
        kind = "by structure" if self.overlap is None else f"fixed size, overlap {self.overlap:.0%}"
        return f"{kind}, {self.tokens} tokens, {'with' if self.headers else 'no'} headers"

    @property
    def room(self) -> int:
        """Tokens of text that have a place in a passage under any title and heading."""
        return max(MIN_TOKENS, self.tokens - SPECIAL_TOKENS - TITLE_TOKENS - HEADING_TOKENS)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What retrieved tokens cover of the tokens that answer.

    As in "Evaluating Chunking Strategies for Retrieval" (Smith and Troynikov, Chroma technical report, 2024,
    https://research.trychroma.com/evaluating-chunking): a token that is retrieved twice is paid for twice.
    Theirs retrieves 5 passages, however long; here all ways may spend the same number of tokens.
    """

    recall: float
    precision: float
    iou: float


def texts(drafts: Sequence[Draft], tokenizer: Tokenizer) -> list[Text]:
    """The documents parsed and tokenised."""
    found, base = [], 0
    for draft in drafts:
        parsed = parse(draft)
        starts = [start for start, _ in tokenizer.encode(parsed.text, add_special_tokens=False).offsets]
        found.append(Text(draft, parsed, starts, base))
        base += len(starts)
    return found


def cutter(way: Way, tokenizer: Tokenizer) -> Callable[[Text], list[Passage]]:
    """Cuts a document in one way."""
    if way.overlap is not None:
        return lambda text: windows(text, way, tokenizer)
    chunker = Chunker(tokenizer, way.tokens)
    return lambda text: by_structure(text, chunker, way.headers)


def windows(text: Text, way: Way, tokenizer: Tokenizer) -> list[Passage]:
    """Windows over the tokens, one beginning a fixed number of tokens after the other.

    Without headers the title still stands before the first window, as where title and text are cut as one.
    """
    title = _title(text, tokenizer)
    size = way.tokens - SPECIAL_TOKENS - (len(tokenizer.encode(title, add_special_tokens=False).ids) if way.headers else 0)
    step = size - round(size * (way.overlap or 0.0))
    # A window that lies within the one before it would add nothing.
    firsts = range(0, max(1, len(text.starts) - (size - step)), step)
    places = [*text.starts, len(text.parsed.text)]
    found = []
    for first in firsts:
        start, end = places[first], places[min(first + size, len(text.starts))]
        words = text.parsed.text[start:end].strip()
        embedded = f"{title}\n{words}" if title and (way.headers or first == 0) else words
        found.append(Passage(text.draft.doc_id, start, end, text.tokens(start, end), embedded))
    return found


def by_structure(text: Text, chunker: Chunker, headers: bool) -> list[Passage]:
    """The chunks that the platform makes."""
    chunks = chunker.chunks(Write(text.draft, 1, datetime.now(UTC)), text.parsed)
    return [
        Passage(chunk.doc_id, chunk.start, chunk.end, text.tokens(chunk.start, chunk.end), chunk.embedded_text if headers else chunk.text)
        for chunk in chunks
    ]


def coverage(ranked: Sequence[range], answer: Collection[int], budget: int) -> Coverage:
    """Coverage of the best passages, cut after `budget` tokens."""
    wanted, found, left = frozenset(answer), set[int](), budget
    for tokens in ranked:
        taken = tokens[:left]
        found |= wanted.intersection(taken)
        left -= len(taken)
        if not left:
            break
    spent = budget - left
    return Coverage(len(found) / len(wanted), len(found) / max(1, spent), len(found) / (len(wanted) + spent - len(found)))


def sentences(text: Text) -> list[range]:
    """The tokens of each sentence outside of tables and code, as a library that no way uses sees them."""
    found, at = [], 0
    for sentence in sentencex.segment(LANGUAGE, text.parsed.text):
        words = sentence.strip()
        if words and (start := text.parsed.text.find(words, at)) >= 0:
            at = start + len(words)
            found.append(text.tokens(start, at))
    taken = blocks(text)
    return [unit for unit in found if not any(unit.start < block.stop and block.start < unit.stop for block in taken)]


def blocks(text: Text) -> list[range]:
    """The tokens of each table and code block of Markdown."""
    if text.parsed.form != "markdown":
        return []
    content = text.parsed.text.encode()
    return [text.tokens(len(content[:start].decode()), len(content[:end].decode())) for start, end in _outermost(text.parsed.text)]


def broken(units: Sequence[range], passages: Sequence[Passage], room: int) -> tuple[int, int]:
    """Of the units of one document that have room in a passage: how many stand whole in none, and how many there are."""
    fitting = [unit for unit in units if 0 < len(unit) <= room]
    starts = [passage.tokens.start for passage in passages]
    whole = 0
    for unit in fitting:
        # Passages are in order: the last one that begins at or before the unit reaches furthest.
        at = bisect_left(starts, unit.start + 1) - 1
        whole += at >= 0 and passages[at].tokens.stop >= unit.stop
    return len(fitting) - whole, len(fitting)


def _outermost(text: str) -> Iterator[tuple[int, int]]:
    """Byte ranges of the tables and code blocks."""
    for event, place in pyromark.events_with_range(text, options=pyromark.Options.ENABLE_TABLES):
        started = event.get("Start") if isinstance(event, dict) else None
        name = next(iter(started)) if isinstance(started, dict) else started
        if name in BLOCKS:
            yield place["start"], place["end"]


def _title(text: Text, tokenizer: Tokenizer) -> str:
    """The title as the platform would embed it."""
    title = text.parsed.title or ""
    offsets = tokenizer.encode(title, add_special_tokens=False).offsets
    return title if len(offsets) <= TITLE_TOKENS else title[: offsets[TITLE_TOKENS - 1][1]]
