"""Cursors of lists: opaque to clients."""

from base64 import b64decode, urlsafe_b64encode
from typing import Annotated

from litestar.params import QueryParameter

from index.errors import BadRequest

Limit = Annotated[int, QueryParameter(ge=1, le=1_000, description="How many items a page has at most.")]
Cursor = Annotated[str | None, QueryParameter(max_length=4_000, description="`next` of the page before.")]


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
        raise BadRequest("cursor is not one that this API gave; start without one") from error
