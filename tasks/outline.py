"""The headings of Markdown, and what stands under them (pure)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyromark

_SHOWN = ("Text", "Code")
Event = Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class Section:
    """From character `start` on, the text stands under `path`."""

    start: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading without its markup; `start` is the character it begins at, `level` is 1 to 6."""

    start: int
    level: int
    name: str


def outline(text: str) -> list[Section]:
    """Where each heading path begins; the first section starts at 0."""
    sections = [Section(0, ())]
    path: list[Heading] = []
    for heading in headings(text):
        path = [above for above in path if above.level < heading.level] + [heading]
        sections.append(Section(heading.start, tuple(above.name for above in path)))
    return sections


def headings(text: str) -> Iterator[Heading]:
    """The headings that stand by themselves, not in a quotation or a list."""
    content = text.encode()
    nesting = bytes_before = characters_before = 0
    level, words = 0, [""]
    for event, place in pyromark.events_with_range(text):
        kind, tag = _kind(event)
        if kind == "Start" and tag == "Heading" and nesting == 0:
            characters_before += len(content[bytes_before : place["start"]].decode())
            bytes_before = place["start"]
            level, words = _level(event), []
        elif kind == "End" and tag == "Heading" and level:
            yield Heading(characters_before, level, "".join(words).strip())
            level = 0
        elif level and kind in _SHOWN:
            words.append(tag)
        elif level and kind == "SoftBreak":
            words.append(" ")
        elif tag in ("BlockQuote", "List"):
            nesting += 1 if kind == "Start" else -1


def _level(event: Any) -> int:
    """The level of a heading that begins, from the library's `H1` to `H6`."""
    return int(event["Start"]["Heading"]["level"].removeprefix("H"))


def _kind(event: Event) -> tuple[str, str]:
    """What happens (`Start`, `End`, `Text` ...) and to which element, if it is one."""
    if isinstance(event, str):
        return event, ""
    [(kind, what)] = event.items()
    return kind, next(iter(what)) if isinstance(what, dict) else str(what)
