"""Searches that wait for their turn: meanwhile their questions are embedded, many together."""

from contextlib import AbstractContextManager, nullcontext

import msgspec

from api.asking import Asking
from api.batching import LONGEST
from index.embedder import Embedder

# A body with a question that is worth it; decoding a large one would hold up all others.
MOST_BYTES = 16 * LONGEST


class _Asks(msgspec.Struct):
    """What of a search matters here; all else, and whether it is allowed, is checked when it is its turn."""

    query: str
    mode: str = "hybrid"
    release: int | None = None


class Ahead:
    """Knows the model of the last search; the next one most likely asks it too, and who asks another one loses nothing."""

    def __init__(self) -> None:
        self._model: Asking | None = None

    def uses(self, embedder: Embedder | None) -> None:
        """Notes the model of a search."""
        self._model = embedder if isinstance(embedder, Asking) else None

    def of(self, body: bytes) -> AbstractContextManager[None]:
        """While it lasts the question in the body of a search may be embedded."""
        asks = _asks(body) if self._model and len(body) <= MOST_BYTES else None
        return self._model.ahead(asks.query) if self._model and asks else nullcontext()


def _asks(body: bytes) -> _Asks | None:
    """None where no vector is needed, or that of another release, or nothing can be understood."""
    try:
        asks = msgspec.json.decode(body, type=_Asks)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return asks if asks.mode != "text" and asks.release is None else None
