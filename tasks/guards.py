"""What no answer may carry, whatever a model or a document says (pure)."""

import re
import unicodedata
from collections.abc import Sequence

# Invisible: an eye and a word match would read different things.
_HIDDEN = ("Cf", "Cc", "Co", "Cs", "Cn")
_IMAGE = re.compile(r"!\[([^\]]*)\](?:\([^)]*\)?|\[[^\]]*\])?")
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)?|\[[^\]]*\]|:\s*\S+)")
_HTML = re.compile(r"</?[a-zA-Z!][^<>]*>?")
# What looks like a mark of evidence: only marks that were checked may stand in an answer.
_MARKLIKE = re.compile(r"(?<!\w)[\[［【〔]\s*\^?\s*(?:source\s*)?\d+[^\]］】〕]{0,800}[\]］】〕]", re.IGNORECASE)
_URL = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,15}://|\bwww\.|\b(?:data|javascript|mailto):)[^\s<>\"'`]+", re.IGNORECASE)
# A host by its name, or a mailbox; names of files look the same, and mean nothing else than themselves either.
_HOST = re.compile(r"(?:[\w.+-]+@)?(?:[\w-]+\.)+[a-z]{2,}", re.IGNORECASE)
# What may be one, found first: so a text of letters without an end takes no longer than another. No mailbox is longer (RFC 5321).
_HOSTLIKE = re.compile(r"[\w.+@-]+")
LONGEST_HOST = 320
_WORD = re.compile(r"\w+")
RUN = 5
SHORTEST_SECRET = 6


def plain(text: str) -> str:
    """One line without invisible characters, Markdown images and links, HTML, and marks of evidence; what they show stays."""
    seen = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _HIDDEN)
    for pattern, shown in ((_MARKLIKE, " "), (_IMAGE, r"\1"), (_LINK, r"\1"), (_HTML, " ")):
        seen = pattern.sub(shown, seen)
    return " ".join(seen.split())


def urls(text: str) -> list[str]:
    """The addresses in a text, without what ends a sentence."""
    return [found.rstrip(".,;:!?)]}") for found in _URL.findall(text)]


def addresses(text: str) -> set[str]:
    """The addresses, hosts, mailboxes and files that a text names, in lower case."""
    parts = (found.strip(".+-") for found in _HOSTLIKE.findall(_URL.sub(" ", text)))
    named = (part for part in parts if len(part) <= LONGEST_HOST and _HOST.fullmatch(part))
    return {found.lower() for found in (*urls(text), *named)}


def hosts(text: str) -> set[str]:
    """The hosts of the addresses in a text, in lower case."""
    return {re.split(r"[/?#]", found.partition("://")[2])[0].lower() for found in urls(text)}


class Secrets:
    """What a model was told or reached with, and must not tell on."""

    def __init__(self, told: str, words: Sequence[str] = ()) -> None:
        """`told`: instructions, of which no run of words may be repeated; `words`: keys and the like."""
        self._runs = _runs(told)
        self._words = [_squeezed(word) for word in words if len(word) >= SHORTEST_SECRET]

    def in_(self, text: str) -> bool:
        """Whether a text has any of it; blanks and punctuation in between hide nothing."""
        squeezed = _squeezed(text)
        return any(word in squeezed for word in self._words) or not self._runs.isdisjoint(_runs(text))


def _squeezed(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _runs(text: str) -> set[tuple[str, ...]]:
    words = [word.lower() for word in _WORD.findall(text)]
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}
