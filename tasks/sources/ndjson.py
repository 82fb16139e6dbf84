"""Files of rows: one JSON object a line, the same as `POST /v1/documents` takes."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta

from index.documents import Draft
from index.errors import BadRequest
from index.metadata import check_metadata
from tasks.parse import MAX_BYTES
from tasks.sources.patterns import admit
from tasks.sources.port import Gap, Listed, Seen, Skipped

# Base64, escapes and the other fields make a row longer than its document.
MAX_LINE = 2 * MAX_BYTES


class RowId(msgspec.Struct):
    """What a listing needs to know of a row."""

    doc_id: Annotated[str, Meta(min_length=1)]


class Row(RowId, forbid_unknown_fields=True, kw_only=True):
    """A document: `text`, or any bytes as `content_base64` with their `media_type`."""

    text: str | None = None
    content_base64: str | None = None
    media_type: Annotated[str, Meta(max_length=200)] | None = None
    title: Annotated[str, Meta(max_length=1_000)] | None = None
    uri: Annotated[str, Meta(max_length=2_000)] | None = None
    metadata: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class NdjsonSource:
    """The rows of one file, as documents `name:<doc_id of the row>`. The stamp of a row is a hash of its line."""

    name: str
    file: Path

    @property
    def uri(self) -> str:
        """The file as a `file:` URI."""
        return self.file.as_uri()

    def listing(self) -> Iterator[Seen]:
        """Each row; one that can't be read is a gap, for nobody knows whose it is."""
        with self.file.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    yield Gap(f"line {number}", f"too_large: at most {MAX_LINE} bytes are taken")
                    _skip_line(file)
                elif line.strip():
                    yield self._listed(number, line, file.tell() - len(line))

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        """The rows, read again where they were."""
        with self.file.open("rb") as file:
            for item in listed:
                file.seek(int(item.at))
                line = file.readline(MAX_LINE)
                if _hash(line) != item.stamp:
                    raise OSError(f"source {self.name}: {self.file} was written while it was swept")
                try:
                    yield self._draft(item.doc_id, msgspec.json.decode(line, type=Row))
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, BadRequest) as error:
                    yield Skipped(item.doc_id, f"invalid: {error}")

    def _listed(self, number: int, line: bytes, at: int) -> Seen:
        try:
            doc_id = msgspec.json.decode(line, type=RowId).doc_id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Gap(f"line {number}", f"invalid: {error}")
        return admit(Listed(f"{self.name}:{doc_id}", _hash(line), str(at), len(line)))

    def _draft(self, doc_id: str, row: Row) -> Draft:
        check_metadata(row.metadata)
        given = "text/plain" if row.text is not None else "application/octet-stream"
        return Draft(
            doc_id=doc_id,
            source=self.name,
            media_type=row.media_type or given,
            content=_content(row),
            title=row.title or "",
            uri=row.uri,
            metadata=row.metadata,
        )


def _content(row: Row) -> bytes:
    if (row.text is None) == (row.content_base64 is None):
        raise BadRequest("give the document as 'text' or as 'content_base64', one of the two")
    try:
        return row.text.encode() if row.text is not None else base64.b64decode(row.content_base64 or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("content_base64 is not valid base64") from error


def _hash(line: bytes) -> str:
    return hashlib.blake2b(line, digest_size=16).hexdigest()


def _skip_line(file: BinaryIO) -> None:
    while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
        pass
