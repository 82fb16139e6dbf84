"""HTTP calls to the parts."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

# The parts of one machine speak plain HTTP. Loading the web's certificate authorities would take longer than the call.
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a part said. Status 0: nobody answered. The body is None unless it was JSON."""

    status: int = 0
    body: Any = None


async def call(method: str, url: str, body: Mapping[str, Any] | None = None, key: str | None = None, timeout_s: float = 2.0) -> Reply:
    """Sends a request; never raises for what the other side does."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # trust_env: a proxy for the web must not get between the parts of one machine.
    async with httpx.AsyncClient(timeout=timeout_s, trust_env=False, verify=_NO_AUTHORITIES) as client:
        try:
            answer = await client.request(method, url, json=body, headers=headers)
        except httpx.HTTPError:
            return Reply()
    return Reply(answer.status_code, _json(answer))


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
