"""Segments: accepted writes as one immutable Arrow file, whose name tells their order, their number and their size."""

import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

import pyarrow as pa

from index import schema, spans
from index.documents import Draft, Lane, Write
from index.errors import Unavailable

SUFFIX = ".arrow"
# No hexadecimal digit.
AGAIN = "r"


@dataclass(frozen=True, slots=True)
class Segment:
    """One inbox object: its path in the inbox, its lane, the number of writes in it and the size of their contents in bytes.

    `again`: they were in the index before, and a rollback took them out of it.
    """

    name: str
    lane: Lane
    writes: int
    size: int
    again: bool = False

    @property
    def accepted_at(self) -> datetime:
        """When it was accepted, to be compared with the clock of this machine."""
        return datetime.fromtimestamp(int(Path(self.name).name.split("-")[0]) / 1e6, UTC)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A write that is not in a release yet, without its content."""

    doc_id: str
    revision: int
    action: str
    source: str
    content_hash: str
    accepted_at: datetime


_WITHOUT_CONTENT = [schema.WRITES.get_field_index(name) for name in schema.WRITES.names if name != "content"]


def file_name(first_revision: int, writes: int, size: int, *, again: bool = False) -> str:
    """The name of a new segment: names sort in the order of acceptance, and no two are alike."""
    return f"{first_revision:017d}-{writes}-{size}-{AGAIN if again else ''}{uuid.uuid4().hex[:8]}{SUFFIX}"


def from_name(lane: Lane, name: str) -> Segment:
    """What a file's name tells, without a look at the file."""
    _, writes, size, unique = name.split("-")
    return Segment(f"{lane}/{name}", lane, int(writes), int(size), unique.startswith(AGAIN))


def write(writes: Sequence[Write], staged: Path, final: Path) -> None:
    """Makes the file durable: written and synced at `staged`, then renamed; `Unavailable`, and no file, when that can't be done."""
    try:
        with staged.open("wb") as file:
            table = _to_arrow(writes)
            with pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise Unavailable(f"the write could not be made durable ({error.strerror}); nothing of it was taken", 30) from error
    staged.rename(final)
    sync_folder(final.parent)


def read(path: Path, lane: Lane) -> list[Write]:
    """The writes; raises `FileNotFoundError` when it is gone and `ArrowInvalid` when its bytes are damaged."""
    with pa.OSFile(str(path)) as file:
        return _from_arrow(pa.ipc.open_file(file).read_all(), lane)


def read_index(path: Path) -> tuple[Waiting, ...]:
    """The writes without their contents, which stay on the disk; none when the file is gone."""
    try:
        with pa.memory_map(str(path)) as file:
            options = pa.ipc.IpcReadOptions(included_fields=_WITHOUT_CONTENT)
            rows = pa.ipc.open_file(file, options=options).read_all().to_pylist()
    except FileNotFoundError:  # acknowledged since it was listed
        return ()
    return tuple(Waiting(**{name: row[name] for name in Waiting.__slots__}) for row in rows)


def sync_folder(folder: Path) -> None:
    """Makes durable which files a folder has."""
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
    table = pa.Table.from_pylist(rows, schema=schema.WRITES)
    trace = next((write.trace for write in writes if write.trace), None)
    return table.replace_schema_metadata({spans.HEADER: trace}) if trace else table


def _from_arrow(table: pa.Table, lane: Lane) -> list[Write]:
    trace = (table.schema.metadata or {}).get(spans.HEADER.encode())
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
            trace.decode() if trace else None,
        )
        for row in table.to_pylist()
    ]
