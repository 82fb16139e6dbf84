"""The port: what a source must do for a sweep.

A new kind of source is one file beside this one and its line in `tasks.discover.KINDS`. It names what it has
(`listing`, cheap, reads no content) and reads what a sweep asks for (`read`). It keeps no state, decides nothing
and writes nothing: what is new, changed or gone is found by `tasks.compare`, the same way for all kinds.
Something that tells of its changes itself (a queue, a webhook) needs no source: it sends `PUT /v1/documents/{doc_id}`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from index.documents import Draft


@dataclass(frozen=True, slots=True)
class Listed:
    """A document that the source has now.

    Args:
        doc_id: `name:` and what tells it from the others of the source, such as its path.
        stamp: the same stamp again means the same document (ETag, blob id, size and times). Empty when that can't
            be told, as of a file that was written a moment ago: then it is always read.
        at: where `read` finds it.
        size: bytes, as far as known.
    """

    doc_id: str
    stamp: str = ""
    at: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that is there but can't be taken now; what is indexed of it stays as it is."""

    doc_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of the source that could not be listed: what is in it may still be there, so nothing is removed this time."""

    where: str
    reason: str


Seen = Listed | Skipped | Gap


class Source(Protocol):
    """A place that a sweep compares with what is indexed."""

    @property
    def name(self) -> str:
        """The first part of the ids of its documents."""
        ...

    @property
    def uri(self) -> str:
        """Where it is, for people: without credentials. What is remembered of it is dropped when this changes."""
        ...

    def listing(self) -> Iterator[Seen]:
        """Everything the source has now, without reading it.

        Raises:
            OSError: the source can't be listed, or not to its end. Nothing is removed then.
        """
        ...

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        """What is in these documents, in any order. One that is gone meanwhile, or can't be read, is `Skipped`.

        A draft's title is None when the kind knows no titles, and empty when it does and this document has none.

        Raises:
            OSError: the source as a whole can't be read any more.
        """
        ...
