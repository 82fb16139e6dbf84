"""What parsing gives, and within which limits."""

from dataclasses import dataclass
from typing import Literal

MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a document; `form` says whether Markdown structure means something in it.

    `pages` are pairs (start, number) in order: from character `start` of the text on, it stood on page (or slide) `number`,
    counted from 1. Empty where a format knows no pages; the first pair starts at 0 or later.
    """

    title: str | None
    text: str
    form: Literal["markdown", "text"]
    pages: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost. Time, processor time and memory are held only in the processes of `tasks.parsers`."""

    seconds: float = 60.0
    memory_bytes: int = 1024**3
    bytes_in: int = MAX_BYTES
    characters_out: int = 20_000_000


LIMITS = Limits()
