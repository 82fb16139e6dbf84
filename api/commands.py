"""The commands of `groundwork`: what each sends to the server, and what comes of the reply."""

import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from api import client, terminal
from api.client import Client, Json
from api.terminal import Terminal
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
"""
PAUSE_S = 0.25
PAGE = 1_000  # the most items a page of the API has

app = App(name="groundwork", help=HELP, version=lambda: version("groundwork"), result_action="return_value")
app.meta.group_parameters = Group("Everywhere", sort_key=1)
quarantine = App(name="quarantine", help="List documents in quarantine; `replay` takes them through the pipeline again.")
rebuild = App(name="rebuild", help="Make the index anew with another model or other passages; `list` and `cancel` rebuilds (admin).")
app.command(quarantine)
app.command(rebuild)


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
Words = Annotated[str, Parameter(name="TEXT", required=True)]
Release = Annotated[int | None, Parameter(help="The release to use instead of the live one.")]
Filter = Annotated[str | None, Parameter(name="--filter", help='JSON, such as {"source": {"in": ["http"]}}.')]


@app.command
def add(
    *paths: Annotated[Path, Parameter(required=True)],
    wait: Annotated[float | None, Parameter(help="Wait up to this many seconds until all are indexed or quarantined.")] = None,
    prefix: Annotated[str, Parameter(help="Put before each document's id.")] = "",
    session: Here,
) -> Outcome:
    """Add files and folders. A document's id is its path in the folder given, or the file's name."""
    files = client.files_under(paths, prefix)
    rejected: list[Json] = []
    done = 0
    try:
        with session.terminal.progress("Adding", len(files)) as advance:
            for segment in client.segments(files):
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
    return Outcome(reply, terminal.added, 4 if rejected or held else 0)


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
    return Outcome(session.client.post("/v1/search", body | filter_of(where)), terminal.hits)


@app.command
def ask(*text: Words, k: int = 8, release: Release = None, where: Filter = None, session: Here) -> Outcome:
    """Ask a question; the answer cites its sources by number."""
    body: Json = {"question": " ".join(text), "k": k, "release": release}
    return Outcome(session.client.post("/v1/answers", body | filter_of(where)), terminal.answer)


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
    return Outcome(found, terminal.platform, 0 if ok else 3)


@app.command
def plan(*paths: Annotated[str, Parameter(required=True)], session: Here) -> Outcome:
    """Show what adding paths, or a sweep of a source by its name or URI, would change, embed and cost; changes nothing."""
    # The server has another working folder: what names a place on this machine goes as a full path.
    places = [path if "://" in path else str(Path(path).expanduser().absolute()) for path in paths]
    is_source = len(paths) == 1 and "/" not in paths[0] and not Path(paths[0]).expanduser().exists()
    asked: Json = {"source": paths[0]} if is_source else {"paths": places}
    return Outcome(session.client.post("/v1/plans", asked), terminal.facts)


@app.command
def evaluate(
    *,
    release: Release = None,
    dataset: str = "default",
    sample: Annotated[int | None, Parameter(help="Use only this many golden questions.")] = None,
    part: Annotated[Literal["development", "held_out"] | None, Parameter(help="Use one part of the golden set.")] = None,
    answers: Annotated[bool, Parameter(help="Measure the answers too, not only what is found.")] = True,
    minutes: Annotated[float | None, Parameter(help="Leave unmeasured what is not done after so many minutes.")] = None,
    wait: Annotated[bool, Parameter(help="Wait for the scores.")] = True,
    timeout: Annotated[float, Parameter(help="Stop waiting after this many seconds; the evaluation goes on.")] = 3600.0,
    session: Here,
) -> Outcome:
    """Score a release on golden questions."""
    asked: Json = {"release": release, "dataset": dataset, "sample": sample, "part": part, "answers": answers, "minutes": minutes}
    reply = session.client.post("/v1/evaluations", asked)
    if not wait:
        return Outcome(reply, terminal.started)
    session.terminal.note(f"evaluation {reply['id']}: {reply.get('url') or 'started'}")
    path, end = f"/v1/evaluations/{reply['id']}", time.monotonic() + timeout
    with session.terminal.progress("Evaluating", None) as advance:
        while (reply := session.client.get(path))["state"] in ("queued", "running") and time.monotonic() < end:
            advance(reply.get("done") or 0, reply.get("of"))
            time.sleep(PAUSE_S)
    return Outcome(reply, terminal.evaluation, 0 if reply["state"] == "completed" else 4)


@app.command
def judge(
    *,
    exam: Annotated[bool, Parameter(negative=(), help="Start an exam of it (admin); it costs some 400 calls.")] = False,
    session: Here,
) -> Outcome:
    """Show which LLM judges answers, and whether its scores count; --exam examines it."""
    if exam:
        return Outcome(session.client.post("/v1/judge/exam", {}), terminal.started_exam)
    return Outcome(session.client.get("/v1/judge"), terminal.judge)


@app.command
def releases(*, limit: int = 20, session: Here) -> Outcome:
    """List releases, newest first."""
    return Outcome(session.client.get("/v1/releases", limit=limit), terminal.releases)


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
    return Outcome(session.client.post("/v1/rollback", target | {"reason": reason, "requeue": requeue}), terminal.moved)


@app.command
def resume(*, session: Here) -> Outcome:
    """Follow the newest checked release again, after a rollback."""
    return Outcome(session.client.post("/v1/resume", {}), terminal.moved)


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
            return Outcome({"items": items, "next": cursor}, terminal.quarantined)


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
    return Outcome(reply, terminal.rebuild, 0 if reply["state"] in ("running", "done") else 4)


@rebuild.command(name="list")
def _rebuilds(*, session: Here) -> Outcome:
    """List rebuilds, newest first."""
    return Outcome(session.client.get("/v1/rebuilds"), terminal.rebuilds)


@rebuild.command
def cancel(number: int, /, *, session: Here) -> Outcome:
    """Cancel a rebuild; what was made for it is removed."""
    return Outcome(session.client.delete(f"/v1/rebuilds/{number}"), terminal.rebuild)


@app.command
def audit(*, limit: int = 20, session: Here) -> Outcome:
    """List who did what to what is served, newest first."""
    return Outcome(session.client.get("/v1/audit", limit=limit), terminal.audit)


def filter_of(typed: str | None) -> Json:
    """A `--filter` as a part of a request."""
    if typed is None:
        return {}
    try:
        parsed = json.loads(typed)
    except ValueError as error:
        raise BadRequest(f"--filter is not JSON: {error}") from None
    return {"filter": parsed}


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
