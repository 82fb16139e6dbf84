"""`groundwork rebuild`: make the index anew, list rebuilds, cancel one."""

import time
from typing import Annotated, Literal

from cyclopts import App, Parameter

from api import terminal
from api.client import Json
from api.session import PAUSE_S, Here, Outcome
from api.terminal import NUMBERS, Terminal

rebuild = App(name="rebuild", help="Make the index anew with another model or other passages; `list` and `cancel` rebuilds (admin).")


@rebuild.default
@rebuild.command(name="start")
def _rebuild(
    *,
    embedder: Annotated[str | None, Parameter(help="A sentence-transformers name, or a path on the server.")] = None,
    dimensions: Annotated[int | None, Parameter(help="Keep so many of the vectors' dimensions; 0: all.")] = None,
    chunk_tokens: Annotated[int | None, Parameter(help="The longest passage.")] = None,
    vector_bits: Annotated[Literal[16, 32] | None, Parameter(help="Of each stored number.")] = None,
    dry_run: Annotated[bool, Parameter(negative=(), help="Only say what it would take.")] = False,
    reason: Annotated[str, Parameter(help="Kept in the audit.")] = "",
    wait: Annotated[bool, Parameter(help="Wait until it has ended.")] = True,
    session: Here,
) -> Outcome:
    """Make the index anew from stored text, beside what is served. What is left out stays as it is."""
    asked: Json = {"embedder": embedder, "dimensions": dimensions, "vector_bits": vector_bits, "dry_run": dry_run, "reason": reason}
    asked |= {"chunking": {"tokens": chunk_tokens}} if chunk_tokens is not None else {}
    reply = session.client.post("/v1/rebuilds", asked)
    if dry_run:
        return Outcome(reply, terminal.facts)
    path = f"/v1/rebuilds/{reply['id']}"
    if wait:
        session.terminal.note(f"rebuild {reply['id']} goes on when you stop waiting; `groundwork rebuild cancel {reply['id']}` ends it")
        with session.terminal.progress("Rebuilding", None) as advance:
            while (reply := session.client.get(path))["state"] == "running":
                advance(reply["done"] or 0, reply["of"])
                time.sleep(PAUSE_S)
    return Outcome(reply, _shown, 0 if reply["state"] in ("running", "done") else 4)


@rebuild.command(name="list")
def _rebuilds(*, session: Here) -> Outcome:
    """List rebuilds, newest first."""
    return Outcome(session.client.get("/v1/rebuilds"), _listed)


@rebuild.command
def cancel(number: int, /, *, session: Here) -> Outcome:
    """Cancel a rebuild; what was made for it is removed."""
    return Outcome(session.client.delete(f"/v1/rebuilds/{number}"), _shown)


def _shown(out: Terminal, reply: Json) -> None:
    """What became of a rebuild, and what the gate said."""
    pairs = [(name.replace("_", " "), value) for name, value in reply.items() if name not in ("gate", "recipe") and value is not None]
    out.facts([("recipe", _recipe(reply["recipe"])), *((name, str(value) if name in (*NUMBERS, "id") else value) for name, value in pairs)])
    findings = (reply.get("gate") or {}).get("findings", ())
    if findings:
        out.table(("check", "held", "found"), [(each["name"], each["ok"], each["detail"]) for each in findings])


def _listed(out: Terminal, reply: Json) -> None:
    """Rebuilds, newest first."""
    columns = ("id", "state", "asked_at", "by", "recipe", "release", "outcome")
    rows = [[_recipe(each["recipe"]) if name == "recipe" else each.get(name) for name in columns] for each in reply["items"]]
    out.table(columns, rows, right=("id", "release"))


def _recipe(recipe: Json) -> str:
    dimensions = f", {recipe['dimensions']} dimensions" if recipe["dimensions"] else ""
    return f"{recipe['embedder'] or 'bundled model'}{dimensions}, {recipe['chunk_tokens']} tokens, {recipe['vector_bits']} bits"
