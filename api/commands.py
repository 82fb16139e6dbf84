"""The commands of `groundwork`: what each sends to the server, and what comes of the reply."""

import time
from collections import deque
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from api import client, terminal, upload, views
from api.client import Json
from api.files import files_under
from api.session import PAUSE_S, Filter, Here, Outcome, Release, Session, filter_of
from index.errors import BadRequest, GroundworkError

HELP = """Index documents, ask questions about them, and keep the index right.

GROUNDWORK_URL and GROUNDWORK_KEY name the server and the key; by default they are the one on this
machine and the admin key that `make run` left in GROUNDWORK_HOME.

Exit codes:

- 0: it worked
- 1: the server refused, with its reason
- 2: wrong usage: an option, a path or a setting
- 3: the server is not reachable or not ready
- 4: it worked, but a document was rejected, quarantined or late, an evaluation did not complete, or golden questions are stale
- 130: interrupted with Ctrl-C
- 141: nobody reads the output any more, as with `| head`
"""

app = App(name="groundwork", help=HELP, version=lambda: version("groundwork"), result_action="return_value", console=terminal.Output())
app.meta.group_parameters = Group("Everywhere", sort_key=1)

Words = Annotated[str, Parameter(name="TEXT", required=True)]


@app.command
def add(
    *paths: Annotated[Path, Parameter(required=True)],
    wait: Annotated[float | None, Parameter(help="Wait up to this many seconds until all are indexed or quarantined.")] = None,
    prefix: Annotated[str, Parameter(help="Put before each document's id.")] = "",
    session: Here,
) -> Outcome:
    """Add files and folders. A document's id is its path in the folder given, or the file's name."""
    files = files_under(paths, prefix)
    rejected: list[Json] = []
    done = 0
    try:
        with session.terminal.progress("Adding", len(files)) as advance:
            for segment in upload.segments(files):
                rejected += segment.send(session.client)
                done += len(segment.doc_ids) + len(segment.unsent)
                advance(done)
    except GroundworkError:
        session.terminal.note(f"{done - len(rejected)} of {len(files)} documents were accepted before this:")
        raise
    reply: Json = {"accepted": done - len(rejected), "rejected": rejected}
    if wait is not None:
        refused = {each["doc_id"] for each in rejected}
        reply |= _indexed(session, [file.doc_id for file in files if file.doc_id not in refused], wait)
    held = reply.get("waiting") or any(each["state"] == "quarantined" for each in reply.get("documents", ()))
    return Outcome(reply, views.added, 4 if rejected or held else 0)


@app.command
def search(
    *text: Words,
    k: int = 10,
    mode: Literal["hybrid", "vector", "text"] = "hybrid",
    release: Release = None,
    where: Filter = None,
    one_per_document: Annotated[bool, Parameter(negative="", help="Show only the best passage of each document.")] = False,
    rerank: Annotated[bool, Parameter(negative="", help="Have the server's reranker put the hits in order.")] = False,
    explain: Annotated[bool, Parameter(negative="", help="Show what each score is made of.")] = False,
    session: Here,
) -> Outcome:
    """Search for the passages nearest to a text."""
    asked = {"one_per_document": one_per_document, "rerank": rerank, "explain": explain}
    body: Json = {"query": " ".join(text), "k": k, "mode": mode, "release": release} | {name: True for name, on in asked.items() if on}
    return Outcome(session.client.post("/v1/search", body | filter_of(where)), views.hits)


@app.command
def ask(*text: Words, k: int = 8, release: Release = None, where: Filter = None, session: Here) -> Outcome:
    """Ask a question; the answer cites its sources by number."""
    body: Json = {"question": " ".join(text), "k": k, "release": release}
    return Outcome(session.client.post("/v1/answers", body | filter_of(where)), views.answer)


@app.command
def status(doc_id: str | None = None, /, *, session: Here) -> Outcome:
    """Show the state of one document, or of the platform: health, live release, documents by state, capacity."""
    if doc_id is not None:
        return Outcome(session.client.get(client.document_path(doc_id)), terminal.facts)
    ok, ready = session.client.probe("/health/ready")
    _, live = session.client.probe("/v1/releases/live")
    _, documents = session.client.probe("/v1/documents", limit=1)
    _, capacity = session.client.probe("/v1/capacity")
    found = {"ok": ok, "ready": ready, "live": live, "documents": documents, "capacity": capacity}
    return Outcome(found, views.platform, 0 if ok else 3)


@app.command
def plan(*paths: Annotated[str, Parameter(required=True)], session: Here) -> Outcome:
    """Show what adding paths, or a sweep of a source by its name or URI, would change, embed and cost; changes nothing."""
    # The server has another working folder: what names a place on this machine goes as a full path.
    places = [path if "://" in path else str(Path(path).expanduser().absolute()) for path in paths]
    is_source = len(paths) == 1 and "/" not in paths[0] and not Path(paths[0]).expanduser().exists()
    asked: Json = {"source": paths[0]} if is_source else {"paths": places}
    return Outcome(session.client.post("/v1/plans", asked), terminal.facts)


@app.command
def releases(*, limit: int = 20, session: Here) -> Outcome:
    """List releases, newest first."""
    return Outcome(session.client.get("/v1/releases", limit=limit), views.releases)


@app.command
def rollback(
    *,
    to: Annotated[int | None, Parameter(help="The release to serve.")] = None,
    before: Annotated[str | None, Parameter(help="A time (ISO 8601, UTC): serve what was live before it.")] = None,
    reason: Annotated[str, Parameter(help="Kept in the release log.")],
    requeue: Annotated[bool, Parameter(negative=(), help="Take the documents left behind through the pipeline again.")] = False,
    session: Here,
) -> Outcome:
    """Serve an earlier release and stay on it: --to, --before, or the last proven one before the live one."""
    if to is not None and before is not None:
        raise BadRequest("give --to or --before, not both")
    target: Json = {"to": to} if to is not None else {"before": before} if before is not None else {}
    return Outcome(session.client.post("/v1/rollback", target | {"reason": reason, "requeue": requeue}), views.moved)


@app.command
def resume(*, session: Here) -> Outcome:
    """Follow the newest checked release again, after a rollback."""
    return Outcome(session.client.post("/v1/resume", {}), views.moved)


@app.command
def audit(*, limit: int = 20, session: Here) -> Outcome:
    """List who did what to what is served, newest first."""
    return Outcome(session.client.get("/v1/audit", limit=limit), views.audit)


def _indexed(session: Session, doc_ids: Sequence[str], seconds: float) -> Json:
    """Each document's state once it has left the inbox; `waiting` is how many had not in time.

    Only the oldest one is asked about until it is done: the inbox is taken in order.
    """
    waiting, documents, end = deque(doc_ids), list[Json](), time.monotonic() + seconds
    with session.terminal.progress("Indexing", len(doc_ids)) as advance:
        while waiting:
            document = session.client.get(client.document_path(waiting[0]))
            if document["state"] != "accepted":
                documents.append(document)
                waiting.popleft()
                advance(len(documents))
            elif time.monotonic() < end:
                time.sleep(PAUSE_S)
            else:
                break
    return {"documents": documents, "waiting": len(waiting)}
