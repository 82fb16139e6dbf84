"""What a model writes, claim by claim, and the evidence for each in the sources (pure)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sentencex
from rapidfuzz import fuzz, process

from index.chunk_rows import Chunk
from tasks.answer import Citation, cite
from tasks.context import Source
from tasks.extract import sentences
from tasks.guards import addresses, hosts

# A claim is borne out when its names and numbers and this share of its content words stand in the evidence.
MIN_SUPPORT = 0.6
# The share of them that stands in the sentences that are quoted.
MIN_QUOTED = 0.3
# A quote of fewer words shows nobody anything.
SHORTEST_QUOTE = 3
SAME_WORD = 80
# Nobody writes such words: keys, encoded text. They must stand in the evidence.
LONGEST_WORD = 24
# A stretch without a mark that is longer is no claim, and a claim that is longer is not looked at.
LONGEST_CLAIM = 2_000
LONGEST_MARK = 800
# Of one claim: a model that repeats itself writes them without end.
MOST_MARKS = 16
_NEGATION = re.compile(r"\b(?:no|not|never|none|cannot|without|neither|nor)\b|n['’]t\b", re.IGNORECASE)
# A number is one word with its decimals: 5.3 does not stand in "3.5".
_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+")
# No quote goes on over the beginning of another mark: to look for its end from each would take long.
_MARK = re.compile(r"\[(\d{1,9})(?::\s*[\"“]((?:(?!\[\d{1,9}:\s*[\"“]).){1,600}?)[\"”])?\]", re.DOTALL)
_BETWEEN = " \n\t.;,"
_EDGES = ".,;:!?()[]{}\"'“”‘’"

Mark = tuple[int, str | None]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence and the evidence marks that follow it: a source's number, and a quote where there is one."""

    text: str
    marks: tuple[Mark, ...]


class Claims:
    """Takes what a model writes piece by piece, and gives its claims as soon as they are whole."""

    def __init__(self) -> None:
        self._waiting = ""
        self._is_marked = False

    def feed(self, piece: str) -> list[Claim]:
        """The claims that are whole with this piece."""
        self._waiting += piece
        # Nothing else makes one whole, and to look at each piece takes long where they are letters.
        may_be_whole = "]" in piece or self._is_marked or len(self._waiting) > LONGEST_CLAIM
        return list(self._whole(final=False)) if may_be_whole else []

    def rest(self) -> list[Claim]:
        """The claims in what is left, when nothing more comes."""
        return list(self._whole(final=True))

    def _whole(self, *, final: bool) -> Iterator[Claim]:
        while mark := _MARK.search(self._waiting):
            marks, end = _marks(self._waiting, mark)
            # More marks may follow, so a claim is whole when the next has begun.
            if not final and len(marks) < MOST_MARKS and not _begins(self._waiting[end:]):
                self._is_marked = True
                return
            stretch, self._waiting = self._waiting[: mark.start()], self._waiting[end:]
            yield from _split(stretch, tuple(marks))
        self._is_marked = False
        if final or len(self._waiting) > LONGEST_CLAIM:
            stretch, self._waiting = self._waiting, ""
            yield from _split(stretch, ())


def _marks(text: str, first: re.Match[str]) -> tuple[list[Mark], int]:
    """The marks that stand together, from the first, as many as are looked at, and where they end."""
    marks: list[Mark] = []
    found: re.Match[str] | None = first
    end = first.end()
    while found and len(marks) < MOST_MARKS:
        marks.append((int(found[1]), found[2]))
        end = found.end()
        gap = len(text) - len(text[end:].lstrip(_BETWEEN))
        found = _MARK.match(text, gap)
    return marks, end


def _begins(rest: str) -> bool:
    """Whether another claim has begun: what may yet be a mark has not."""
    rest = rest.lstrip(_BETWEEN)
    return bool(rest) and (rest[0] != "[" or len(rest) > LONGEST_MARK)


def _split(stretch: str, marks: tuple[Mark, ...]) -> Iterator[Claim]:
    """Each sentence by itself: one that is borne out does not carry those before it."""
    stretch = stretch.lstrip(_BETWEEN)
    if len(stretch) > LONGEST_CLAIM:
        return
    for sentence in sentencex.segment("en", stretch):
        if text := " ".join(sentence.split()):
            yield Claim(text, marks)


def evidence(claim: Claim, text: str, given: Sequence[Source], n: int) -> Citation | None:
    """Citation number `n` for `text`, what is shown of a claim: the first of its marks that bears it out; None if none does."""
    return next((found for mark in claim.marks if (found := _borne_out(text, mark, given, n))), None)


def _borne_out(text: str, mark: Mark, given: Sequence[Source], n: int) -> Citation | None:
    number, quote = mark
    if not 1 <= number <= len(given):
        return None
    found = (_in_chunk(text, quote, chunk, n) for chunk in given[number - 1].chunks)
    return next((citation for citation in found if citation), None)


def _in_chunk(text: str, quote: str | None, chunk: Chunk, n: int) -> Citation | None:
    if quote and quote.strip():
        found = re.search(r"\s+".join(re.escape(word) for word in quote.split()), chunk.text)
        return _quoted(text, chunk, found.span(), n) if found and support(text, chunk.text) >= MIN_SUPPORT else None
    best = max(sentences(chunk), key=lambda sentence: support(text, sentence.text), default=None)
    if best is None or support(text, best.text) < MIN_SUPPORT:
        return None
    return cite(n, chunk, best.start, best.end)


def _quoted(text: str, chunk: Chunk, quoted: tuple[int, int], n: int) -> Citation | None:
    """The citation of a quote that a model named, where the sentences around it bear the claim out; of a word or two, the sentences."""
    start, end = quoted
    around = [sentence for sentence in sentences(chunk) if sentence.start < end and start < sentence.end]
    first, last = min([start, *(each.start for each in around)]), max([end, *(each.end for each in around)])
    if not _rests_on(text, chunk.text[start:end], chunk.text[first:last]):
        return None
    return cite(n, chunk, start, end) if len(_WORD.findall(chunk.text[start:end])) >= SHORTEST_QUOTE else cite(n, chunk, first, last)


def _rests_on(claim: str, quote: str, said: str) -> bool:
    """Whether a claim can rest on a quote, and on what is said around it.

    Names may stand elsewhere in the passage, as what a pronoun means; numbers, a denial and some of the words must stand here.
    """
    if (_NEGATION.search(claim) and not _NEGATION.search(said)) or (_NEGATION.search(quote) and not _NEGATION.search(claim)):
        return False
    words, there = ({word.lower() for word in _WORD.findall(each)} for each in (claim, said))
    numbers = {word for word in words if any(c.isdigit() for c in word)}
    content = {word for word in words if len(word) > 3 or word in numbers}
    found = [word for word in content if process.extractOne(word, there, scorer=fuzz.ratio, score_cutoff=SAME_WORD)]
    return numbers <= there and len(found) >= MIN_QUOTED * len(content)


def support(claim: str, passage: str) -> float:
    """The share of a claim's content words that the passage has too (0 to 1).

    0 if a name, a number, an address or a word that nobody writes is missing from it, or if only the claim denies something.
    """
    if not stands(claim, passage) or (_NEGATION.search(claim) and not _NEGATION.search(passage)):
        return 0.0
    words = _WORD.findall(claim)
    there = [word.lower() for word in _WORD.findall(passage)]
    exact = [word for i, word in enumerate(words) if _is_exact(word, first=i == 0)]
    if not {word.lower() for word in exact} <= set(there):
        return 0.0
    content = [word.lower() for word in words if len(word) > 3 or word in exact]
    found = [word for word in content if process.extractOne(word, there, scorer=fuzz.ratio, score_cutoff=SAME_WORD)]
    return len(found) / len(content) if content else 0.0


def stands(text: str, passage: str) -> bool:
    """Whether each address and each word that nobody writes of a text stands in the passage too."""
    odd = (bare for word in text.split() if len(bare := word.strip(_EDGES)) > LONGEST_WORD)
    return addresses(text) <= addresses(passage) | hosts(passage) and all(word in passage for word in odd)


def _is_exact(word: str, *, first: bool) -> bool:
    """Whether a word means nothing else than itself: a number, a name, a key."""
    inner = word[1:] != word[1:].lower() or (not first and word[:1].isupper())
    return inner or "_" in word or any(c.isdigit() for c in word)
