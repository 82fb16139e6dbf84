"""The inbox: accepted writes wait here, durably, until a release contains them.

One immutable Arrow file per accepted write or bulk segment, in the folder of its lane. Its name begins
with its first revision, so that names sort in the order of acceptance, and tells how much is in it, so
that a listing is enough to count. A file appears by `rename` after its bytes are synced.
"""

import fcntl
import json
import logging
import math
import os
import shutil
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, time
from typing import Literal, cast

import pyarrow as pa

from index import schema
from index.documents import LANES, Draft, Lane, Write
from index.errors import Unavailable

SUFFIX = ".arrow"
_log = logging.getLogger(__name__)
MIB = 1024 * 1024
LONGEST_WAIT_S = 600
# The backlog is counted at most this often: the bound may be passed by what is accepted in between.
COUNTED_FOR_S = 1.0
RATE_OVER_S = 60.0
# Documents a second, until it has been measured.
FIRST_RATE = 10.0
_WITHOUT_CONTENT = [name for name in schema.WRITES.names if name != "content"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, in all lanes together; and how many bytes of the disk stay free."""

    documents: int = 200_000
    bytes: int = 4096 * MIB
    free_bytes: int = 512 * MIB


@dataclass(frozen=True, slots=True)
class Segment:
    """One inbox object: its path in the inbox, its lane, the number of writes in it and the size of their contents in bytes."""

    name: str
    lane: Lane
    writes: int
    size: int

    @property
    def accepted_at(self) -> datetime:
        """When it was accepted, to be compared with the clock of this machine."""
        return datetime.fromtimestamp(int(Path(self.name).name.split("-")[0]) / 1e6, UTC)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits."""

    documents: int
    bytes: int


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

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self._folder = folder
        self._limits = limits or Limits()
        self._staging = folder / "staging"
        for name in (*LANES, "staging"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._seen: dict[str, tuple[Waiting, ...]] = {}
        self._counted = (-math.inf, Backlog(0, 0))
        self._done: list[tuple[float, int]] = []

    def accept_all(self, segments: Sequence[Sequence[Draft]], lane: Lane = "bulk") -> int:
        """Makes several segments durable, all or (when there is no room, with `Unavailable`) none; returns how many drafts."""
        drafts = [draft for segment in segments for draft in segment]
        if drafts:
            self._check_room(len(drafts), sum(len(draft.content) for draft in drafts))
        return sum(len(self._accept(segment, lane)) for segment in segments)

    def accept(self, drafts: Sequence[Draft], lane: Lane = "bulk") -> list[Write]:
        """Makes the drafts durable as one segment (on disk and synced when this returns).

        Raises:
            Unavailable: so much waits, or so little of the disk is free, that nothing more is taken now.
        """
        if not drafts:
            return []
        self._check_room(len(drafts), sum(len(draft.content) for draft in drafts))
        return self._accept(drafts, lane)

    def _accept(self, drafts: Sequence[Draft], lane: Lane) -> list[Write]:
        size = sum(len(draft.content) for draft in drafts)
        now = datetime.now(UTC)
        first = self._reserve(len(drafts), now)
        writes = [Write(draft, first + i, now, lane) for i, draft in enumerate(drafts)]
        name = f"{first:017d}-{len(writes)}-{size}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        self._store(writes, self._staging / name, self._folder / lane / name)
        when, before = self._counted
        self._counted = when, Backlog(before.documents + len(writes), before.bytes + size)
        return writes

    def segments(self, lane: Lane | None = None) -> list[Segment]:
        """What waits in one lane, or in all, oldest first."""
        found = []
        for one in (lane,) if lane else LANES:
            with os.scandir(self._folder / one) as listing:
                found += [_segment(one, item.name) for item in listing if item.name.endswith(SUFFIX)]
        return sorted(found, key=lambda segment: segment.name.partition("/")[2])

    def backlog(self) -> Backlog:
        """How much waits; cheaper than `pending`."""
        segments = self.segments()
        return Backlog(sum(segment.writes for segment in segments), sum(segment.size for segment in segments))

    def is_empty(self) -> bool:
        """Whether nothing waits; cheaper than `segments`."""
        for lane in LANES:
            with os.scandir(self._folder / lane) as listing:
                if any(item.name.endswith(SUFFIX) for item in listing):
                    return False
        return True

    def read(self, name: str) -> list[Write]:
        """The writes of one segment; `FileNotFoundError` when it was acknowledged meanwhile."""
        with pa.OSFile(str(self._folder / name)) as file:
            return _from_arrow(pa.ipc.open_file(file).read_all(), cast(Lane, name.partition("/")[0]))

    def read_or_set_aside(self, name: str) -> list[Write]:
        """The writes of one segment; none when its bytes are damaged: it is kept in `damaged/`, out of the way of the others."""
        try:
            return self.read(name)
        except pa.ArrowInvalid as error:
            damaged = self._folder / "damaged"
            damaged.mkdir(exist_ok=True)
            (self._folder / name).rename(damaged / Path(name).name)
            _log.error("segment %s can't be read (%s); it is kept in %s", name, error, damaged)
            return []

    def acknowledge(self, names: Iterable[str]) -> None:
        """Forgets segments whose writes are all contained in a release."""
        done = 0
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
            done += _segment("bulk", name).writes
        for lane in LANES:
            _sync_folder(self._folder / lane)
        self._note_rate(done)

    def pending(self) -> dict[str, Waiting]:
        """The newest waiting write by doc_id. Segments that were seen before are not read again."""
        names = [segment.name for segment in self.segments()]
        before = self._seen
        seen = self._seen = {name: before.get(name) or self._index(name) for name in names}
        return {waiting.doc_id: waiting for name in names for waiting in seen[name]}

    def note_trouble(self, trouble: str | None) -> None:
        """Leaves for other processes why nothing gets into the index now, and goes on being tried; None: it does again."""
        if trouble:
            (self._folder / "trouble").write_text(trouble, encoding="utf-8")
        else:
            (self._folder / "trouble").unlink(missing_ok=True)

    def trouble(self) -> str | None:
        """What `note_trouble` was told last."""
        with suppress(OSError):
            return (self._folder / "trouble").read_text(encoding="utf-8") or None
        return None

    def clean(self, age: timedelta) -> int:
        """Removes what killed processes left half-written longer ago than `age`; returns how many files."""
        old = [path for path in self._staging.iterdir() if path.stat().st_mtime < time() - age.total_seconds()]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _check_room(self, documents: int, size: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free - size < self._limits.free_bytes:
            raise Unavailable(
                f"the disk is nearly full ({free // MIB} MiB free, {self._limits.free_bytes // MIB} MiB are kept free): make room", 60
            )
        if monotonic() - self._counted[0] > COUNTED_FOR_S:
            self._counted = monotonic(), self.backlog()
        waits = self._counted[1]
        # What is larger than the whole bound is taken when nothing else waits; else it never could be.
        if waits.documents and (waits.documents + documents > self._limits.documents or waits.bytes + size > self._limits.bytes):
            over = max(waits.documents + documents - self._limits.documents, 1)
            raise Unavailable(
                f"the inbox is full: {waits.documents} documents of {waits.bytes // MIB} MiB wait (at most {self._limits.documents}, "
                f"{self._limits.bytes // MIB} MiB); send this again later",
                self._seconds_until_done(over),
            )

    def _store(self, writes: Sequence[Write], staged: Path, final: Path) -> None:
        try:
            with staged.open("wb") as file:
                with pa.ipc.new_file(file, schema.WRITES) as writer:
                    writer.write_table(_to_arrow(writes))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            staged.unlink(missing_ok=True)
            raise Unavailable(f"the write could not be made durable ({error.strerror}); nothing of it was taken", 30) from error
        staged.rename(final)
        _sync_folder(final.parent)

    def _note_rate(self, documents: int) -> None:
        """Leaves for other processes how many documents a second went into the index lately."""
        now = monotonic()
        self._done = [(at, count) for at, count in self._done if now - at < RATE_OVER_S] + [(now, documents)]
        spent = max(now - self._done[0][0], 1.0)
        (self._folder / "rate").write_text(f"{sum(count for _, count in self._done) / spent:.3f}")

    def _seconds_until_done(self, documents: int) -> int:
        """How long so many documents take at the rate that was measured last; the longest wait when nothing has moved for a while."""
        rate, moved_at = FIRST_RATE, -math.inf
        with suppress(OSError, ValueError):
            path = self._folder / "rate"
            rate, moved_at = float(path.read_text()), path.stat().st_mtime
        oldest = next(iter(self.segments()), None)
        waited_s = time() - max(moved_at, oldest.accepted_at.timestamp()) if oldest else 0.0
        if waited_s > RATE_OVER_S:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, max(1, math.ceil(documents / max(rate, 0.1))))

    def _index(self, name: str) -> tuple[Waiting, ...]:
        try:
            with pa.memory_map(str(self._folder / name)) as file:  # the contents stay on the disk
                options = pa.ipc.IpcReadOptions(included_fields=[schema.WRITES.get_field_index(name) for name in _WITHOUT_CONTENT])
                rows = pa.ipc.open_file(file, options=options).read_all().to_pylist()
        except FileNotFoundError:  # acknowledged since it was listed
            return ()
        return tuple(Waiting(**{name: row[name] for name in Waiting.__slots__}) for row in rows)

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


def _segment(lane: Lane, name: str) -> Segment:
    _, writes, size, _ = name.split("-")
    return Segment(f"{lane}/{name}", lane, int(writes), int(size))


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
            "content_hash": write.content_hash,
            "accepted_at": write.accepted_at,
        }
        for write in writes
    ]
    return pa.Table.from_pylist(rows, schema=schema.WRITES)


def _from_arrow(table: pa.Table, lane: Lane) -> list[Write]:
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
            lane,
        )
        for row in table.to_pylist()
    ]
