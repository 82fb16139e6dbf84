"""Files that the command line adds, as bulk requests."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from api.client import Client, Json, Refused
from api.files import File
from index.errors import Rejected

SEGMENT_BYTES = 8 * 1024 * 1024
SEGMENT_DOCUMENTS = 200


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


def segments(files: Iterable[File]) -> Iterator[Segment]:
    """The files in bulk requests of at most 200 documents and 8 MB; a larger file travels alone."""
    sent: list[tuple[str, bytes]] = []
    unsent: list[Json] = []
    size = 0
    for file in files:
        try:
            line = _line(file)
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


def _line(file: File) -> bytes:
    """The file as one line of NDJSON; raises `Rejected` with unreadable or too_large."""
    draft = file.draft()
    document = {
        "doc_id": draft.doc_id,
        "content_base64": base64.b64encode(draft.content).decode(),
        "media_type": draft.media_type,
        "uri": draft.uri,
    }
    return json.dumps(document).encode()
