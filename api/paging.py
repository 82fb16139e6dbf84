"""Lists in pages, with cursors that are opaque to clients."""

from base64 import b64decode, urlsafe_b64encode
from typing import Annotated, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from index.errors import BadRequest

Limit = Annotated[int, QueryParameter(ge=1, le=1_000, description="How many items a page has at most.")]
Cursor = Annotated[str | None, QueryParameter(max_length=4_000, description="`next` of the page before.")]
REFUSED = "cursor is not one that this API gave; start without one"
T = TypeVar("T")


class Page(msgspec.Struct, Generic[T]):
    """One page of a list; `next` is the cursor of the following page."""

    items: list[T]
    next: str | None = None


def cursor(position: str) -> str:
    """The cursor of what comes after `position`."""
    return urlsafe_b64encode(position.encode()).decode()


def position(cursor_: str | None) -> str:
    """Where a cursor points; empty for the first page."""
    if not cursor_:
        return ""
    try:
        return b64decode(cursor_, altchars="-_", validate=True).decode()
    except ValueError as error:
        raise BadRequest(REFUSED) from error


def number(cursor_: str | None) -> int | None:
    """The number where a cursor points; None for the first page."""
    text = position(cursor_)
    if not text:
        return None
    if not text.isdecimal():
        raise BadRequest(REFUSED)
    return int(text)
