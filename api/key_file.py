"""The file of keys: private, replaced in one step, changed by one process at a time."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import Any

from index.errors import Unavailable

# A file may be replaced twice within one tick of the file system's clock: one so young is read again each time.
YOUNG_S = 1.0
Stamp = tuple[int, int, int]


class KeyFile:
    """Rows of keys as JSON. `changed` is what to ask before each look, `write` is for a holder of `alone`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: Stamp | None = None
        self._was_young = True

    def changed(self) -> bool:
        """Whether it may hold something else than when it was read last."""
        return self._was_young or self._stamp() != self._seen

    def read(self) -> list[dict[str, Any]]:
        """The rows; none when there is no file. Raises `Unavailable` when it can't be read: nobody is let in then."""
        # The stamp first: what replaces the file in between is found by the next look.
        stamp = self._stamp()
        self._was_young = stamp is not None and time() - stamp[0] / 1e9 < YOUNG_S
        self._seen = stamp
        if stamp is None:
            self._was_young = True
            return []
        try:
            rows = json.loads(self.path.read_text("utf-8"))
            return [row for row in rows if row["digest"]]
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._was_young = True
            raise Unavailable(
                f"the file of keys can't be read ({type(error).__name__}): put {self.path.name} back from a copy", 30
            ) from error

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Replaces the rows in one step."""
        write_private(self.path, json.dumps(rows, default=lambda value: value.isoformat(), indent=1))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While it is held no other process changes the file, so that no key is lost."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _stamp(self) -> Stamp | None:
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return None
        return facts.st_mtime_ns, facts.st_ino, facts.st_size


def write_private(path: Path, text: str) -> None:
    """Replaces a file in one step; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(f".{secrets.token_hex(6)}.new")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
