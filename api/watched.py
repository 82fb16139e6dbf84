"""Around each request: its id, its span, its line in the log, and a count of what was refused or failed."""

import logging
import re
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any, cast
from uuid import uuid4

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import Counter

from index import logs, spans

REQUEST_ID = "X-Request-Id"
_SAFE = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What probes and scrapers ask for again and again.
QUIET = ("/health", "/metrics")
KIND = "groundwork.problem"
UNKNOWN = "none"
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
# nginx' number for a caller that went away; it is never sent.
GONE = 499
ERRORS = Counter("groundwork_errors", "Requests that were refused or failed, by route, status and kind.", ["route", "status", "kind"])
_log = logging.getLogger("groundwork.access")


class Watched:
    """Honours `X-Request-Id` and `traceparent`. What is told of a request is its route, never its query, body or key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        told = _request_id(headers.get(b"x-request-id", b""))
        token = logs.request_id.set(told)
        began, status = perf_counter(), GONE

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (REQUEST_ID.lower().encode(), told.encode())]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "other"
        parent = headers.get(spans.HEADER.encode(), b"").decode("latin-1") or None
        try:
            with spans.span(method, parent=parent, kind=SpanKind.SERVER, request_id=told) as span:
                try:
                    await self._app(scope, receive, send_with_id)
                finally:
                    route = _route(scope)
                    if span.is_recording():
                        span.update_name(f"{method} {route}")
                        span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status})
                        if status >= 500:
                            span.set_status(StatusCode.ERROR)
                    _tell(method, route, status, (perf_counter() - began) * 1000, _kind(scope))
        finally:
            logs.request_id.reset(token)


def note_kind(scope: Scope, error: Exception) -> None:
    """Leaves for the count which kind of error a request ended with."""
    cast(MutableMapping[str, Any], scope)[KIND] = type(error).__name__


def _kind(scope: Scope) -> str:
    return str(cast(MutableMapping[str, Any], scope).get(KIND, UNKNOWN))


def _route(scope: Scope) -> str:
    """The path as it is declared: ids and whatever else people write into a path are not told."""
    return str(scope.get("path_template") or UNKNOWN)


def _request_id(given: bytes) -> str:
    """The caller's own when it is short and harmless, else a new one."""
    text = given.decode("latin-1")
    return text if _SAFE.fullmatch(text) else uuid4().hex


def _tell(method: str, route: str, status: int, took_ms: float, kind: str) -> None:
    if status >= 400:
        ERRORS.labels(route, str(status), kind).inc()
    if status < 500 and route.startswith(QUIET):
        return
    facts = {"method": method, "route": route, "status": status, "ms": round(took_ms, 1)}
    _log.info("%s %s %d %.1f ms", method, route, status, took_ms, extra=facts)
