"""What people see of a run: a line per event, and a progress bar on a terminal."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
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
    """Writes to standard output, or to the console given, from a thread of its own.

    A terminal that has stopped reading (Ctrl-S, a pager) blocks whoever writes to it; that must not be the
    one who restarts and stops the parts.
    """

    def __init__(self, console: Console | None = None) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal without ✓ gets ?, not an error
        self._console = console or _Quiet(highlight=False, emoji=False)
        self._bar: Progress | None = None
        self._told = -1
        self._writes: SimpleQueue[Callable[[], object]] = SimpleQueue()
        Thread(target=self._write, name="screen", daemon=True).start()

    def flush(self, patience_s: float = 1.0) -> bool:
        """Waits until everything is written; False when nobody reads it."""
        written = Event()
        self._writes.put(written.set)
        return written.wait(patience_s)

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
        self._say(f"[bold red]{part.name} can't be kept running ({how}), so everything stops.[/] The end of its log:")
        for line in last_lines:
            self._say(Text(f"  {line}", style="dim"))

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
        if self._console.is_terminal:
            self._writes.put(partial(self._move_bar, done, of))
        else:
            self._tell_tenths(done, of)

    def indexed(self) -> None:
        """The bar goes."""
        self._writes.put(self._end_bar)

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
        self._say(Text(command))

    def answer(self, reply: dict[str, Any]) -> None:
        """A reply to `POST /v1/answers`: the text and the documents it cites."""
        self._say("\nand it answers:\n")
        width = min(_WIDEST, self._console.width)
        self._say(Padding(Text(str(reply["answer"])), (0, 0, 0, 2)), width)
        cited: dict[str, str] = {}
        for citation in reply.get("citations", ()):
            cited[citation["doc_id"]] = f"{cited.get(citation['doc_id'], '')}[{citation['n']}]"
        for doc_id, numbers in cited.items():
            self._say(Text(f"  {numbers} {doc_id}", style="dim"))

    def close(self) -> None:
        """How to end it."""
        self._say("\n[dim]Ctrl-C stops everything[/]")

    def _tell_tenths(self, done: int, of: int) -> None:
        tenth = 10 * done // max(1, of)
        if tenth > self._told:
            self._told = tenth
            self._say(f"  indexing the sample: {done} of {of} ({10 * tenth} %)")

    def _say(self, line: str | Text | Padding, width: int | None = None) -> None:
        """Lines are left to the terminal to wrap, so that they can be copied, unless there is a width."""
        self._writes.put(partial(self._console.print, line, soft_wrap=width is None, width=width))

    def _write(self) -> None:
        while True:
            write = self._writes.get()
            with suppress(OSError):  # the terminal is gone
                write()

    def _move_bar(self, done: int, of: int) -> None:
        if self._bar is None:
            columns = (TextColumn("  indexing the sample"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task("", total=of)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=of)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _plain(text: str) -> str:
    """Text with nothing in it that would be taken for markup."""
    return text.replace("[", r"\[")
