"""What people see of a run: a line per event, and a progress bar on a terminal."""

import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from deployments.parts import Part

_WIDEST = 100  # columns of running text


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where people find things: URLs, and the file with the key."""

    api: str
    prefect: str
    key_file: str
    logs: str


class _Quiet(Console):
    """A console that goes quiet when nobody reads it any more: that must not take the platform down."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # What is still buffered would fail when Python exits.
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


class Screen:
    """Writes to standard output, or to the console given."""

    def __init__(self, console: Console | None = None) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal without ✓ gets ?, not an error
        self._console = console or _Quiet(highlight=False, emoji=False)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._told = -1

    def starting(self, home: str) -> None:
        """The first line."""
        self._say(f"[bold]Groundwork[/] starts, everything it writes is under [cyan]{_plain(home)}[/]")

    def up(self, part: Part, seconds: float, *, again: bool) -> None:
        """One line per part as it comes up."""
        name, where = f"{part.name:<9}", f"{_plain(part.where):<26}"
        self._say(f"  [green]✓[/] [bold]{name}[/]{part.what:<31} [cyan]{where}[/] {seconds:5.1f} s{', again' if again else ''}")

    def died(self, part: Part, how: str, wait_s: float) -> None:
        """One line when a part is going to be restarted."""
        self._say(f"  [yellow]![/] [bold]{part.name:<9}[/]{how}, starts again in {wait_s:g} s")

    def gave_up(self, part: Part, how: str, last_lines: Sequence[str]) -> None:
        """Why everything stops."""
        self.indexed()
        self._say(f"[bold red]{part.name} keeps dying ({how}), so everything stops.[/] The end of its log:")
        for line in last_lines:
            self._console.print(Text(f"  {line}", style="dim"), soft_wrap=True)

    def stopping(self) -> None:
        """All parts have been asked to stop."""
        self.indexed()
        self._say("Stopping ...")

    def stopped(self, seconds: float, left: Sequence[int]) -> None:
        """The last line."""
        rest = f"; these processes would not go: {', '.join(map(str, left))}" if left else ""
        self._say(f"Stopped in {seconds:.1f} s{rest}")

    def indexing(self, done: int, of: int) -> None:
        """How much of the sample is in the index: a bar on a terminal, else a line every 10 %."""
        if not self._console.is_terminal:
            self._tell_tenths(done, of)
            return
        if self._bar is None:
            self._bar = _bar(self._console)
            self._task = self._bar.add_task("indexing the sample", total=of)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=of)

    def indexed(self) -> None:
        """The bar goes."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def ready(self, addresses: Addresses, missing: Sequence[Part]) -> None:
        """That it can be used, and where."""
        self.indexed()
        self._say("\n[bold green]Groundwork is ready[/]")
        for name, where in (("API", addresses.api), ("API pages", f"{addresses.api}/schema"), ("Prefect UI", addresses.prefect)):
            self._say(f"  {name:<11}[cyan]{_plain(where)}[/]")
        self._say(f"  {'admin key':<11}[cyan]{_plain(addresses.key_file)}[/]")
        self._say(f"  {'logs':<11}[cyan]{_plain(addresses.logs)}[/]")
        for part in missing:
            self._say(f"  [yellow]![/] {part.name} is not up yet: {part.what}; see {_plain(part.where)}")

    def example(self, title: str, command: str) -> None:
        """A command to paste: never wrapped."""
        self._say(f"\n{title}\n")
        self._console.print(Text(command), soft_wrap=True)

    def answer(self, reply: dict[str, Any]) -> None:
        """A reply to `POST /v1/answers`: the text and the documents it cites."""
        self._say("\nand it answers:\n")
        width = min(_WIDEST, self._console.width)
        self._console.print(Padding(Text(str(reply["answer"])), (0, 0, 0, 2)), width=width)
        cited: dict[str, str] = {}
        for citation in reply.get("citations", ()):
            cited[citation["doc_id"]] = f"{cited.get(citation['doc_id'], '')}[{citation['n']}]"
        for doc_id, numbers in cited.items():
            self._console.print(Text(f"  {numbers} {doc_id}", style="dim"), soft_wrap=True)

    def close(self) -> None:
        """How to end it."""
        self._say("\n[dim]Ctrl-C stops everything[/]")

    def _tell_tenths(self, done: int, of: int) -> None:
        tenth = 10 * done // max(1, of)
        if tenth > self._told:
            self._told = tenth
            self._say(f"  indexing the sample: {done} of {of} ({10 * tenth} %)")

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)


def _plain(text: str) -> str:
    """Text with nothing in it that would be taken for markup."""
    return text.replace("[", r"\[")


def _bar(console: Console) -> Progress:
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
