"""Canaries made from passages: questions whose answer is known to stand there. Nobody judged them (pure)."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import zip_longest

from index.canaries import Canary, Kind
from index.chunk_rows import Chunk
from index.golden import GoldenQuestion, Passage
from tasks.extract import sentences

MIN_WORDS, MIN_LETTERS = 20, 0.7
SHORTEST_QUOTE, LONGEST_QUOTE = 30, 400
SUBJECT_WORDS, HEADING_WORDS, SENTENCE_WORDS = 5, 10, 14
# So many rare words make a question. One that this share of the passages has is not rare.
TERMS, COMMON = 3, 0.02
# Of a long document so many passages are looked at: one with ten thousand would take all the time.
OF_A_DOCUMENT = 12
# Headings that are in every second document name nothing of this one.
_EVERYWHERE = (  # noqa: SIM905 - it reads better
    "about|acknowledgements|appendix|authors|background|bibliography|changelog|changes|conclusion|contact|contents|contributing|"
    "credits|disclaimer|example|examples|faq|features|further reading|getting started|history|index|install|installation|introduction|"
    "legal|licence|license|links|motivation|next steps|notes|overview|prerequisites|quick start|quickstart|readme|references|"
    "related|release notes|requirements|resources|see also|summary|support|table of contents|terms of use|todo|usage"
).split("|")
BOILERPLATE = frozenset(_EVERYWHERE)
_POINTING = (  # noqa: SIM905 - it reads better
    "all and another any are each he here his her how i if is it its my one or our she some such that their there these they "
    "this those we what when where which who why you your"
).split()
_PRONOUNS = frozenset(_POINTING)
_DEFINITION = re.compile(
    r"(?P<article>(?:An?|The)\s+)?(?P<subject>[\w`*][^\s,;:()]*(?:\s+[^\s,;:()]+)*?)\s+(?P<verb>is|are)\s+(?:an?|the|one of)\s"
)
_WORD = re.compile(r"[^\W\d_]{4,20}")
_MARKUP = "`*_#\"'“” "


@dataclass(frozen=True, slots=True)
class Draft:
    """A question about a passage, and the words of it that answer."""

    chunk: Chunk
    kind: Kind
    question: str
    quote: str


def make(chunks: Sequence[Chunk], made_at: datetime, release: int, known: Collection[str] = ()) -> Iterator[Canary]:
    """Canaries of these passages, one of each document before a second of any; the same passages make the same ones.

    Aliases are left out, and so are passages that say little, are under known hashes, or can't be told from others by a sentence.

    Args:
        chunks: all passages of some documents, with their `text_hash`.
        made_at: now.
        release: where the passages are from.
        known: hashes of passages that are not to be used again.
    """
    corpus = Corpus(chunks)
    by_document: dict[str, list[Chunk]] = defaultdict(list)
    # By their hash: which passages are chosen does not change as others come.
    for chunk in sorted(chunks, key=lambda chunk: chunk.text_hash):
        if len(by_document[chunk.doc_id]) < OF_A_DOCUMENT and chunk.text_hash not in known and corpus.tells(chunk):
            by_document[chunk.doc_id].append(chunk)
    documents = sorted(by_document, key=place_of)
    for each in zip_longest(*(by_document[doc_id] for doc_id in documents)):
        drafts = (corpus.draft(chunk) for chunk in each if chunk)
        yield from (canary_of(draft, made_at, release) for draft in drafts if draft)


def place_of(doc_id: str) -> str:
    """Documents in this order are in no order that means anything, and it is the same every time."""
    return hashlib.sha256(doc_id.encode()).hexdigest()


def holds(text: str, quote: str) -> bool:
    """Whether the quote stands in a text, white space aside."""
    return quote in _plain(text)


def as_golden(canaries: Sequence[Canary]) -> tuple[GoldenQuestion, ...]:
    """Canaries in the form that evaluations ask; whoever stores their scores must name them as what they are."""
    return tuple(GoldenQuestion(each.id, each.question, (Passage(each.doc_id, each.quote),), None) for each in canaries)


class Corpus:
    """What passages have in common, so that a question can be about one of them alone."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._chunks = chunks
        self._sections = Counter((chunk.doc_id, chunk.heading) for chunk in chunks)
        self._hashes = Counter(chunk.text_hash for chunk in chunks)

    def tells(self, chunk: Chunk) -> bool:
        """Whether there is enough in a passage to ask about, and nobody says the same."""
        words = chunk.text.split()
        letters = sum(character.isalpha() for character in chunk.text)
        dense = letters >= MIN_LETTERS * sum(map(len, words))
        return chunk.duplicate_of is None and self._hashes[chunk.text_hash] == 1 and len(words) >= MIN_WORDS and dense

    def quotes(self, chunk: Chunk) -> list[str]:
        """The sentences of a passage that stand in no other."""
        return [quote for sentence in sentences(chunk) if self._is_quotable(quote := _plain(sentence.text))]

    def draft(self, chunk: Chunk) -> Draft | None:
        """A question about a passage; None where none can be asked."""
        quotes = self.quotes(chunk)
        if not quotes:
            return None
        # Definitions and headings are few; which of the others comes first is up to the passage.
        others = [self._of_terms, self._of_sentence]
        turn = int(chunk.text_hash[:4] or "0", 16) % len(others)
        for attempt in (self._of_definition, self._of_heading, *others[turn:], *others[:turn]):
            if draft := attempt(chunk, quotes):
                return draft
        return None

    @cached_property
    def _having(self) -> Mapping[str, Sequence[Chunk]]:
        """The passages that have each word."""
        having: dict[str, list[Chunk]] = defaultdict(list)
        for chunk in self._chunks:
            for word in _words(chunk.text):
                having[word].append(chunk)
        return having

    @cached_property
    def _leaves(self) -> Counter[str]:
        """How many documents have each heading."""
        return Counter(leaf for _, leaf in {(chunk.doc_id, chunk.heading[-1].lower()) for chunk in self._chunks if chunk.heading})

    def _is_quotable(self, quote: str) -> bool:
        words = _words(quote)
        if not words or not SHORTEST_QUOTE <= len(quote) <= LONGEST_QUOTE:
            return False
        # Only passages with its rarest word can say the same.
        return sum(holds(chunk.text, quote) for chunk in min((self._having[word] for word in words), key=len)) == 1

    def _of_heading(self, chunk: Chunk, quotes: Sequence[str]) -> Draft | None:
        leaf = _plain(chunk.heading[-1]).strip(_MARKUP) if chunk.heading else ""
        letters = sum(character.isalpha() for character in leaf)
        if letters < max(5, MIN_LETTERS * len("".join(leaf.split()))) or len(leaf.split()) > HEADING_WORDS:
            return None
        title = _plain(chunk.title or "").strip(_MARKUP)
        named = bool(title) and len(title.split()) <= HEADING_WORDS and leaf.lower() not in title.lower()
        alone = self._sections[chunk.doc_id, chunk.heading] == 1 and (named or self._leaves[chunk.heading[-1].lower()] == 1)
        if leaf.lower() in BOILERPLATE or not alone:
            return None
        return Draft(chunk, "heading", _about(leaf, title if named else ""), quotes[0])

    def _of_definition(self, chunk: Chunk, quotes: Sequence[str]) -> Draft | None:
        for quote in quotes:
            found = _DEFINITION.match(quote.lstrip("-*+> "))
            subject = found["subject"].replace("`", "").strip(_MARKUP) if found else ""
            words = subject.split()
            if found and 0 < len(words) <= SUBJECT_WORDS and _PRONOUNS.isdisjoint(subject.lower().split()) and len(subject) > 2:
                article = found["article"] or ""
                return Draft(chunk, "definition", f"What {found['verb']} {article.lower()}{subject}?", quote)
        return None

    def _of_terms(self, chunk: Chunk, quotes: Sequence[str]) -> Draft | None:
        words, most = _words(" ".join(quotes)), max(2, COMMON * len(self._chunks))
        rare = [(len(self._having[word]), -len(word), word) for word in words if len(self._having[word]) <= most]
        chosen = [word for word in words if word in {word for *_, word in sorted(rare)[:TERMS]}]
        if len(chosen) < 2:
            return None
        return Draft(chunk, "terms", " ".join(chosen), max(quotes, key=lambda quote: sum(word in quote.lower() for word in chosen)))

    @staticmethod
    def _of_sentence(chunk: Chunk, quotes: Sequence[str]) -> Draft | None:
        quote = max(quotes, key=lambda quote: min(len(quote.split()), SENTENCE_WORDS))
        return Draft(chunk, "sentence", " ".join(quote.split()[:SENTENCE_WORDS]), quote)


def _about(heading: str, title: str) -> str:
    """As people ask about what stands under a heading."""
    if heading.endswith("?"):
        return heading
    # An acronym or a name in capitals keeps them.
    topic = heading if heading[:2].isupper() else heading[0].lower() + heading[1:]
    return f"What does {title} say about {topic}?" if title else f"What is there to know about {topic}?"


def canary_of(draft: Draft, made_at: datetime, release: int) -> Canary:
    """A canary that was not asked yet."""
    digest = hashlib.sha256(f"{draft.chunk.text_hash}\n{draft.kind}\n{draft.question}".encode()).hexdigest()
    return Canary(
        id=digest[:16],
        question=draft.question,
        doc_id=draft.chunk.doc_id,
        quote=draft.quote,
        kind=draft.kind,
        text_hash=draft.chunk.text_hash,
        made_at=made_at,
        birth_release=release,
    )


def _words(text: str) -> list[str]:
    """Its longer words in lower case, each once."""
    return list(dict.fromkeys(found.lower() for found in _WORD.findall(text)))


def _plain(text: str) -> str:
    return " ".join(text.split())
