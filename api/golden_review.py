"""Deciding about proposed golden questions: one by one on a terminal, or named in options."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from api.client import Json, Refused, document_path
from api.session import PAGE, Session
from api.terminal import Terminal
from index.errors import BadRequest

KEYS = "[a]ccept 1 3, or a DOC_ID:QUOTE · [u]nanswerable · [e]dit the question · [r]eject · [s]kip · [q]uit"
SHOWN = 400


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided: accept, accept_unanswerable or reject; without passages those that were suggested."""

    kind: str
    passages: list[Json] | None = None
    question: str | None = None
    reference: str | None = None

    def body(self) -> Json:
        """As the API takes it."""
        given = {"passages": self.passages, "question": self.question, "reference": self.reference}
        return {"decision": self.kind} | {name: value for name, value in given.items() if value is not None}


def proposals(session: Session, name: str) -> list[Json]:
    """What waits in a golden set."""
    found: list[Json] = []
    cursor: str | None = None
    while True:
        page = session.client.get(f"/v1/golden/{name}/proposals", limit=PAGE, cursor=cursor)
        found += page["items"]
        if (cursor := page["next"]) is None:
            return found


def decide(session: Session, name: str, identifier: str, decision: Decision) -> None:
    """Tells the server; raises what it refuses."""
    session.client.post(f"/v1/golden/{name}/proposals/{quote(identifier, safe='')}", decision.body())


def is_possible() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def walk(session: Session, name: str, waiting: Sequence[Json], ask: Callable[[str], str]) -> Json:
    """Goes through proposals; `ask` gives what was typed. Each decision is kept at once, so that one may quit at any time."""
    counts = dict.fromkeys(("accept", "accept_unanswerable", "reject", "skip"), 0)
    for number, proposal in enumerate(waiting, 1):
        session.terminal.line()
        session.terminal.line(f"{number} of {len(waiting)}", "dim")
        shown(session.terminal, proposal)
        kind = _decided(session, name, proposal, ask)
        if kind == "quit":
            break
        counts[kind] += 1
    return counts


def passage_typed(session: Session, typed: str, proposal: Json | None) -> Json:
    """What `DOC_ID:QUOTE` names, or a number among the passages of the proposal; raises `BadRequest`.

    Ids may hold colons: the longest beginning that is a document counts.
    """
    listed = _numbered(proposal) if proposal else []
    if typed.isdecimal():
        if 1 <= int(typed) <= len(listed):
            return listed[int(typed) - 1]
        raise BadRequest(f"there is no passage {typed}; there are {len(listed)}")
    ends = [place for place, character in enumerate(typed) if character == ":"][:20]
    known = {each["doc_id"] for each in listed}
    for end in reversed(ends):
        if typed[:end] in known or _exists(session, typed[:end]):
            return {"doc_id": typed[:end], "quote": typed[end + 1 :].strip()}
    raise BadRequest(f"{typed[:80]!r} begins with no document's id and a colon: write DOC_ID:QUOTE, or DOC_ID: for all of it")


def shown(out: Terminal, proposal: Json) -> None:
    """One proposal: the question, why it was proposed, and passages to choose from."""
    out.line(proposal["question"], "bold")
    out.line(f"{proposal['id']}, {proposal['note'] or proposal['origin']}", "dim")
    suggested = len(proposal["passages"])
    for number, passage in enumerate(_numbered(proposal), 1):
        out.line(f"{number:>3}  {passage['doc_id']}{'  (suggested)' if number <= suggested else ''}")
        text = " ".join(passage["quote"].split()) or "(all of it)"
        out.paragraph(text if len(text) <= SHOWN else text[:SHOWN] + "…", indent=5)
    if not _numbered(proposal):
        out.line("     nothing was found for it")


def listed(out: Terminal, reply: Json) -> None:
    """All proposals."""
    for proposal in reply["items"]:
        shown(out, proposal)
        out.line()
    out.line(f"{len(reply['items']):,} proposals wait.")


def told(out: Terminal, reply: Json) -> None:
    """What came of going through them."""
    accepted = reply["accept"] + reply["accept_unanswerable"]
    counts = f"{reply['accept_unanswerable']:,} of them unanswerable; rejected {reply['reject']:,}; skipped {reply['skip']:,}"
    out.line(f"Accepted {accepted:,}, {counts}.")


def _decided(session: Session, name: str, proposal: Json, ask: Callable[[str], str]) -> str:
    """Asks until there is a decision that the server takes; returns its kind, `skip` or `quit`."""
    wording: str | None = None
    while True:
        try:
            typed = ask(f"{KEYS}\n> ").strip()
        except EOFError:
            return "quit"
        key, rest = typed[:1].lower(), typed[1:].strip()
        if key in ("s", "q"):
            return "skip" if key == "s" else "quit"
        if key == "e":
            wording = rest or ask("question: ").strip() or wording
            session.terminal.line(wording or proposal["question"], "bold")
            continue
        try:
            if decision := _decision(session, key, rest, proposal, wording):
                decide(session, name, proposal["id"], decision)
                return decision.kind
        except (BadRequest, Refused) as error:
            session.terminal.line(str(error), "yellow")


def _decision(session: Session, key: str, rest: str, proposal: Json, wording: str | None) -> Decision | None:
    """What a key and what follows it mean; None for no key of ours."""
    if key == "a":
        typed = rest.split() if rest.replace(" ", "").isdecimal() else [rest] if rest else []
        return Decision("accept", [passage_typed(session, each, proposal) for each in typed] or None, wording)
    return {"u": Decision("accept_unanswerable", None, wording), "r": Decision("reject")}.get(key)


def _numbered(proposal: Json) -> list[Json]:
    """The passages to choose from: suggested ones, then those that were found."""
    found: list[Any] = [*proposal["passages"], *proposal["found"]]
    return list({(each["doc_id"], each["quote"]): each for each in found}.values())


def _exists(session: Session, doc_id: str) -> bool:
    if not doc_id.strip("/"):
        return False
    try:
        session.client.get(document_path(doc_id))
    except Refused as refused:
        if refused.status in (400, 404):
            return False
        raise
    return True
