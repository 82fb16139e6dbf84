"""What the commands of `groundwork` have in common: what they work with, what they come to, and options that several take."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from api.client import Client, Json
from api.terminal import Terminal
from index.errors import BadRequest

PAUSE_S = 0.25
PAGE = 1_000  # the most items a page of the API has


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with: the server and the terminal; and whether its reply is wanted as JSON, so that it must ask nothing."""

    client: Client
    terminal: Terminal
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command comes to: the reply, how people see it, and the exit code."""

    reply: Json
    show: Callable[[Terminal, Json], None]
    code: int = 0


Here = Annotated[Session, Parameter(parse=False)]
Release = Annotated[int | None, Parameter(help="The release to use instead of the live one.")]
Filter = Annotated[str | None, Parameter(name="--filter", help='JSON, such as {"source": {"in": ["http"]}}.')]


def filter_of(typed: str | None) -> Json:
    """A `--filter` as a part of a request."""
    if typed is None:
        return {}
    try:
        parsed = json.loads(typed)
    except ValueError as error:
        raise BadRequest(f"--filter is not JSON: {error}") from None
    return {"filter": parsed}
