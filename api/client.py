"""The HTTP side of the command line: requests with a key and patience.

GroundworkError
├── Refused        the server answered, and not with what was asked for (4xx, 5xx)
├── Unavailable    nothing that speaks like Groundwork answers at the URL
└── Misconfigured  a setting or the key's file can't be used
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from index.authorities import authorities
from index.errors import GroundworkError, Misconfigured, Unavailable
from index.settings import Settings

Json = dict[str, Any]

PATIENCE_S = 30.0
READ_TIMEOUT_S = 120.0


class Refused(GroundworkError):
    """The server's refusal: `status` is the HTTP status, `problem` its problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(f"{problem.get('detail') or problem.get('title') or 'the server gave no reason'} (HTTP {status})")
        self.status = status
        self.problem = problem

    @property
    def not_ready(self) -> bool:
        """Whether a part is down or full, so that the same request may work later."""
        return self.status in (502, 503, 504)


class Client:
    """Asks the HTTP API. A 503 is asked again after its `Retry-After`, for `patience_s` in all; `note` says so once."""

    def __init__(self, url: str, key: str, note: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
        self.url = url.rstrip("/")
        self._note = note
        self._patience_s = patience_s
        try:
            host = urlsplit(self.url).hostname
            self._http = httpx.Client(
                base_url=self.url,
                headers={"Authorization": f"Bearer {key}"},
                timeout=httpx.Timeout(READ_TIMEOUT_S, connect=5.0),
                verify=authorities(self.url),
                trust_env=host not in ("127.0.0.1", "localhost", "::1"),  # a proxy can't reach this machine's loopback
            )
        except (httpx.InvalidURL, ValueError):
            raise Misconfigured(f"GROUNDWORK_URL: {url!r} is not a URL; it looks like http://127.0.0.1:8000") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: str | float | None) -> Json:
        """The reply to a GET; parameters that are None are left out."""
        return self._checked(self._patiently("GET", path, params=_given(params)))

    def post(self, path: str, body: Json, **params: str | float | None) -> Json:
        """The reply to a POST of JSON; parameters that are None are left out."""
        content = json.dumps(body).encode()
        return self._checked(self._patiently("POST", path, params=_given(params), content=content, media_type="application/json"))

    def put_lines(self, path: str, lines: Sequence[bytes], **params: str | float | None) -> Json:
        """The reply to a PUT of NDJSON; parameters that are None are left out."""
        body = b"\n".join(lines) + b"\n"
        return self._checked(self._patiently("PUT", path, params=_given(params), content=body, media_type="application/x-ndjson"))

    def post_lines(self, path: str, lines: Sequence[bytes]) -> Json:
        """The reply to a POST of NDJSON."""
        return self._checked(self._patiently("POST", path, content=b"\n".join(lines) + b"\n", media_type="application/x-ndjson"))

    def delete(self, path: str) -> Json:
        """The reply to a DELETE; empty when there is none."""
        return self._checked(self._patiently("DELETE", path))

    def probe(self, path: str, **params: str | float | None) -> tuple[bool, Json]:
        """Whether a GET worked, and its reply or problem document, at once and without raising for a part that is down."""
        try:
            return True, self._checked(self._once("GET", path, params=_given(params)))
        except Refused as refused:
            if refused.not_ready:
                return False, refused.problem
            raise

    def _patiently(self, method: str, path: str, **request: Any) -> httpx.Response:
        waited = 0.0
        while True:
            response = self._once(method, path, **request)
            pause = _retry_after_s(response)
            if response.status_code != 503 or waited + pause > self._patience_s:
                return response
            if not waited:
                self._note(f"{Refused(503, _problem(response))}: trying again for up to {self._patience_s:.0f} s")
            time.sleep(pause)
            waited += pause

    def _once(self, method: str, path: str, media_type: str | None = None, **request: Any) -> httpx.Response:
        headers = {"Content-Type": media_type} if media_type else None
        try:
            return self._http.request(method, path, headers=headers, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise Unavailable(f"Groundwork does not answer at {self.url}; is `make run` running?") from None
        except httpx.UnsupportedProtocol:
            raise Misconfigured(f"GROUNDWORK_URL: {self.url!r} must start with http:// or https://") from None
        except httpx.TimeoutException:
            raise Unavailable(f"Groundwork at {self.url} did not answer within {READ_TIMEOUT_S:.0f} s") from None
        except httpx.TransportError as error:  # its text may quote the request's headers, and so the key
            raise Unavailable(f"the connection to Groundwork at {self.url} broke off ({type(error).__name__}); try again") from None

    def _checked(self, response: httpx.Response) -> Json:
        if not response.is_success:
            raise Refused(response.status_code, _problem(response))
        reply = _object(response) if response.content else {}
        if reply is None:
            raise Unavailable(f"what answers at {self.url} is not Groundwork; is GROUNDWORK_URL or GROUNDWORK_PORT right?")
        return reply


def connect(settings: Settings, note: Callable[[str], None]) -> Client:
    """A client of the API that the settings name, with their key or else the one in the admin key's file."""
    return Client(settings.api_url, _key(settings), note)


def document_path(doc_id: str, tail: str = "") -> str:
    """The API's path of one document; slashes in the id are percent-encoded."""
    return f"/v1/documents/{quote(doc_id, safe='', errors='surrogatepass')}{tail}"


def _key(settings: Settings) -> str:
    if settings.key:
        place, key = "GROUNDWORK_KEY", settings.key.get_secret_value().strip()
    else:
        place, key = str(settings.admin_key_file), _key_in(settings.admin_key_file)
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Misconfigured(f"{place} does not hold a key")
    return key


def _key_in(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace").strip()
    except FileNotFoundError:
        raise Unavailable(f"no key: {file} does not exist. `make run` makes it; or set GROUNDWORK_KEY (or GROUNDWORK_HOME)") from None
    except OSError as error:
        raise Misconfigured(f"the key in {file} can't be read ({error.strerror}); set GROUNDWORK_KEY") from None


def _given(params: dict[str, str | float | None]) -> dict[str, str | float]:
    return {name: value for name, value in params.items() if value is not None}


def _retry_after_s(response: httpx.Response) -> float:
    header = response.headers.get("Retry-After", "")
    return max(float(header), 0.05) if header.isdecimal() else 1.0


def _problem(response: httpx.Response) -> Json:
    return _object(response) or {"status": response.status_code, "title": response.reason_phrase}


def _object(response: httpx.Response) -> Json | None:
    try:
        reply = response.json()
    except ValueError:
        return None
    return reply if isinstance(reply, dict) else None
