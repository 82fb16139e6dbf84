"""How far the rebuild is that is under way: for those who look, lost with the file without harm."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Progress:
    """So many documents `done` `of` all, with so many texts `embedded` since the ingester started; `at` is when it was said."""

    rebuild: int
    phase: str
    done: int
    of: int
    embedded: int
    at: str


class RebuildProgress:
    """The file of it, written by the ingester."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rebuild.json"

    def write(self, rebuild: int, phase: str, done: int, of: int, embedded: int) -> None:
        """Says it, in place of what was said before; where that fails nobody minds."""
        told = Progress(rebuild, phase, done, of, embedded, datetime.now(UTC).isoformat())
        with suppress(OSError):
            staged = self._path.with_suffix(".new")
            staged.write_text(json.dumps(asdict(told)))
            staged.replace(self._path)

    def read(self) -> Progress | None:
        """What was said last; None while there is no rebuild."""
        try:
            return Progress(**json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def clear(self) -> None:
        """It has ended."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
