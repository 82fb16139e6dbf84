"""The terminal: lines, tables and values for people, progress on long work.

Replies go to standard output, progress and notes to standard error. Without a terminal there is no
colour, box or moving bar, and lines are laid out for 80 columns.
"""

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from api.client import Json

NOTHING = "—"
NUMBERS = ("release", "revision", "version", "live", "was")  # they name something: no separators


class Output(Console):
    """A console that leaves it to `api.cli` what comes of a reader that has gone."""

    def on_broken_pipe(self) -> None:
        """Raises what happened; its parent would end the process here."""
        raise BrokenPipeError


class Terminal:
    """Prints to standard output and standard error as they are when it is made."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a file name or a terminal need not be UTF-8
        self._out = Output(file=sys.stdout, highlight=False, markup=False, emoji=False)
        self._err = Output(file=sys.stderr, highlight=False, markup=False, emoji=False)

    def flush(self) -> None:
        """Writes what is still to be written; raises `BrokenPipeError` when nobody reads it any more."""
        for stream in _streams():
            stream.flush()

    def close(self) -> None:
        """Says nothing from now on: what is still to be written would fail at the end of the process."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in _streams():
            os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

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


def _streams() -> list[TextIO]:
    """Those that there are: a process may be started without."""
    return [stream for stream in (sys.stdout, sys.stderr) if stream is not None]


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


def counted(number: int, noun: str) -> str:
    """So many of something."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def interval(score: Json) -> str | None:
    """The 95 % interval of a score; None where it has none."""
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
