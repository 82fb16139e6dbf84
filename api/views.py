"""What people see of searches, answers, documents and releases, and of the whole platform."""

from collections.abc import Sequence
from typing import Any

from api.client import Json
from api.terminal import Terminal, counted, shown

PASSAGE_CHARACTERS = 280


def added(terminal: Terminal, reply: Json) -> None:
    """What became of the files that were sent."""
    terminal.line(f"Accepted {counted(reply['accepted'], 'document')}.")
    _failures(terminal, "Rejected", reply["rejected"])
    if "documents" in reply:
        states: dict[str, int] = {}
        for document in reply["documents"]:
            states[document["state"]] = states.get(document["state"], 0) + 1
        terminal.line(f"Of these: {shown(states)}.")
        _failures(terminal, "Quarantined", [each for each in reply["documents"] if each["state"] == "quarantined"])
        if reply["waiting"]:
            terminal.line(f"Not indexed in time: {counted(reply['waiting'], 'document')}; `groundwork status DOC_ID` follows one.")


def hits(terminal: Terminal, reply: Json) -> None:
    """Search hits: title and heading, where it is from, and how the passage begins."""
    found = reply["hits"]
    took = reply.get("timings_ms", {}).get("total")
    terminal.line(f"{counted(len(found), 'hit')} in release {reply['release']}" + (f", {took:.0f} ms" if took is not None else ""))
    for reason in reply.get("degraded") or []:
        terminal.line(f"Degraded: {reason}", "yellow")
    for n, hit in enumerate(found, 1):
        title, heading = hit.get("title") or hit["doc_id"], hit.get("heading") or []
        terminal.line()
        # The first heading of many a document is its title.
        terminal.line(f"{n:>2}  {' › '.join(heading if heading[:1] == [title] else [title, *heading])}", "bold")
        terminal.line(f"    {hit['score']:.4f}  {hit['doc_id']}", "dim")
        if parts := hit.get("explain"):
            told = ", ".join(f"{name} {shown(value)}" for name, value in parts.items() if value is not None)
            terminal.line(f"    {told}", "dim")
        terminal.paragraph(_beginning(hit["text"]), indent=4)


def answer(terminal: Terminal, reply: Json) -> None:
    """An answer, its numbered citations, and what it was made from."""
    terminal.paragraph(reply["answer"])
    if reply["citations"]:
        terminal.line()
    for citation in reply["citations"]:
        terminal.line(f"[{citation['n']}] {citation['doc_id']}", "bold")
        terminal.paragraph(f"“{_beginning(citation['quote'])}”", indent=4)
    terminal.line()
    for reason in reply.get("degraded") or []:
        terminal.line(f"Degraded: {reason}", "yellow")
    grounded = "grounded in the sources" if reply["grounded"] else "not grounded: the sources do not hold the answer"
    terminal.line(f"{grounded}; release {reply['release']}, {reply['generator']}, answer {reply['id']}", "dim")


def platform(terminal: Terminal, reply: Json) -> None:
    """The state of the whole platform: health, the live release, what waits, documents by state."""
    ready, live = reply["ready"], reply["live"]
    parts: list[tuple[str, Any]] = [("ready", "yes" if reply["ok"] else _reason(ready))]
    if ready.get("progress"):
        parts.append(("sample", f"{ready['progress']['done']:,} of {ready['progress']['of']:,} documents"))
    if "release" in live:
        pin = " (pinned)" if live.get("pinned") else ""
        parts.append(("live", f"release {live['release']}{pin}, {live['status']}, {shown(live['created_at'])}"))
        parts += [("chunks", live["rows"]), ("generation", live["generation"])]
    else:
        parts.append(("live", _reason(live)))
    if "waiting" in ready:
        parts.append(("waiting", ready["waiting"]))
    if "counts" in reply["documents"]:
        parts.append(("documents", reply["documents"]["counts"]))
    if "goal_ms" in reply["capacity"]:
        parts.append(("capacity", _capacity(reply["capacity"])))
    terminal.facts(parts)


def releases(terminal: Terminal, reply: Json) -> None:
    """Releases, newest first."""
    columns = ("release", "created", "chunks", "generation", "status", "nDCG@10", "live")
    rows = [
        (
            str(each["release"]),
            each["created_at"],
            each["rows"],
            each["generation"],
            each["status"],
            next((score["value"] for score in each.get("scores") or [] if score["metric"] == "nDCG@10"), None),
            ("pinned" if each.get("pinned") else "live") if each["live"] else "",
        )
        for each in reply["items"]
    ]
    terminal.table(columns, [(*row[:-1], row[-1] or " ") for row in rows], right=("release", "chunks", "nDCG@10"))


def moved(terminal: Terminal, reply: Json) -> None:
    """Which release is served after a rollback or resume."""
    was = reply.get("was")
    terminal.line(f"Live is release {reply['live']}" + (f"; it was {was}." if was is not None else "."))
    if reply.get("held"):
        then = "`groundwork resume` serves it" if reply.get("pinned") else "it is being indexed"
        terminal.line(f"The newest revision of {counted(reply['held'], 'document')} is not served; {then}.")


def audit(terminal: Terminal, reply: Json) -> None:
    """Deeds, newest first."""
    columns = ("at", "by", "what", "was", "live", "reason")
    terminal.table(columns, [[each.get(name) for name in columns] for each in reply["items"]], right=("was", "live"))


def _capacity(told: Json) -> str:
    """When searches will be too slow, in a line."""
    if told.get("breaks_at_rows") is None:
        return str(told.get("reason"))
    day = f" on {told['breaks_on'][:10]}" if told.get("breaks_on") else ""
    return f"p95 {told['p95_ms']:.1f} ms; passes {told['goal_ms']:g} ms at about {told['breaks_at_rows']:,} rows{day}"


def _failures(terminal: Terminal, what: str, documents: Sequence[Json]) -> None:
    if documents:
        terminal.line(f"{what} {counted(len(documents), 'document')}:")
        terminal.table(("document", "reason"), [(each["doc_id"], each["reason"]) for each in documents])


def _beginning(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= PASSAGE_CHARACTERS else flat[:PASSAGE_CHARACTERS].rsplit(" ", 1)[0] + " …"


def _reason(problem: Json) -> str:
    return f"no: {problem.get('detail') or problem.get('title') or 'the server gave no reason'}"
