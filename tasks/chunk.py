"""Text to passages that fit the embedder, cut where the structure allows it (pure)."""

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt
from semantic_text_splitter import MarkdownSplitter, TextSplitter
from tokenizers import Tokenizer

from index.chunks import Chunk
from index.documents import Write
from tasks.parse import Parsed

# Changes of how chunks are cut make another generation: raise this with them.
VERSION = 1
SPECIAL_TOKENS = 2
TITLE_TOKENS = 48
HEADING_TOKENS = 32
MIN_TOKENS = 48


@dataclass(frozen=True, slots=True)
class Section:
    """From character `start` on, the text stands under `path`."""

    start: int
    path: tuple[str, ...]


class Chunker:
    """Cuts text by the tokenizer of one embedder into passages of at most `max_tokens` tokens.

    The limit is for what is embedded: title, heading path and text together.
    """

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.fingerprint = hashlib.sha256(f"{VERSION} {max_tokens}".encode()).hexdigest()[:6]

    def chunks(self, write: Write, parsed: Parsed) -> list[Chunk]:
        """The passages of one document in order; `parsed.text[start:end]` is the text of each."""
        draft = write.draft
        title = self._clip(parsed.title or "", TITLE_TOKENS)
        sections = outline(parsed.text) if parsed.form == "markdown" else [Section(0, ())]
        starts = [section.start for section in sections]
        seen: Counter[str] = Counter()
        found = []
        for ordinal, (start, text) in enumerate(self._split(parsed, self._tokens(title))):
            # A passage that begins with its own heading stands under it.
            heading = sections[max(0, bisect_right(starts, start + _heading_offset(text)) - 1)].path
            context = self._clip(" > ".join(part for part in heading if part != parsed.title), HEADING_TOKENS)
            embedded = "\n".join(part for part in (title, context, text) if part)
            text_hash = hashlib.sha256(embedded.encode()).hexdigest()[:32]
            chunk_id = _chunk_id(write.doc_id, text_hash, seen[text_hash])
            seen[text_hash] += 1
            found.append(
                Chunk(
                    chunk_id=chunk_id,
                    doc_id=write.doc_id,
                    revision=write.revision,
                    ordinal=ordinal,
                    text=text,
                    title=parsed.title,
                    uri=draft.uri,
                    source=draft.source,
                    media_type=draft.media_type,
                    heading=heading,
                    start=start,
                    end=start + len(text),
                    tokens=self._tokens(embedded) + SPECIAL_TOKENS,
                    text_hash=text_hash,
                    embedded_text=embedded,
                    metadata=draft.metadata,
                )
            )
        return found

    def _split(self, parsed: Parsed, title_tokens: int) -> Iterator[tuple[int, str]]:
        room = self.max_tokens - SPECIAL_TOKENS - title_tokens - (HEADING_TOKENS if parsed.form == "markdown" else 0)
        kind = MarkdownSplitter if parsed.form == "markdown" else TextSplitter
        # Not `from_huggingface_tokenizer`: it copies the tokenizer for each splitter, 46 ms a document.
        splitter = kind.from_callback(self._tokens, max(MIN_TOKENS, room))
        yield from splitter.chunk_indices(parsed.text)

    def _tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids) if text else 0

    def _clip(self, text: str, limit: int) -> str:
        """The text cut after at most `limit` tokens."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return text if len(encoding.ids) <= limit else text[: encoding.offsets[limit - 1][1]]


def outline(text: str) -> list[Section]:
    """Where each heading path begins; the first section starts at 0."""
    line_starts = [0]
    for line in text.split("\n"):
        line_starts.append(line_starts[-1] + len(line) + 1)
    sections = [Section(0, ())]
    path: list[tuple[int, str]] = []
    tokens = MarkdownIt("commonmark").parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.map and opening.level == 0:
            level = int(opening.tag[1:])
            path = [(depth, name) for depth, name in path if depth < level] + [(level, inline.content.strip())]
            sections.append(Section(line_starts[opening.map[0]], tuple(name for _, name in path)))
    return sections


def _heading_offset(text: str) -> int:
    return len(text) - len(text.lstrip())


def _chunk_id(doc_id: str, text_hash: str, occurrence: int) -> str:
    return hashlib.sha256(f"{doc_id}\x00{text_hash}\x00{occurrence}".encode()).hexdigest()[:32]
