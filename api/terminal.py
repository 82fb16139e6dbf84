"""What people see in the terminal: replies of the API as lines and tables, progress on long work.

Replies go to standard output, progress and notes to standard error. Without a terminal there is no
colour, box or moving bar, and lines are laid out for 80 columns.
"""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from api.client import Json

PASSAGE_CHARACTERS = 280
NOTHING = "—"
NUMBERS = ("release", "revision", "version", "live", "was")  # they name something: no separators


class Terminal:
    """Prints to standard output and standard error as they are when it is made."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a file name or a terminal need not be UTF-8
        self._out = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        self._err = Console(file=sys.stderr, highlight=False, markup=False, emoji=False)

    def json(self, reply: Json) -> None:
        """The reply as it came: one line, or indented for people."""
        print(json.dumps(reply, ensure_ascii=False, indent=2 if self._out.is_terminal else None), file=self._out.file)

    def line(self, text: str = "", style: str = "") -> None:
        """One line, however long, without wrapping: it may be copied."""
        self._out.print(Text(printable(text), style), soft_wrap=True)

    def paragraph(self, text: str, indent: int = 0, style: str = "") -> None:
        """Text wrapped at the width of the terminal."""
        self._out.print(Padding(Text(printable(text), style), (0, 0, 0, indent), expand=False))

    def note(self, text: str) -> None:
        """One line on standard error."""
        self._err.print(Text(printable(text)), soft_wrap=True)

    def facts(self, pairs: Iterable[tuple[str, Any]]) -> None:
        """Names and values in two columns."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            grid.add_row(name, Text(printable(shown(value))))
        self._out.print(grid)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Sequence[str] = ()) -> None:
        """A table whose values wrap rather than disappear; the columns in `right` hold figures."""
        table = Table(box=box.SIMPLE_HEAD if self._out.is_terminal else None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(shown(value))) for value in row))
        self._out.print(table)

    @contextmanager
    def progress(self, doing: str, total: int | None) -> Iterator[Callable[..., None]]:
        """A bar while the block runs; call what it yields with the number done in all, and of how many where that changes.

        No total: it only moves.
        """
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        shown_columns = columns if total is not None else (columns[0], columns[1], columns[3])
        with Progress(*shown_columns, console=self._err, transient=True, disable=not self._err.is_terminal) as bar:
            task = bar.add_task(doing, total=total)
            yield lambda done, of=total: bar.update(task, completed=done, total=of)


def printable(text: str) -> str:
    """The text without control characters: a document must not steer the terminal that shows it."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else "\N{REPLACEMENT CHARACTER}" for c in text)


def shown(value: Any) -> str:
    """One value for people: times to the second, figures with separators, long lists by their length and first items."""
    match value:
        case None | "":
            text = NOTHING
        case bool():
            text = "yes" if value else "no"
        case int():
            text = f"{value:,}"
        case float():
            text = f"{value:,.3f}"
        case list():
            text = _list(value)
        case dict():
            text = "; ".join(f"{name} {shown(each)}" for name, each in value.items() if each != []) or NOTHING
        case _:
            text = _time(str(value))
    return text


def facts(terminal: Terminal, reply: Json) -> None:
    """Any flat reply: its fields, one a line."""
    terminal.facts((name.replace("_", " "), str(value) if name in NUMBERS else value) for name, value in reply.items())


def added(terminal: Terminal, reply: Json) -> None:
    """What became of the files that were sent."""
    terminal.line(f"Accepted {_count(reply['accepted'], 'document')}.")
    _failures(terminal, "Rejected", reply["rejected"])
    if "documents" in reply:
        states: dict[str, int] = {}
        for document in reply["documents"]:
            states[document["state"]] = states.get(document["state"], 0) + 1
        terminal.line(f"Of these: {shown(states)}.")
        _failures(terminal, "Quarantined", [each for each in reply["documents"] if each["state"] == "quarantined"])
        if reply["waiting"]:
            terminal.line(f"Not indexed in time: {_count(reply['waiting'], 'document')}; `groundwork status DOC_ID` follows one.")


def hits(terminal: Terminal, reply: Json) -> None:
    """Search hits: title and heading, where it is from, and how the passage begins."""
    found = reply["hits"]
    took = reply.get("timings_ms", {}).get("total")
    terminal.line(f"{_count(len(found), 'hit')} in release {reply['release']}" + (f", {took:.0f} ms" if took is not None else ""))
    for reason in reply.get("degraded") or []:
        terminal.line(f"Degraded: {reason}", "yellow")
    for n, hit in enumerate(found, 1):
        heading = hit.get("heading")
        where = " › ".join(heading) if isinstance(heading, list) else heading
        title = hit.get("title") or hit["doc_id"]
        terminal.line()
        terminal.line(f"{n:>2}  {title}" + (f" › {where}" if where and where != title else ""), "bold")
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


def _capacity(told: Json) -> str:
    """When searches will be too slow, in a line."""
    if told.get("breaks_at_rows") is None:
        return str(told.get("reason"))
    day = f" on {told['breaks_on'][:10]}" if told.get("breaks_on") else ""
    return f"p95 {told['p95_ms']:.1f} ms; passes {told['goal_ms']:g} ms at about {told['breaks_at_rows']:,} rows{day}"


def quarantined(terminal: Terminal, reply: Json) -> None:
    """The documents in quarantine and why."""
    if not reply["items"]:
        terminal.line("No document is in quarantine.")
        return
    terminal.table(("document", "reason", "accepted"), [(each["doc_id"], each["reason"], each["accepted_at"]) for each in reply["items"]])
    if reply.get("next"):
        terminal.line("There are more: use --limit.")


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
        terminal.line(f"The newest revision of {_count(reply['held'], 'document')} is not served; `groundwork resume` serves it.")


def started(terminal: Terminal, reply: Json) -> None:
    """An evaluation that goes on elsewhere."""
    terminal.line(f"Started evaluation {reply['id']}" + (f": {reply['url']}" if reply.get("url") else ""))


def started_exam(terminal: Terminal, reply: Json) -> None:
    """An exam of the judge that goes on elsewhere."""
    terminal.line(f"Started exam {reply['id']}" + (f": {reply['url']}" if reply.get("url") else ""))


def judge(terminal: Terminal, reply: Json) -> None:
    """Which LLM judges answers, whether its scores count, and what its last exam came to."""
    facts = {"judge": reply["model"], "at": reply["endpoint"], "state": reply["state"], "because": "; ".join(reply["reasons"])}
    facts |= {"examined": reply.get("examined_at"), "changed": reply.get("changed")}
    terminal.facts((name, value) for name, value in facts.items() if value)
    if told := reply.get("exam"):
        rows = [(name, told[name]["value"], _interval(told[name]), told[name]["of"]) for name in ("accuracy", "kappa", "repeatability")]
        rows += [("position bias", told["position"]["bias"], None, told["position"]["of"])]
        rows += [("coverage", told["coverage"], None, told["asked"])]
        terminal.table(("figure", "value", "95 % interval", "of"), rows, right=("value", "95 % interval", "of"))


def evaluation(terminal: Terminal, reply: Json) -> None:
    """The scores of one evaluation with their 95 % intervals."""
    terminal.line(f"Evaluation {reply['id']} of release {reply['release']}: {reply['state']}")
    if reply.get("reason"):
        terminal.line(reply["reason"])
    scores = reply.get("scores") or []
    rows = [(each["metric"], each["value"], _interval(each), f"{each['measured']}/{each['of']}") for each in scores]
    if rows:
        terminal.table(("metric", "value", "95 % interval", "questions"), rows, right=("value", "95 % interval", "questions"))
    notes: dict[str, list[str]] = {}
    for each in scores:
        if each.get("note"):
            notes.setdefault(each["note"], []).append(each["metric"])
    for note, metrics in notes.items():
        terminal.line(f"{', '.join(metrics)}: shown, but nothing rests on it ({note}).")
    if few := [each["metric"] for each in scores if not each.get("covered", True)]:
        terminal.line(f"Too few questions were measured for a verdict: {', '.join(few)}.")


def rebuild(terminal: Terminal, reply: Json) -> None:
    """What became of a rebuild, and what the gate said."""
    pairs = [(name.replace("_", " "), value) for name, value in reply.items() if name not in ("gate", "recipe") and value is not None]
    terminal.facts(
        [("recipe", _recipe(reply["recipe"])), *((name, str(value) if name in (*NUMBERS, "id") else value) for name, value in pairs)]
    )
    findings = (reply.get("gate") or {}).get("findings", ())
    if findings:
        terminal.table(("check", "held", "found"), [(each["name"], each["ok"], each["detail"]) for each in findings])


def rebuilds(terminal: Terminal, reply: Json) -> None:
    """Rebuilds, newest first."""
    columns = ("id", "state", "asked_at", "by", "recipe", "release", "outcome")
    rows = [[_recipe(each["recipe"]) if name == "recipe" else each.get(name) for name in columns] for each in reply["items"]]
    terminal.table(columns, rows, right=("id", "release"))


def audit(terminal: Terminal, reply: Json) -> None:
    """Deeds, newest first."""
    columns = ("at", "by", "what", "was", "live", "reason")
    terminal.table(columns, [[each.get(name) for name in columns] for each in reply["items"]], right=("was", "live"))


def _recipe(recipe: Json) -> str:
    dimensions = f", {recipe['dimensions']} dimensions" if recipe["dimensions"] else ""
    return f"{recipe['embedder'] or 'bundled model'}{dimensions}, {recipe['chunk_tokens']} tokens, {recipe['vector_bits']} bits"


def keys(terminal: Terminal, reply: Json) -> None:
    """The keys by id, never their secrets."""
    columns = ("id", "role", "name", "created_at", "expires_at", "per_minute", "filter")
    terminal.table(
        [column.removesuffix("_at") for column in columns], [[each.get(column) for column in columns] for each in reply["items"]]
    )


def new_key(terminal: Terminal, reply: Json) -> None:
    """A key just made or rotated, on a line of its own to be copied: nothing shows it again."""
    terminal.line(reply["key"])
    terminal.facts((name.replace("_", " "), value) for name, value in reply.items() if name != "key")
    terminal.line("Keep the key: it is not shown again.")


def _failures(terminal: Terminal, what: str, documents: Sequence[Json]) -> None:
    if documents:
        terminal.line(f"{what} {_count(len(documents), 'document')}:")
        terminal.table(("document", "reason"), [(each["doc_id"], each["reason"]) for each in documents])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _beginning(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= PASSAGE_CHARACTERS else flat[:PASSAGE_CHARACTERS].rsplit(" ", 1)[0] + " …"


def _reason(problem: Json) -> str:
    return f"no: {problem.get('detail') or problem.get('title') or 'the server gave no reason'}"


def _interval(score: Json) -> str | None:
    return None if score["low"] is None or score["high"] is None else f"{score['low']:.3f}–{score['high']:.3f}"


def _list(values: Sequence[Any]) -> str:
    first = ", ".join(shown(value) for value in values[:5]) or NOTHING
    return first if len(values) <= 5 else f"{len(values):,}: {first}, …"


def _time(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        moment = None
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if moment and moment.tzinfo else text
