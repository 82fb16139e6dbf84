"""Text to passages that fit the embedder, cut where the structure allows it (pure)."""

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from semantic_text_splitter import MarkdownSplitter, TextSplitter
from tokenizers import Tokenizer

from index.chunk_rows import Chunk
from index.documents import Write
from index.embedder import Embedder
from tasks.outline import Section, outline
from tasks.parse import Parsed

# Changes of how chunks are cut make another generation: raise this with them.
VERSION = 1
SPECIAL_TOKENS = 2
TITLE_TOKENS = 48
HEADING_TOKENS = 32
MIN_TOKENS = 48


def chunker_for(embedder: Embedder, tokens: int) -> "Chunker":
    """A chunker for passages of at most so many tokens, or of what the embedder reads."""
    return Chunker(embedder.tokenizer(), min(tokens, embedder.max_tokens))


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
        ruler = Ruler(self._tokenizer, parsed.text)
        passages = self._passages(parsed, title, sections, ruler.tokens)
        if any(passage.tokens > self.max_tokens for passage in passages):
            # Cut within a word, a piece may have more tokens than the word had there: then each is counted by itself.
            passages = self._passages(parsed, title, sections, self._tokens)
        seen: Counter[str] = Counter()
        found = []
        for ordinal, passage in enumerate(passages):
            text_hash = hashlib.sha256(passage.embedded.encode()).hexdigest()[:32]
            chunk_id = _chunk_id(write.doc_id, text_hash, seen[text_hash])
            seen[text_hash] += 1
            found.append(
                Chunk(
                    chunk_id=chunk_id,
                    doc_id=write.doc_id,
                    revision=write.revision,
                    ordinal=ordinal,
                    text=passage.text,
                    title=parsed.title,
                    uri=draft.uri,
                    source=draft.source,
                    media_type=draft.media_type,
                    heading=passage.heading,
                    start=passage.start,
                    end=passage.start + len(passage.text),
                    tokens=passage.tokens,
                    text_hash=text_hash,
                    embedded_text=passage.embedded,
                    metadata=draft.metadata,
                    page=_page(parsed, passage.start),
                )
            )
        return found

    def _room(self, parsed: Parsed, title: str) -> int:
        """Tokens that are left for the text of a passage."""
        headings = HEADING_TOKENS if parsed.form == "markdown" else 0
        return max(MIN_TOKENS, self.max_tokens - SPECIAL_TOKENS - self._tokens(title) - headings)

    def _passages(self, parsed: Parsed, title: str, sections: list[Section], count: Callable[[str], int]) -> list["_Passage"]:
        """The passages as `count` sizes them; what they embed is counted exactly."""
        kind = MarkdownSplitter if parsed.form == "markdown" else TextSplitter
        # Not `from_huggingface_tokenizer`: it copies the tokenizer for each splitter, 46 ms a document.
        pieces = kind.from_callback(count, self._room(parsed, title)).chunk_indices(parsed.text)
        starts = [section.start for section in sections]
        # A passage that begins with its own heading stands under it.
        headings = [sections[max(0, bisect_right(starts, start + _heading_offset(text)) - 1)].path for start, text in pieces]
        contexts = {path: self._clip(" > ".join(part for part in path if part != parsed.title), HEADING_TOKENS) for path in set(headings)}
        strings = [
            "\n".join(part for part in (title, contexts[path], text) if part) for path, (_, text) in zip(headings, pieces, strict=True)
        ]
        encodings = self._tokenizer.encode_batch_fast(strings, add_special_tokens=False)
        return [
            _Passage(start, text, heading, embedded, len(encoding.ids) + SPECIAL_TOKENS)
            for (start, text), heading, embedded, encoding in zip(pieces, headings, strings, encodings, strict=True)
        ]

    def _tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids) if text else 0

    def _clip(self, text: str, limit: int) -> str:
        """The text cut after at most `limit` tokens."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return text if len(encoding.ids) <= limit else text[: encoding.offsets[limit - 1][1]]


@dataclass(frozen=True, slots=True)
class _Passage:
    """A passage with its place, what is embedded for it, and how many tokens that has."""

    start: int
    text: str
    heading: tuple[str, ...]
    embedded: str
    tokens: int


class Ruler:
    """Counts the tokens of pieces of one text, which is tokenised once: a splitter tries many and long ones."""

    def __init__(self, tokenizer: Tokenizer, text: str) -> None:
        self._text = text
        self._starts = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]
        self._at = 0

    def tokens(self, piece: str) -> int:
        """How many tokens of the text begin in the piece. Where else it stands does not matter: it is the same there."""
        self._at = start if (start := self._text.find(piece, self._at)) >= 0 else self._text.find(piece)
        return bisect_left(self._starts, self._at + len(piece)) - bisect_left(self._starts, self._at)


def _page(parsed: Parsed, start: int) -> int | None:
    """The page that a character stands on, where the format has pages."""
    before = bisect_right(parsed.pages, start, key=lambda page: page[0])
    return parsed.pages[before - 1][1] if before else None


def _heading_offset(text: str) -> int:
    return len(text) - len(text.lstrip())


def _chunk_id(doc_id: str, text_hash: str, occurrence: int) -> str:
    return hashlib.sha256(f"{doc_id}\x00{text_hash}\x00{occurrence}".encode()).hexdigest()[:32]
