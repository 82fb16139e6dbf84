"""The command line `groundwork`: a client of the HTTP API.

Exit codes, for scripts:

0    it worked
1    the server refused (4xx, or 500), with its reason
2    wrong usage: an option, a path or a setting
3    the server is not reachable or not ready (no connection, 503, no key yet)
4    it worked, but a document was rejected, quarantined or late, an evaluation did not complete, or golden questions are stale
130  interrupted with Ctrl-C
141  nobody reads the output any more, as with `| head`
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import CycloptsError, Parameter
from pydantic import ValidationError

from api import client, offline_keys
from api.client import Refused
from api.commands import app
from api.evaluation_commands import evaluate, judge
from api.golden_commands import golden
from api.key_commands import keys
from api.quarantine_commands import quarantine
from api.rebuild_commands import rebuild
from api.session import Outcome, Session
from api.terminal import Terminal
from index.errors import GroundworkError, Misconfigured, Unavailable
from index.settings import Settings

INTERRUPTED = 130
BROKEN_PIPE = 141
for each in (evaluate, judge, quarantine, rebuild, golden, keys):
    app.command(each)


@dataclass(frozen=True, slots=True)
class Invocation:
    """The command as typed, and whether its reply is wanted as JSON."""

    tokens: tuple[str, ...]
    as_json: bool


def main(argv: Sequence[str] | None = None, settings: Settings | None = None) -> int:
    """Runs one command line and returns its exit code; `settings` default to the environment's."""
    out = Terminal()
    try:
        code = _told(argv, settings, out)
        out.flush()
    except BrokenPipeError:
        out.close()
        return BROKEN_PIPE
    return code


def _told(argv: Sequence[str] | None, settings: Settings | None, out: Terminal) -> int:
    """The exit code, with what went wrong on standard error."""
    try:
        return _run(sys.argv[1:] if argv is None else argv, settings, out)
    except KeyboardInterrupt:
        return INTERRUPTED
    except CycloptsError as error:
        out.note(f"groundwork: {error} `groundwork --help` says more.")
        return 2
    except GroundworkError as error:
        out.note(f"groundwork: {error}")
        return _exit_code(error)


@app.meta.default
def _invocation(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    as_json: Annotated[bool, Parameter(name="--json", negative=(), help="Print the reply as JSON, nothing else.")] = False,
) -> Invocation:
    return Invocation(tokens, as_json)


def _run(argv: Sequence[str], settings: Settings | None, out: Terminal) -> int:
    command, bound, _ = app.meta.parse_args(list(argv), exit_on_error=False, print_error=False)
    typed = command(*bound.args, **bound.kwargs)
    if not isinstance(typed, Invocation):  # that was --help or --version
        return 0
    command, bound, needs = app.parse_args(list(typed.tokens), exit_on_error=False, print_error=False)
    if "session" not in needs:  # a bare `groundwork` prints its help
        command(*bound.args, **bound.kwargs)
        return 0
    try:
        connect = offline_keys.connect if bound.arguments.get("offline") else client.connect
        with connect(settings or _settings(), out.note) as server:
            outcome: Outcome = command(*bound.args, **bound.kwargs, session=Session(server, out, typed.as_json))
    except Refused as refused:
        if typed.as_json:
            out.json(refused.problem)
        raise
    if typed.as_json:
        out.json(outcome.reply)
    else:
        outcome.show(out, outcome.reply)
    return outcome.code


def _settings() -> Settings:
    try:
        return Settings.model_validate({})  # what the environment says, nothing else
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise Misconfigured(f"GROUNDWORK_{name}: {first['msg']}") from None


def _exit_code(error: GroundworkError) -> int:
    if isinstance(error, Refused):
        return 3 if error.not_ready else 1
    return 3 if isinstance(error, Unavailable) else 2
