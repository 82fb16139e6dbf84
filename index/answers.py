"""Answer records: what each answer was made from. One immutable file an answer, in a folder for each day."""

import json
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from index.errors import NotFound

_ID = re.compile(r"(\d{4})(\d{2})(\d{2})[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Passage:
    """One that the generator saw; `digest` is the SHA-256 of its text, in hexadecimal."""

    chunk_id: str
    doc_id: str
    digest: str
    score: float


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """An answer and what made it.

    Attributes:
        key: the id of the key that asked.
        always: the filter of that key, applied beside `filter`.
        search: the settings that the release was searched with.
        prompt: what a language model was sent; None where none was asked.
        usage: the tokens of that model, as its endpoint counts them: prompt_tokens, completion_tokens.
    """

    id: str
    at: str
    key: str
    question: str
    k: int
    filter: dict[str, Any]
    always: dict[str, Any]
    release: int
    generation: str
    embedder: str
    search: dict[str, Any]
    generator: str
    prompt: str | None
    answer: str
    grounded: bool
    citations: Sequence[dict[str, Any]]
    degraded: Sequence[str]
    passages: Sequence[Passage] = field(default_factory=tuple)
    usage: dict[str, int] | None = None


def new_id(now: datetime) -> str:
    """One that nobody can guess, and that tells the day."""
    return f"{now.astimezone(UTC):%Y%m%d}{uuid.uuid4().hex}"


class Answers:
    """The records, by id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, record: AnswerRecord) -> None:
        """Keeps a record."""
        path = self._path(record.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(".new")
        staged.write_text(json.dumps(asdict(record), ensure_ascii=False), encoding="utf-8")
        staged.replace(path)

    def get(self, identifier: str) -> AnswerRecord:
        """One record; raises `NotFound`."""
        with suppress(FileNotFoundError):
            return _record(self._path(identifier).read_text(encoding="utf-8"))
        raise NotFound(f"there is no answer {identifier!r}, or its record is not kept any more")

    def drop_older(self, age: timedelta, today: date) -> int:
        """Removes the records of days longer ago; returns how many days."""
        old = [day for day in self._days() if today - date.fromisoformat(day.name) > age]
        for day in old:
            shutil.rmtree(day, ignore_errors=True)
        return len(old)

    def drop_of(self, doc_ids: Sequence[str]) -> int:
        """Removes each record that was made from one of these documents; returns how many. Reads all of them."""
        wanted, dropped = set(doc_ids), 0
        for path in [path for day in self._days() for path in day.glob("*.json")]:
            with suppress(FileNotFoundError):
                if wanted & {passage.doc_id for passage in _record(path.read_text(encoding="utf-8")).passages}:
                    path.unlink(missing_ok=True)
                    dropped += 1
        return dropped

    def _days(self) -> Iterator[Path]:
        return (path for path in self._folder.glob("????-??-??") if path.is_dir())

    def _path(self, identifier: str) -> Path:
        """The file of a record; `NotFound` for what is no id, so that nothing of it becomes part of a path."""
        if not (found := _ID.fullmatch(identifier)):
            raise NotFound(f"there is no answer {identifier[:80]!r}")
        return self._folder / "-".join(found.groups()) / f"{identifier}.json"


def _record(text: str) -> AnswerRecord:
    found = json.loads(text)
    return AnswerRecord(**(found | {"passages": tuple(Passage(**each) for each in found["passages"])}))
