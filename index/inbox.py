"""The inbox: accepted writes wait here, durably, until a release contains them.

One immutable Arrow file per accepted write or bulk segment, in the folder of its lane. Its name begins
with its first revision, so that names sort in the order of acceptance, and tells how much is in it, so
that a listing is enough to count. A file appears by `rename` after its bytes are synced.
"""

import fcntl
import logging
import math
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, time
from typing import cast

import pyarrow as pa

from index import segments, spans
from index.documents import LANES, Draft, Lane, Write
from index.errors import Unavailable
from index.pace import Pace
from index.segments import SUFFIX, Segment, Waiting

_log = logging.getLogger(__name__)
MIB = 1024 * 1024
# The backlog is counted at most this often: the bound may be passed by what is accepted in between.
COUNTED_FOR_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, in all lanes together; and how many bytes of the disk stay free."""

    documents: int = 200_000
    bytes: int = 4096 * MIB
    free_bytes: int = 512 * MIB


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits."""

    documents: int
    bytes: int


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
        self._pace = Pace(folder / "rate")

    def accept_all(self, groups: Sequence[Sequence[Draft]], lane: Lane = "bulk") -> int:
        """Makes several segments durable, all or (when there is no room, with `Unavailable`) none; returns how many drafts."""
        drafts = [draft for group in groups for draft in group]
        if drafts:
            self._check_room(len(drafts), sum(len(draft.content) for draft in drafts))
        return sum(len(self._accept(group, lane)) for group in groups)

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
        trace = spans.traceparent()
        writes = [Write(draft, first + i, now, lane, trace) for i, draft in enumerate(drafts)]
        name = segments.file_name(first, len(writes), size)
        segments.write(writes, self._staging / name, self._folder / lane / name)
        when, before = self._counted
        self._counted = when, Backlog(before.documents + len(writes), before.bytes + size)
        return writes

    def put_back(self, writes: Sequence[Write]) -> None:
        """Makes writes wait again that were in the index, as one segment and with the revisions that they have."""
        if writes:
            size = sum(len(write.draft.content) for write in writes)
            name = segments.file_name(self._reserve(1, datetime.now(UTC)), len(writes), size, again=True)
            segments.write(writes, self._staging / name, self._folder / "bulk" / name)

    def segments(self, lane: Lane | None = None) -> list[Segment]:
        """What waits in one lane, or in all, oldest first."""
        found = []
        for one in (lane,) if lane else LANES:
            with os.scandir(self._folder / one) as listing:
                found += [segments.from_name(one, item.name) for item in listing if item.name.endswith(SUFFIX)]
        return sorted(found, key=lambda segment: segment.name.partition("/")[2])

    def backlog(self) -> Backlog:
        """How much waits; cheaper than `pending`."""
        waiting = self.segments()
        return Backlog(sum(segment.writes for segment in waiting), sum(segment.size for segment in waiting))

    def is_empty(self) -> bool:
        """Whether nothing waits; cheaper than `segments`."""
        for lane in LANES:
            with os.scandir(self._folder / lane) as listing:
                if any(item.name.endswith(SUFFIX) for item in listing):
                    return False
        return True

    def read(self, name: str) -> list[Write]:
        """The writes of one segment; `FileNotFoundError` when it was acknowledged meanwhile."""
        return segments.read(self._folder / name, cast(Lane, name.partition("/")[0]))

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
            done += segments.from_name("bulk", name).writes
        for lane in LANES:
            segments.sync_folder(self._folder / lane)
        self._pace.note(done)

    def pending(self) -> dict[str, Waiting]:
        """The newest waiting write by doc_id. Segments that were seen before are not read again."""
        names = [segment.name for segment in self.segments()]
        before = self._seen
        seen = self._seen = {name: before.get(name) or segments.read_index(self._folder / name) for name in names}
        return {waiting.doc_id: waiting for name in names for waiting in seen[name]}

    def newest_waiting(self, doc_ids: Collection[str]) -> dict[str, Draft]:
        """The newest waiting draft of each of these documents that has one, contents included."""
        wanted, found = frozenset(doc_ids), dict[str, Draft]()
        if not wanted.isdisjoint(self.pending()):
            for name, waiting in self._seen.items():
                if any(each.doc_id in wanted for each in waiting):
                    with suppress(FileNotFoundError):  # acknowledged meanwhile: the ledger has them
                        found |= {write.doc_id: write.draft for write in self.read(name) if write.doc_id in wanted}
        return found

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
            oldest = next(iter(self.segments()), None)
            raise Unavailable(
                f"the inbox is full: {waits.documents} documents of {waits.bytes // MIB} MiB wait (at most {self._limits.documents}, "
                f"{self._limits.bytes // MIB} MiB); send this again later",
                self._pace.seconds_until_done(over, oldest.accepted_at if oldest else None),
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
