"""How far the rebuild and the evaluations are that are under way: for those who look, lost with the file without harm."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from index.lease import Lease


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
        _say(self._path, asdict(told))

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


@dataclass(frozen=True, slots=True)
class EvaluationStep:
    """So many questions `done` `of` all are through `step` of an evaluation; `at` is when it was said.

    `attempt`: it was begun so many times.
    """

    evaluation: str
    release: int
    dataset: str
    started_at: str
    step: str = "begins"
    done: int = 0
    of: int = 0
    at: str = ""
    attempt: int = 1


class EvaluationProgress:
    """A file for each evaluation that is under way, locked by the process that makes it: the kernel frees the lock when that dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "evaluating"

    def begin(self, begun: EvaluationStep) -> Lease:
        """Says that it has begun; whoever makes it holds what this returns until its end."""
        lease = Lease(self._folder / f"{begun.evaluation}.lock")
        lease.try_acquire()
        self.write(begun)
        return lease

    def write(self, step: EvaluationStep) -> None:
        """Says it, in place of what was said before; where that fails nobody minds."""
        _say(self._file(step.evaluation), asdict(replace(step, at=datetime.now(UTC).isoformat())))

    def read(self, evaluation: str) -> EvaluationStep | None:
        """What was said last; None while it is not under way."""
        try:
            return EvaluationStep(**json.loads(self._file(evaluation).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def abandoned(self) -> list[EvaluationStep]:
        """Those whose process has ended before they did."""
        found = (self.read(file.stem) for file in sorted(self._folder.glob("*.json")))
        return [step for step in found if step and self._is_free(step.evaluation)]

    def clear(self, evaluation: str) -> None:
        """It has ended."""
        with suppress(OSError):
            self._file(evaluation).unlink(missing_ok=True)
            self._file(evaluation).with_suffix(".lock").unlink(missing_ok=True)

    def _file(self, evaluation: str) -> Path:
        return self._folder / f"{evaluation}.json"

    def _is_free(self, evaluation: str) -> bool:
        with Lease(self._folder / f"{evaluation}.lock") as lease:
            return lease.try_acquire()


def _say(path: Path, told: dict[str, Any]) -> None:
    with suppress(OSError):
        staged = path.with_suffix(".new")
        staged.write_text(json.dumps(told))
        staged.replace(path)
