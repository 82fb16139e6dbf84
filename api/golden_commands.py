"""The commands of `groundwork golden`: sets of questions whose answers are known."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from api import golden_review
from api.client import Json
from api.golden_review import Decision, decide, passage_typed, proposals
from api.session import PAGE, Here, Outcome, Session
from api.terminal import Terminal
from api.upload import Segment
from index.errors import BadRequest
from index.golden import GoldenQuestion, as_row, check_name, question_of
from tasks import beir

SEGMENT = 200
DONE = {"accept": "Accepted", "accept_unanswerable": "Accepted as unanswerable:", "reject": "Rejected"}
golden = App(name="golden", help="Golden sets: questions whose answers are known; import, export, check, drop, propose and review them.")
Name = Annotated[str, Parameter(help="The golden set; `default` is what proves releases.")]


@golden.default
@golden.command(name="list")
def _list(*, session: Here) -> Outcome:
    """List golden sets."""
    return Outcome(session.client.get("/v1/golden"), _sets)


@golden.command(name="import")
def _import(
    name: Name,
    path: Path,
    /,
    *,
    prefix: Annotated[str, Parameter(help="Put before each document's id, such as docs: for those of the source docs.")] = "",
    replace: Annotated[bool, Parameter(negative=(), help="Remove the accepted questions that are not in the file.")] = False,
    with_documents: Annotated[bool, Parameter(negative=(), help="Add the documents of corpus.jsonl too.")] = False,
    session: Here,
) -> Outcome:
    """Import questions from a folder in BEIR layout, or from a file of our own JSON lines."""
    place = f"/v1/golden/{check_name(name)}"
    found = beir.read(path, prefix)
    documents = _add_documents(session, path, prefix) if with_documents else None
    reply = session.client.put_lines(place, [_line(question) for question in found.questions], replace="true" if replace else None)
    reply |= {"left_out": dict(found.left_out)} | ({"documents": documents} if documents else {})
    return Outcome(reply, _imported, 4 if documents and documents["rejected"] else 0)


@golden.command
def export(name: Name, path: Path, /, *, session: Here) -> Outcome:
    """Export a set: into a .jsonl file of our own lines, or into a folder in BEIR layout without the documents."""
    questions = [question_of(row, "imported") for row in _all(session, f"/v1/golden/{check_name(name)}")]
    try:
        if path.suffix == ".jsonl":
            beir.write_lines(path, questions)
        else:
            beir.write_folder(path, questions)
    except OSError as error:
        raise BadRequest(f"{path} can't be written: {error.strerror}") from error
    reply: Json = {"name": name, "questions": len(questions), "path": str(path)}
    return Outcome(reply, lambda out, told: out.line(f"Wrote {told['questions']:,} questions to {told['path']}."))


@golden.command
def check(name: Name, /, *, release: Annotated[int | None, Parameter(help="Instead of the live one.")] = None, session: Here) -> Outcome:
    """Show which questions of a set are stale, and why; exits with 4 when some are."""
    reply = session.client.get(f"/v1/golden/{check_name(name)}/check", release=release)
    return Outcome(reply, _checked, 4 if reply["stale"] else 0)


@golden.command
def drop(name: Name, /, *, session: Here) -> Outcome:
    """Remove a set with its proposals (admin)."""
    return Outcome(session.client.delete(f"/v1/golden/{check_name(name)}"), lambda out, _: out.line(f"Dropped the golden set {name}."))


@golden.command
def propose(name: Name, /, *, limit: Annotated[int, Parameter(help="At most so many.")] = 20, session: Here) -> Outcome:
    """Propose questions from feedback and from the log of asked questions; they count once they are accepted."""
    reply = session.client.post(f"/v1/golden/{check_name(name)}/proposals", {"limit": limit})
    told = f"Proposed {reply['proposed']:,} questions; {reply['waiting']:,} wait: `groundwork golden review {name}`."
    return Outcome(reply, lambda out, _: out.line(told))


@golden.command
def review(
    name: Name,
    /,
    *,
    accept: Annotated[str | None, Parameter(help="Accept this proposal, with --passage or the suggested passages.")] = None,
    passage: Annotated[tuple[str, ...], Parameter(help="DOC_ID:QUOTE, DOC_ID: for all of it, or the number of a found passage.")] = (),
    unanswerable: Annotated[str | None, Parameter(help="Accept this one: the documents hold no answer.")] = None,
    reject: Annotated[str | None, Parameter(help="Reject this one.")] = None,
    question: Annotated[str | None, Parameter(help="Ask it in these words instead.")] = None,
    reference: Annotated[str | None, Parameter(help="The right answer.")] = None,
    session: Here,
) -> Outcome:
    """Decide about proposals, one after the other on a terminal, or one by its id; else list them."""
    check_name(name)
    chosen = [(kind, each) for kind, each in (("accept", accept), ("accept_unanswerable", unanswerable), ("reject", reject)) if each]
    if len(chosen) > 1:
        raise BadRequest("give one of --accept, --unanswerable and --reject")
    if not chosen:
        waiting = proposals(session, name)
        if not session.as_json and golden_review.is_possible():
            return Outcome(golden_review.walk(session, name, waiting, input), golden_review.told)
        return Outcome({"items": waiting, "next": None}, golden_review.listed)
    [(kind, identifier)] = chosen
    known = next((each for each in proposals(session, name) if each["id"] == identifier), None) if passage else None
    passages = [passage_typed(session, typed, known) for typed in passage] or None
    decide(session, name, identifier, Decision(kind, passages, question, reference))
    return Outcome({"id": identifier, "decision": kind}, lambda out, _: out.line(f"{DONE[kind]} {identifier}."))


def _all(session: Session, path: str) -> Iterator[Json]:
    """The items of all pages."""
    cursor: str | None = None
    while True:
        page = session.client.get(path, limit=PAGE, cursor=cursor)
        yield from page["items"]
        if (cursor := page["next"]) is None:
            return


def _line(question: GoldenQuestion) -> bytes:
    return json.dumps(as_row(question)).encode()


def _add_documents(session: Session, folder: Path, prefix: str) -> Json:
    """Sends the corpus as bulk requests."""
    if not (folder.is_dir() and beir.has_documents(folder)):
        raise BadRequest(f"{folder} has no {beir.CORPUS} with documents")
    rows = beir.documents(folder, prefix)
    accepted, rejected = 0, list[Json]()
    while documents := list(islice(rows, SEGMENT)):
        lines = tuple(json.dumps(document).encode() for document in documents)
        refused = Segment(tuple(document["doc_id"] for document in documents), lines).send(session.client)
        accepted += len(documents) - len(refused)
        rejected += refused
    return {"accepted": accepted, "rejected": rejected}


def _sets(out: Terminal, reply: Json) -> None:
    columns = ("set", "questions", "development", "held out", "unanswerable", "proposed", "from")
    rows = [
        (each["name"], *(each[name.replace(" ", "_")] for name in columns[1:6]), "Groundwork" if each["packaged"] else "you")
        for each in reply["items"]
    ]
    out.table(columns, rows, right=columns[1:6])


def _imported(out: Terminal, reply: Json) -> None:
    out.line(f"{reply['name']}: {reply['added']:,} added, {reply['replaced']:,} replaced, {reply['removed']:,} removed.")
    for why, count in reply["left_out"].items():
        out.line(f"Left out: {count:,} {why}.")
    if "documents" in reply:
        out.line(f"Accepted {reply['documents']['accepted']:,} documents, rejected {len(reply['documents']['rejected']):,}.")
        for each in reply["documents"]["rejected"][:20]:
            out.line(f"  {each['doc_id']}: {each['reason']}")
    out.line(f"`groundwork golden check {reply['name']}` shows which can be measured on the live release.")


def _checked(out: Terminal, reply: Json) -> None:
    counts = f"{reply['fresh']:,} can be measured, {reply['unanswerable']:,} have no answer, {len(reply['stale']):,} are stale"
    out.line(f"{reply['name']}, release {reply['release']}: {reply['questions']:,} questions; {counts}.")
    for each in reply["stale"]:
        out.line()
        out.line(f"{each['id']}  {each['question']}", "bold")
        for reason in each["reasons"]:
            out.paragraph(reason, indent=4)
