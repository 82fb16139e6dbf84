"""Searches that wait for their turn: meanwhile their questions are embedded, many together."""

from contextlib import AbstractContextManager, nullcontext
from weakref import ref

import msgspec

from api.asking import Asking
from api.batching import LONGEST
from api.intake import UNREADABLE
from index.embedder import Embedder

# A body with a question that is worth it; decoding a large one would hold up all others.
MOST_BYTES = 16 * LONGEST


class _Asks(msgspec.Struct):
    """What of a search matters here; all else, and whether it is allowed, is checked when it is its turn."""

    query: str
    mode: str = "hybrid"
    release: int | None = None
    cursor: str | None = None


class Ahead:
    """Knows the model of the last search of what is live: the next one most likely asks it too."""

    def __init__(self) -> None:
        self._model: ref[Asking] | None = None  # a model that is replaced must not stay for it

    def uses(self, embedder: Embedder | None) -> None:
        """Notes the model of a search."""
        self._model = ref(embedder) if isinstance(embedder, Asking) else None

    def of(self, body: bytes) -> AbstractContextManager[None]:
        """While it lasts the question in the body of a search may be embedded."""
        model = self._model and self._model()
        asks = _asks(body) if model and len(body) <= MOST_BYTES else None
        return model.ahead(asks.query) if model and asks else nullcontext()


def _asks(body: bytes) -> _Asks | None:
    """None where no vector is needed, or that of another release, or it can't be understood."""
    try:
        asks = msgspec.json.decode(body, type=_Asks)
    except UNREADABLE:
        return None
    return asks if asks.query.strip() and asks.mode != "text" and asks.release is None and not asks.cursor else None
