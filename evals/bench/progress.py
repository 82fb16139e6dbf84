"""Progress bars on a terminal; nothing elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Call what this gives with how many are done."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.update(task, completed=done)


def steps(what: str, items: Sequence[T]) -> Iterator[T]:
    """The items one after the other, with a bar."""
    with bar(what, len(items)) as show:
        for done, item in enumerate(items):
            show(done)
            yield item
