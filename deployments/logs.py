"""The parts' log files: appended to, and put aside when they have grown large."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LARGE = 10 * 1024 * 1024  # bytes
_KEPT = 3
_TAIL = 64 * 1024  # bytes


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor to append to, for as long as a child needs to inherit it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _rotate(path)
    with path.open("ab") as log:
        yield log.fileno()


def keep_small(path: Path) -> None:
    """Puts aside what a part that goes on has written, when it is large; a line that comes at that moment may be lost.

    The part has the file open and only appends: what it has open is emptied, and a copy is kept.
    """
    if not _is_large(path):
        return
    _make_room(path)
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def last_lines(path: Path, lines: int = 15) -> list[str]:
    """The end of a log; nothing when there is none."""
    if not path.is_file():
        return []
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL))
        return log.read().decode(errors="replace").splitlines()[-lines:]


def _rotate(path: Path) -> None:
    """`x.log` becomes `x.log.1` when it is large, and so on; the oldest goes."""
    if _is_large(path):
        _make_room(path)
        path.replace(path.with_name(f"{path.name}.1"))


def _is_large(path: Path) -> bool:
    return path.is_file() and path.stat().st_size >= _LARGE


def _make_room(path: Path) -> None:
    """For a new `x.log.1`."""
    for number in range(_KEPT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.is_file():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
