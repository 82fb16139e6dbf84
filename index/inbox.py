"""The inbox: accepted writes wait here, durably, until a release contains them.

One immutable Arrow file per accepted write or bulk segment, named by its first revision, so that
names sort in the order of acceptance. A file appears by `rename` after its bytes are synced.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

import pyarrow as pa

from index import schema
from index.documents import Draft, Write, content_hash

SUFFIX = ".arrow"


@dataclass(frozen=True, slots=True)
class Segment:
    """One inbox object: its file name, the number of writes in it and its size in bytes."""

    name: str
    writes: int
    size: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A write that is not in a release yet, without its content."""

    doc_id: str
    revision: int
    action: str
    source: str
    content_hash: str
    accepted_at: datetime


class Inbox:
    """Accepts, lists, reads and acknowledges writes under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._staging = folder / "staging"
        self._staging.mkdir(parents=True, exist_ok=True)
        self._seen: dict[str, tuple[Waiting, ...]] = {}

    def accept(self, drafts: Sequence[Draft]) -> list[Write]:
        """Makes the drafts durable as one segment (on disk and synced when this returns)."""
        if not drafts:
            return []
        now = datetime.now(UTC)
        first = self._reserve(len(drafts), now)
        writes = [Write(draft, first + i, now) for i, draft in enumerate(drafts)]
        name = f"{first:017d}-{len(writes)}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        staged = self._staging / name
        with staged.open("wb") as file:
            with pa.ipc.new_file(file, schema.WRITES) as writer:
                writer.write_table(_to_arrow(writes))
            file.flush()
            os.fsync(file.fileno())
        staged.rename(self._folder / name)
        _sync_folder(self._folder)
        return writes

    def segments(self) -> list[Segment]:
        """What waits, oldest first."""
        found = []
        with os.scandir(self._folder) as listing:
            for item in listing:
                if item.name.endswith(SUFFIX):
                    try:
                        size = item.stat().st_size
                    except FileNotFoundError:  # acknowledged between listing and stat
                        continue
                    found.append(Segment(item.name, int(item.name.split("-")[1]), size))
        return sorted(found, key=lambda segment: segment.name)

    def is_empty(self) -> bool:
        """Whether nothing waits; cheaper than `segments`."""
        with os.scandir(self._folder) as listing:
            return not any(item.name.endswith(SUFFIX) for item in listing)

    def read(self, name: str) -> list[Write]:
        """The writes of one segment; `FileNotFoundError` when it was acknowledged meanwhile."""
        with pa.OSFile(str(self._folder / name)) as file:
            return _from_arrow(pa.ipc.open_file(file).read_all())

    def acknowledge(self, names: Iterable[str]) -> None:
        """Forgets segments whose writes are all contained in a release."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
        _sync_folder(self._folder)

    def pending(self) -> dict[str, Waiting]:
        """The newest waiting write by doc_id. Segments that were seen before are not read again."""
        names = [segment.name for segment in self.segments()]
        before = self._seen
        seen = self._seen = {name: before.get(name) or self._index(name) for name in names}
        return {waiting.doc_id: waiting for name in names for waiting in seen[name]}

    def _index(self, name: str) -> tuple[Waiting, ...]:
        try:
            writes = self.read(name)
        except FileNotFoundError:  # acknowledged since it was listed
            return ()
        return tuple(
            Waiting(
                write.doc_id, write.revision, write.draft.action, write.draft.source, content_hash(write.draft.content), write.accepted_at
            )
            for write in writes
        )

    def _reserve(self, count: int, now: datetime) -> int:
        """The first of `count` revisions that no process has had before, whatever the clock does."""
        with (self._folder / "clock").open("a+") as clock:
            fcntl.flock(clock, fcntl.LOCK_EX)
            clock.seek(0)
            last = int(clock.read() or 0)
            first = max(last + 1, int(now.timestamp() * 1e6))
            clock.truncate(0)
            clock.write(str(first + count - 1))
        return first


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _to_arrow(writes: Sequence[Write]) -> pa.Table:
    rows = [
        {
            "doc_id": write.doc_id,
            "revision": write.revision,
            "action": write.draft.action,
            "source": write.draft.source,
            "uri": write.draft.uri,
            "title": write.draft.title,
            "media_type": write.draft.media_type,
            "metadata": json.dumps(write.draft.metadata),
            "content": write.draft.content,
            "accepted_at": write.accepted_at,
        }
        for write in writes
    ]
    return pa.Table.from_pylist(rows, schema=schema.WRITES)


def _from_arrow(table: pa.Table) -> list[Write]:
    return [
        Write(
            Draft(
                doc_id=row["doc_id"],
                action=cast(Literal["put", "delete"], row["action"]),
                source=row["source"],
                media_type=row["media_type"],
                content=row["content"],
                title=row["title"],
                uri=row["uri"],
                metadata=json.loads(row["metadata"]),
            ),
            row["revision"],
            row["accepted_at"],
        )
        for row in table.to_pylist()
    ]
