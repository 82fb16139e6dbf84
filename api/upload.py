"""Files that the command line adds, as bulk requests."""

import base64
import json
import mimetypes
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.client import Client, Json, Refused
from index.errors import BadRequest, Rejected
from tasks.formats.kinds import SUFFIXES

SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENT_DOCUMENTS = 200
# The platform takes no larger document: reading a 10 GB file only to be refused helps nobody.
FILE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file to add, with the `doc_id` it gets."""

    doc_id: str
    path: Path

    def line(self) -> bytes:
        """The file as one line of NDJSON; raises `Rejected` with unreadable or too_large."""
        try:
            size = self.path.stat().st_size
            if size > FILE_BYTES:
                raise Rejected("too_large", f"{size} bytes; at most {FILE_BYTES} are taken")
            content = self.path.read_bytes()
        except OSError as error:
            raise Rejected("unreadable", error.strerror or type(error).__name__) from None
        document = {
            "doc_id": self.doc_id,
            "content_base64": base64.b64encode(content).decode(),
            "media_type": _media_type(self.path, content),
            "uri": self.path.absolute().as_uri(),
        }
        return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class Segment:
    """What one bulk request carries: documents as NDJSON lines, in the order of their ids, and files that can't be sent."""

    doc_ids: tuple[str, ...]
    lines: tuple[bytes, ...]
    unsent: tuple[Json, ...] = ()

    def send(self, client: Client) -> list[Json]:
        """Sends the segment; what was rejected, as `{"doc_id","reason"}`. The rest is durable when this returns."""
        if not self.lines:
            return list(self.unsent)
        try:
            rejected = client.post_lines("/v1/documents", self.lines)["rejected"]
        except Refused as refused:
            if refused.status != 413:
                raise
            rejected = [{"line": line, "reason": str(refused)} for line in range(1, len(self.lines) + 1)]
        return [*self.unsent, *({"doc_id": self.doc_ids[each["line"] - 1], "reason": each["reason"]} for each in rejected)]


def files_under(paths: Sequence[Path], prefix: str = "") -> list[File]:
    """Each file given or found in a folder given, hidden ones left out; the id is its path in that folder, or its name.

    Raises `BadRequest` when a path does not exist, when there is no file, or when two files would share an id.
    """
    files = [File(prefix + doc_id, file) for path in paths for doc_id, file in _listing(path)]
    if not files:
        raise BadRequest(f"there is no file in {', '.join(map(str, paths))} (hidden ones are left out)")
    known: dict[str, Path] = {}
    for file in files:
        other = known.setdefault(file.doc_id, file.path)
        if other != file.path:
            raise BadRequest(f"{other} and {file.path} would both be document {file.doc_id!r}; add them one by one with --prefix")
    return [File(doc_id, path) for doc_id, path in known.items()]


def segments(files: Iterable[File]) -> Iterator[Segment]:
    """The files in bulk requests of at most 200 documents and 8 MB; a larger file travels alone."""
    sent: list[tuple[str, bytes]] = []
    unsent: list[Json] = []
    size = 0
    for file in files:
        try:
            line = file.line()
        except Rejected as rejected:
            unsent.append({"doc_id": file.doc_id, "reason": str(rejected)})
            continue
        if sent and (len(sent) == SEGMENT_DOCUMENTS or size + len(line) > SEGMENT_BYTES):
            yield _segment(sent, unsent)
            sent, unsent, size = [], [], 0
        sent.append((file.doc_id, line))
        size += len(line)
    yield _segment(sent, unsent)


def _segment(sent: list[tuple[str, bytes]], unsent: list[Json]) -> Segment:
    return Segment(tuple(doc_id for doc_id, _ in sent), tuple(line for _, line in sent), tuple(unsent))


def _listing(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
    elif not path.is_dir():
        raise BadRequest(f"there is no file or folder {path}")
    else:
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for file in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
                if file.is_file():
                    yield file.relative_to(path).as_posix(), file


def _media_type(path: Path, content: bytes) -> str:
    known = SUFFIXES.get(path.suffix.lower())
    if known:
        return known
    guess, compression = mimetypes.guess_type(path.name)
    if guess and not compression:
        return guess
    return "application/octet-stream" if compression or b"\x00" in content[:8192] else "text/plain"
