"""What clients send, checked before it is accepted: bodies to JSON, and to drafts of documents."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.exceptions import HTTPException, SerializationException, ValidationException

from api.faults import unreadable
from api.requests import BulkDocumentRequest, DocumentRequest
from index.documents import Draft, check_doc_id
from index.errors import BadRequest
from index.metadata import check_metadata
from tasks.parse import SUFFIXES, media_type

PREFIX = b"/v1/documents/"
REPLAY = b"/replay"
JSON = "application/json"
UNKNOWN = "application/octet-stream"
JSON_KINDS = (JSON,)
UTF_8 = ("utf-8", "utf8")
LINES_KINDS = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines")
# A document of the largest size, as base64 with its metadata.
MAX_LINE = 72 * 1024 * 1024
MAX_DEPTH = 64
# Strings are stepped over: brackets in them nest nothing.
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{\]}]', re.DOTALL)
# What decoding JSON raises when it is no JSON, no UTF-8, or nested too deeply.
UNREADABLE = (msgspec.DecodeError, SerializationException, UnicodeDecodeError, RecursionError)


class Rejection(msgspec.Struct):
    """A line (from 1) of a bulk request that was not taken, and why."""

    line: int
    reason: str


class JsonRequest(Request[Any, Any, Any]):
    """A request whose unreadable JSON is the caller's fault, whatever is wrong with it."""

    async def json(self) -> Any:
        """The body; raises `BadRequest`, a 415 unless it says that it is JSON, and a 400 for what is not of the types that are declared."""
        check_kind(_named(self.headers.get("content-type")), JSON_KINDS, JSON)
        body = await self.body()
        check_depth(body)
        try:
            found = await super().json()
        except UNREADABLE as error:
            raise BadRequest(f"the body can't be read: {unreadable(body, error)}") from error
        if declared := self.route_handler.parsed_data_field:
            check_types(found, declared.annotation)
        return found


def check_depth(body: bytes) -> None:
    """Raises `BadRequest` for JSON that is nested deeper than anything here is, before something recurses into it."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _BRACKETS.finditer(body):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > MAX_DEPTH:
            raise BadRequest(f"the body is JSON that is nested more than {MAX_DEPTH} deep")


def check_types(body: Any, declared: Any) -> None:
    """Raises a 400 that names the field. Litestar takes a body for words of a query, where `"5"` is a number: in JSON it is none."""
    try:
        msgspec.convert(body, declared)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        raise ValidationException(extra=[{"key": place.strip("`$.") or "data", "message": message, "source": "body"}]) from error


def check_kind(content_type: str | None, taken: Collection[str], wanted: str) -> None:
    """Raises a 415 for a body that says it is of another kind or charset; one that says nothing is taken for what is wanted."""
    if not content_type:
        return
    kind, charset = media_type(content_type)
    if kind not in taken:
        raise HTTPException(f"the body has another Content-Type than is taken here: send {wanted}", status_code=415)
    if charset and charset not in UTF_8:
        raise HTTPException("the body is in another charset than JSON may be: send it as UTF-8", status_code=415)


def _named(content_type: str | None) -> str:
    """A Content-Type that there is; else a 415: browsers send a body without one to other sites without asking them first."""
    if not content_type:
        raise HTTPException(f"the body does not say what it is: send Content-Type: {JSON}", status_code=415)
    return content_type


def doc_id_of(raw_path: bytes, suffix: bytes = b"") -> str:
    """The document id of a request path, taken before any decoding so that encoded slashes stay part of it."""
    encoded = raw_path.partition(b"?")[0].partition(PREFIX)[2].removesuffix(suffix)
    try:
        return check_doc_id(unquote_to_bytes(encoded).decode())
    except UnicodeDecodeError as error:
        raise BadRequest("the doc_id in the path is not UTF-8") from error


def draft_of(doc_id: str, content_type: str, body: bytes) -> Draft:
    """The draft of a PUT: our JSON, or the raw bytes of any other content type. Raises a 415 for a body that doesn't say what it is."""
    given = _named(content_type) if body else content_type or JSON
    if media_type(given)[0] != JSON:
        return Draft(doc_id, media_type=given, content=body)
    check_kind(given, JSON_KINDS, JSON)
    try:
        return _draft(doc_id, msgspec.json.decode(body, type=DocumentRequest))
    except UNREADABLE as error:
        raise BadRequest(f"the body is not a document: {unreadable(body, error)}") from error


def lines_of(body: bytes) -> Iterator[Draft | Rejection]:
    """The drafts of an NDJSON body, and what is wrong with lines that are none."""
    for number, line in enumerate(body.splitlines(), 1):
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            yield Rejection(number, f"the line has {len(line)} bytes; at most {MAX_LINE} are taken")
            continue
        try:
            document = msgspec.json.decode(line, type=BulkDocumentRequest)
            yield _draft(check_doc_id(document.doc_id), document)
        except BadRequest as error:
            yield Rejection(number, str(error))
        except UNREADABLE as error:
            yield Rejection(number, unreadable(line, error))


def file_of(number: int, file: UploadFile, content: bytes) -> Draft | Rejection:
    """The draft of an uploaded file, whose name is its id."""
    guessed = SUFFIXES.get(PurePosixPath(file.filename).suffix.lower(), UNKNOWN)
    given = file.content_type if file.content_type not in ("", UNKNOWN) else guessed
    try:
        return Draft(check_doc_id(file.filename), media_type=given, content=content, title=file.filename)
    except BadRequest as error:
        return Rejection(number, str(error))


def _draft(doc_id: str, document: DocumentRequest) -> Draft:
    check_metadata(document.metadata)
    if (document.text is None) == (document.content_base64 is None):
        raise BadRequest("give the document as 'text' or as 'content_base64', one of the two")
    facts = {"title": document.title, "uri": document.uri, "metadata": json.loads(json.dumps(document.metadata))}
    if document.text is not None:
        return Draft(doc_id, media_type=document.media_type or "text/plain", content=_utf8(document.text), **facts)
    try:
        content = base64.b64decode(document.content_base64 or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("content_base64 is not valid base64") from error
    return Draft(doc_id, media_type=document.media_type or UNKNOWN, content=content, **facts)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("text holds lone surrogates, which no UTF-8 text has") from error
