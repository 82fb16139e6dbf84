"""Problems that OpenAI's clients understand too: the same reply, with an `error` as they look for it."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response

from api import problems

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
UNKNOWN_MODEL = "model_not_found"


def error_of(status: int, message: str, code: str | None = None) -> dict[str, Any]:
    """The `error` of a reply."""
    kind = TYPES.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    return {"message": message, "type": kind, "param": None, "code": code}


def stream_error(error: Exception) -> bytes:
    """The last event of a stream that failed: clients raise it."""
    found = problems.problem_of(error)
    return b"data: %s\n\n" % msgspec.json.encode({"error": error_of(found.status, found.detail)})


def _in_their_words(handle: Callable[[Request[Any, Any, Any], Any], Response[dict[str, Any]]]) -> Callable[..., Response[dict[str, Any]]]:
    def handler(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
        reply = handle(request, error)
        code = UNKNOWN_MODEL if reply.status_code == 404 and "model" in str(error) else None
        reply.content["error"] = error_of(int(reply.content["status"]), str(reply.content["detail"]), code)
        return reply

    return handler


HANDLERS: dict[int | type[Exception], Any] = {kind: _in_their_words(handle) for kind, handle in problems.HANDLERS.items()}
