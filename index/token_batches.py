"""Tokens to batches for a model (pure): texts of nearly the same length together, so that next to nothing is padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.vectors import Places


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Texts that go through the model together.

    Attributes:
        places: where each text stands in the list that was given.
        ids: the tokens, of shape (texts, tokens of the longest), padded at the end.
        lengths: how many tokens of each row are its text's.
    """

    places: Places
    ids: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]


def token_batches(tokens: Sequence[Sequence[int]], budget: int, pad: int, first: int = 0) -> Iterator[TokenBatch]:
    """Batches of at most `budget` tokens, padding included; a text that alone has more is a batch of its own.

    The longest come first: what needs most memory shows at once, and what workers wait for at the end is short.
    `first` is the place of the first text.
    """
    lengths = np.array([len(row) for row in tokens], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        rows = order[start : start + max(1, budget // longest)]
        ids = np.full((len(rows), longest), pad, dtype=np.int64)
        for row, place in zip(ids, rows, strict=True):
            row[: lengths[place]] = tokens[place]
        yield TokenBatch(rows + first, ids, lengths[rows])
        start += len(rows)
