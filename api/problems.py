"""Errors as `application/problem+json` (RFC 9457)."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from api.dialects import media_type, told
from api.faults import fault
from api.watched import note_kind
from index import logs
from index.errors import BadRequest, Conflict, GroundworkError, NotFound, Unavailable, is_storage_failure

STATUS: dict[type[GroundworkError], int] = {BadRequest: 400, NotFound: 404, Conflict: 409, Unavailable: 503}
_log = logging.getLogger("groundwork.api")


class Problem(msgspec.Struct):
    """An error reply; `detail` says what was wrong and what to do."""

    type: str
    title: str
    status: int
    detail: str


def body_of(path: str, status: int, detail: str, **more: Any) -> dict[str, Any]:
    """What a problem on this path says."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    if request_id := logs.request_id.get():
        body["request_id"] = request_id
    return told(path, body)


def problem(status: int, detail: str, headers: dict[str, str] | None = None, path: str = "", **more: Any) -> Response[dict[str, Any]]:
    """A problem reply; with a `path`, in the words that its clients know."""
    return Response(body_of(path, status, detail, **more), status_code=status, media_type=media_type(path), headers=headers)


def problem_of(error: Exception) -> Problem:
    """What an error is, where a reply has begun and only its body can say so."""
    known = (STATUS.get(type(error), 503), str(error)) if isinstance(error, GroundworkError) else None
    status, detail = known or unexpected(error)
    return Problem("about:blank", HTTPStatus(status).phrase, status, detail)


def on_groundwork_error(request: Request[Any, Any, Any], error: GroundworkError) -> Response[dict[str, Any]]:
    """Domain errors to their status."""
    note_kind(request.scope, error)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Unavailable) else None
    return problem(STATUS.get(type(error), 503), str(error), headers, request.scope["path"])


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """Litestar's own errors, with what was wrong spelled out."""
    note_kind(request.scope, error)
    path, detail = request.scope["path"], error.detail
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        detail = "; ".join(fault(found, request.route_handler) for found in error.extra) or detail
    if error.status_code == 404:
        detail = f"nothing is at {path}; /schema lists what there is"
    if error.status_code == 405:
        detail = f"{request.method} is not allowed on {path}; /schema lists what there is"
    if error.status_code == 413:
        detail = f"the body is too large: {path} takes at most {request.route_handler.resolve_request_max_body_size()} bytes"
    return problem(error.status_code, detail or HTTPStatus(error.status_code).phrase, dict(error.headers or {}), path)


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """A disk that is full or gone may be back soon; anything else is our fault. The log has it, the caller gets no stack trace."""
    note_kind(request.scope, error)
    # The route as it is declared: a path is what somebody typed, and may hold line ends, names and secrets.
    _log.error("%s %s failed", request.method, request.scope.get("path_template"), exc_info=error)
    status, detail = unexpected(error)
    return problem(status, detail, {"Retry-After": "5"} if status == 503 else None, request.scope["path"])


def unexpected(error: Exception) -> tuple[int, str]:
    """The status of an error that nobody has foreseen, and what its caller may know of it."""
    if is_storage_failure(error):
        return 503, "the storage of the index failed; try again, and see the API's log for the details"
    return 500, "an error of ours; the API's log has the details"


HANDLERS: dict[int | type[Exception], Any] = {
    GroundworkError: on_groundwork_error,
    HTTPException: on_http_error,
    Exception: on_unexpected,
}
