"""Who may use the embedded Prefect server: programs on this machine, and in a browser its own pages alone.

Prefect has no password here, and CORS is not enough: it keeps a page of another site from reading replies, not from sending what a browser
sends without asking first. That is a POST without Content-Type, say, whose body Prefect takes for JSON.
"""

import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.status import WS_1008_POLICY_VIOLATION
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_THIS_MACHINE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
_OTHER_NAME = "this server is known as 127.0.0.1, localhost or [::1] only: open it under one of these names"
_OTHER_PAGE = "this server may be used by its own pages and by programs on this machine, not by pages of other places"


class OwnPagesOnly:
    """The app, for requests that may reach it; the others get a 403 that says why (a websocket a bare one). `own_pages` are origins."""

    def __init__(self, app: ASGIApp, own_pages: Collection[str]) -> None:
        self._app = app
        self._own_pages = own_pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        reason = self._refusal(scope)
        served = self._app if reason is None else _refused(scope, reason)
        await served(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        if scope["type"] not in ("http", "websocket"):
            return None
        return refusal(scope.get("method", "GET"), Headers(scope=scope), self._own_pages)


def refusal(method: str, headers: Headers, own_pages: Collection[str]) -> str | None:
    """Why a request, or the one that opens a websocket, is not served; None where it is."""
    # A page can make a name of its own lead to this machine (DNS rebinding), and is then of the same origin to the browser.
    if not all(map(_THIS_MACHINE.fullmatch, headers.getlist("host") or [""])):
        return _OTHER_NAME
    # Where there is an origin it decides: to a browser, the UI opened as localhost is another site than the API at 127.0.0.1.
    if origins := headers.getlist("origin"):
        return None if all(origin in own_pages for origin in origins) else _OTHER_PAGE
    of_another_site = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    return _OTHER_PAGE if of_another_site and not _follows_a_link(method, headers) else None


def _refused(scope: Scope, reason: str) -> ASGIApp:
    # Uvicorn makes a bare 403 of a websocket that is closed before it is open.
    # A refusal with a body it logs as an error each time: pages could fill the log.
    if scope["type"] == "websocket":
        return WebSocketClose(WS_1008_POLICY_VIOLATION, reason)
    return JSONResponse({"detail": reason}, status_code=403)


def _follows_a_link(method: str, headers: Headers) -> bool:
    """Whether a browser goes to the page as a whole: neither in a frame, where others say what is clicked, nor by sending a form."""
    return method == "GET" and (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
