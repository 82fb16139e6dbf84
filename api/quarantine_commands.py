"""`groundwork quarantine`: list the documents there, and replay them."""

from typing import Annotated

from cyclopts import App, Parameter

from api import client, terminal
from api.client import Json
from api.session import PAGE, Here, Outcome
from api.terminal import Terminal
from index.errors import BadRequest

quarantine = App(name="quarantine", help="List documents in quarantine; `replay` takes them through the pipeline again.")


@quarantine.default
@quarantine.command(name="list")
def _quarantined(*, limit: int = 50, session: Here) -> Outcome:
    """List documents in quarantine and why they are there."""
    items: list[Json] = []
    cursor: str | None = None
    while True:
        page = session.client.get("/v1/documents", state="quarantined", limit=min(limit - len(items), PAGE), cursor=cursor)
        items += page["items"]
        cursor = page.get("next")
        if cursor is None or len(items) >= limit or not page["items"]:
            return Outcome({"items": items, "next": cursor}, _shown)


@quarantine.command
def replay(
    doc_id: str | None = None,
    /,
    *,
    reason: Annotated[str | None, Parameter(help="Replay all that are there for this reason.")] = None,
    session: Here,
) -> Outcome:
    """Take one document, or all of one reason, through the pipeline again."""
    if (doc_id is None) == (reason is None):
        raise BadRequest("give a document's id or --reason")
    if doc_id is not None:
        return Outcome(session.client.post(client.document_path(doc_id, "/replay"), {}), terminal.facts)
    return Outcome(session.client.post("/v1/quarantine/replay", {}, reason=reason), terminal.facts)


def _shown(out: Terminal, reply: Json) -> None:
    """The documents in quarantine and why."""
    if not reply["items"]:
        out.line("No document is in quarantine.")
        return
    out.table(("document", "reason", "accepted"), [(each["doc_id"], each["reason"], each["accepted_at"]) for each in reply["items"]])
    if reply.get("next"):
        out.line("There are more: use --limit.")
