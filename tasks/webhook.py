"""Telling another service of an alarm, so that it can be sure who speaks (Standard Webhooks 1.0)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from index.errors import Unavailable

TIMEOUT_S = 10.0
TRIES = 4
LONGEST_PAUSE_S = 8.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to, and the secret that signs; without one nothing is signed. Before the first new try it waits `pause_s`, then longer."""

    url: str
    secret: str = field(default="", repr=False)
    pause_s: float = 1.0

    def send(self, identifier: str, at: datetime, message: Mapping[str, Any]) -> None:
        """Posts the message as JSON; again after a pause where it fails, with the same id, so that the receiver can tell.

        Args:
            identifier: of the message.
            at: when what it tells of happened.
            message: what happened.

        Raises:
            Unavailable: it did not get through. The error does not name the address, which may hold a secret.
        """
        body = json.dumps({"timestamp": at.isoformat(), **message}, default=str).encode()
        headers = {"Content-Type": "application/json", **self.signature(identifier, int(at.timestamp()), body)}
        try:
            for attempt in Retrying(
                stop=stop_after_attempt(TRIES),
                wait=wait_exponential(multiplier=self.pause_s, max=LONGEST_PAUSE_S),
                retry=retry_if_exception_type(httpx.HTTPError),
                reraise=True,
            ):
                with attempt:
                    httpx.post(self.url, content=body, headers=headers, timeout=TIMEOUT_S).raise_for_status()
        except httpx.HTTPStatusError as error:
            raise Unavailable(f"the webhook answered {error.response.status_code}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"the webhook can't be reached ({type(error).__name__})") from None

    def signature(self, identifier: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The headers by which a receiver knows that the message is ours, whole, and not an old one sent again."""
        headers = {"webhook-id": identifier, "webhook-timestamp": str(timestamp)}
        if not self.secret:
            return headers
        signed = b".".join((identifier.encode(), str(timestamp).encode(), body))
        digest = hmac.new(_key(self.secret), signed, hashlib.sha256).digest()
        return headers | {"webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


def _key(secret: str) -> bytes:
    """The bytes of a secret: `whsec_` and base64, as the standard has it, or any text as it is."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            pass
    return secret.encode()
