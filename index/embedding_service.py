"""The HTTP side of a remote embedder: one request after another, retried with care, its reply checked."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import Lock
from time import monotonic, sleep, time
from typing import Any

import httpx
import numpy as np
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay, wait_random_exponential

from index.errors import Misconfigured, Unavailable
from index.vectors import Vectors, unit

TRY_AGAIN = (408, 409, 425, 429)
REFUSED = (401, 403)
EXCERPT = 200


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request is tried: seconds in all, tries in all, the longest pause that we choose, seconds for one reply."""

    seconds: float
    tries: int
    pause_s: float
    reply_s: float


class Busy(Unavailable):
    """The service did not answer, or asked to wait: worth another try. `wait_s` is how long it asked for."""

    def __init__(self, detail: str, wait_s: float = 0.0) -> None:
        super().__init__(detail, retry_after_s=max(1, round(wait_s)))
        self.wait_s = wait_s


class EmbeddingService:
    """An OpenAI-compatible endpoint and one of its models. Used by several threads at once."""

    def __init__(self, url: str, model: str, key: str | None = None, waited: Callable[[float], None] = sleep) -> None:
        """Sends nothing yet; raises `Misconfigured` when the URL is none.

        Args:
            url: the base URL, with or without `/embeddings` at its end.
            model: the model's name there.
            key: sent as a bearer token; it never stands in a message.
            waited: how pauses are made.
        """
        self._key = (key or "").strip()
        try:
            base = httpx.URL(url.strip().rstrip("/").removesuffix("/embeddings"))
        except httpx.InvalidURL as error:
            raise Misconfigured("GROUNDWORK_EMBEDDER_URL is no URL: give one like https://host/v1") from error
        if base.scheme not in ("http", "https") or not base.host:
            raise Misconfigured("GROUNDWORK_EMBEDDER_URL is no URL: give one like https://host/v1")
        # As it is shown and counted as the same service: without a name and password in it.
        self.url = str(base.copy_with(username="", password="", query=None))
        self.model = model
        self.tokens = 0
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._endpoint = base.copy_with(path=f"{base.path.rstrip('/')}/embeddings")
        self._client = httpx.Client(headers=headers)
        weakref.finalize(self, self._client.close)
        self._waited = waited
        self._not_before = 0.0
        self._counting = Lock()

    def vectors(self, texts: Sequence[str], tokens: int, patience: Patience) -> Vectors:
        """Unit vectors of the texts, which have about so many `tokens` (counted where the service counts none).

        Raises `Unavailable` when the service can't be reached, or limits the rate, longer than `patience` lasts; `Misconfigured`
        when it refuses the request.
        """
        retrying = Retrying(
            retry=retry_if_exception_type(Busy),
            wait=lambda state: max(_asked_for(state), wait_random_exponential(multiplier=0.2, max=patience.pause_s)(state)),
            stop=stop_after_attempt(patience.tries) | stop_before_delay(patience.seconds),
            sleep=self._waited,
            reraise=True,
        )
        return retrying(self._once, texts, tokens, patience)

    def _once(self, texts: Sequence[str], tokens: int, patience: Patience) -> Vectors:
        self._wait_for_turn(patience)
        body = {"model": self.model, "input": [text if text.strip() else " " for text in texts], "encoding_format": "float"}
        try:
            response = self._client.post(self._endpoint, json=body, timeout=patience.reply_s)
        except httpx.TransportError as error:
            raise Busy(f"the embedding service {self.url} does not answer ({type(error).__name__})") from error
        self._check_status(response)
        try:
            reply = response.json()
            rows = [row["embedding"] for row in sorted(reply["data"], key=lambda row: int(row["index"]))]
            found = np.array(rows, dtype=np.float32)
            used = (reply.get("usage") or {}).get("total_tokens")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Busy(f"the embedding service {self.url} sent no embeddings ({type(error).__name__})") from error
        self._count(used if isinstance(used, int) else tokens)
        return self._checked(found, len(texts))

    def _wait_for_turn(self, patience: Patience) -> None:
        """When the service has told one of us to wait, all wait."""
        wait_s = self._not_before - monotonic()
        if wait_s > patience.seconds:
            raise Unavailable(f"the embedding service {self.url} asked to wait", retry_after_s=round(wait_s) + 1)
        if wait_s > 0:
            self._waited(wait_s)

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        if status in TRY_AGAIN or status >= 500:
            wait_s = retry_after(response.headers)
            self._not_before = max(self._not_before, monotonic() + wait_s)
            raise Busy(f"the embedding service {self.url} answered {status}", wait_s)
        if status in REFUSED:
            raise Misconfigured(f"the embedding service {self.url} refused the key ({status}): set GROUNDWORK_EMBEDDER_KEY")
        if status == 404:
            raise Misconfigured(
                f"the embedding service {self.url} knows no such page or model (404): check GROUNDWORK_EMBEDDER_URL, "
                f"and GROUNDWORK_EMBEDDER={self.model}"
            )
        raise Misconfigured(f"the embedding service {self.url} refused the request ({status}): {self._excerpt(response)}")

    def _excerpt(self, response: httpx.Response) -> str:
        text = " ".join(response.text.split())
        return (text.replace(self._key, "***") if self._key else text)[:EXCERPT]

    def _checked(self, found: Vectors, texts: int) -> Vectors:
        if found.ndim != 2 or len(found) != texts:
            raise Busy(f"the embedding service {self.url} sent {len(found)} vectors for {texts} texts")
        vectors = unit(found)
        if not np.isfinite(vectors).all():
            raise Busy(f"the embedding service {self.url} sent a vector that is zero or no number")
        return vectors

    def _count(self, tokens: int) -> None:
        with self._counting:
            self.tokens += tokens


def retry_after(headers: httpx.Headers) -> float:
    """Seconds that the reply asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date; 0 when it does not say."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        said = headers.get("retry-after", "0")
        return max(0.0, float(said)) if said.replace(".", "", 1).isdigit() else max(0.0, parsedate_to_datetime(said).timestamp() - time())
    except ValueError:
        return 0.0


def _asked_for(state: RetryCallState) -> float:
    error: Any = state.outcome.exception() if state.outcome else None
    return error.wait_s if isinstance(error, Busy) else 0.0
