"""What the OpenAPI document says of refusals: problem documents (RFC 9457), on each route those that it may have."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.types import ControllerRouterHandler

from api.dialects import OPENAI, media_type, told
from api.problems import Problem

AGAIN = "`Retry-After` says in how many seconds to try again."
# Of each status: what it means, and a detail that it may have.
ANY = {
    400: ("The request can't be understood, or asks for what there isn't.", "k must be from 1 to 1000"),
    414: ("Path and query are too long.", "path and query are too long: at most 16384 bytes are taken"),
    431: ("The headers are too many, or too large.", "the request has 120 headers; at most 100 are taken"),
    500: ("An error of ours; the log of the API has it.", "an error of ours; the API's log has the details"),
    503: (f"Too much to do, still starting, or no release yet. {AGAIN}", "too many requests: 3 are worked on and 32 wait; try again later"),
    504: ("`Request-Timeout` passed while it was worked on.", "the deadline passed while it was worked on; ask for less"),
}
COUNTED = {
    429: (f"The key has sent as much as it may in a minute. {AGAIN}", "this key may send 60 requests a minute, and has; try again in 12 s"),
}
WITH_A_KEY = {
    401: ("No key, or one that is unknown, expired or revoked.", "a key is missing: send 'Authorization: Bearer KEY'"),
    403: ("The key's role does not allow it.", "this needs a key of the role admin; yours has the role reader"),
}
NAMED = {404: ("There is no such thing, or the key's filter hides it.", "there is no release 12")}
CHANGING = {409: ("What there is stands against it.", "release 7 is served, older than min_release 8; try again shortly")}
WITH_A_BODY = {
    408: ("The body did not arrive in time.", "the body did not arrive in time; send it faster, or name a longer Request-Timeout"),
    413: ("The body is too large.", "the body is too large: /v1/search takes at most 1048576 bytes"),
    415: ("The body is of a type that is not taken here.", "send application/json"),
}
NAMED_IN_A_BODY = ("/v1/search", "/v1/answers", "/v1/chat", "/v1/feedback", "/v1/rollback", "/v1/evaluations")
ON_A_RELEASE = "/check"
WATCHED = ("/health", "/metrics")
REQUEST_ID = "7f6a721a0b874f5e80540f09e2f54344"


class ProblemReply(Problem):
    """A refusal. `detail` says what was wrong and what to do, `request_id` names it in the log."""

    request_id: str


class OpenAIProblemReply(ProblemReply):
    """The same for clients of OpenAI's API, which read `error`."""

    error: dict[str, Any]


def with_problems(handler: ControllerRouterHandler) -> ControllerRouterHandler:
    """The handler, which now says how it refuses."""
    if not isinstance(handler, HTTPRouteHandler):
        return handler
    path = min(handler.paths)
    reply = OpenAIProblemReply if path.startswith(OPENAI) else ProblemReply
    handler.responses = {
        status: ResponseSpec(
            reply,
            description=meaning,
            media_type=media_type(path),
            generate_examples=False,
            examples=[Example(value=_example(path, status, detail))],
        )
        for status, meaning, detail in _of(handler, path)
    } | dict(handler.responses or {})
    return handler


def _of(handler: HTTPRouteHandler, path: str) -> Iterator[tuple[int, str, str]]:
    methods = {str(method) for method in handler.http_methods}
    writes = bool(methods & {"POST", "PUT", "DELETE"})
    names = "{" in path or (writes and path.startswith(NAMED_IN_A_BODY))
    may_have = [
        (True, ANY),
        (bool(handler.guards), WITH_A_KEY),
        # Who watches is not counted.
        (not path.startswith(WATCHED), COUNTED),
        (names, NAMED),
        (writes or path.endswith(ON_A_RELEASE), CHANGING),
        (bool(methods & {"POST", "PUT"}), WITH_A_BODY),
    ]
    for has, refusals in may_have:
        for status, (meaning, detail) in refusals.items() if has else ():
            yield status, meaning, detail


def _example(path: str, status: int, detail: str) -> dict[str, Any]:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "request_id": REQUEST_ID}
    return told(path, body)
