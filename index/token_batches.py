"""Tokens to batches for a model (pure): texts of nearly the same length together, so that little is padding.

Batches come in few shapes: a processor's library makes and keeps code for each shape that it meets, 2 MB for one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.vectors import Places

# Lengths are filled up to a multiple of the first, above `SHORT` tokens of the second.
STEPS = (8, 16)
SHORT = 64
# A short text by itself is a question, and somebody waits for it.
STEP_ALONE = 4
# Where all texts attend at once (`PaddedBert`), leaving out padding costs copies: below this share of a batch they are worth it.
WORTH_IT = 0.9


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Texts that go through the model together.

    Attributes:
        places: where each text stands in the list that was given.
        ids: the tokens, of shape (texts, tokens of the longest and a few), padded at the end.
        lengths: how many tokens of each row are its text's. There may be more rows than texts, to fill up.
    """

    places: Places
    ids: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many tokens are worth computing: all, or about as many as are no padding where that saves much."""
        real = filled(int(self.lengths.sum()))
        return real if real < WORTH_IT * self.ids.size else self.ids.size


def together(tokens: Sequence[Sequence[int]], pad: int, most: int) -> TokenBatch:
    """A few short texts as one batch, however much of it is padding; arguments as those of `token_batches`."""
    lengths = np.ones(1 << (len(tokens) - 1).bit_length(), dtype=np.int64)
    lengths[: len(tokens)] = _lengths(tokens)
    ids = np.full((len(lengths), padded(int(lengths.max()), most)), pad, dtype=np.int64)
    for row, text in zip(ids, tokens, strict=False):
        row[: len(text)] = text
    return TokenBatch(np.arange(len(tokens)), ids, lengths)


def _lengths(tokens: Sequence[Sequence[int]]) -> npt.NDArray[np.int64]:
    """A text without tokens has one that fills up: something must stand for it."""
    return np.array([max(1, len(row)) for row in tokens], dtype=np.int64)


def filled(count: int) -> int:
    """The next number with no more than three binary digits before its zeros: of those there are few, and none is far."""
    step = 1 << max(0, count.bit_length() - 3)
    return -(-count // step) * step


def token_batches(tokens: Sequence[Sequence[int]], budget: int, pad: int, most: int, first: int = 0) -> Iterator[TokenBatch]:
    """Batches of at most `budget` tokens, padding included; a text that alone has more is a batch of its own.

    The longest come first: what needs most memory shows at once, and what workers wait for at the end is short.

    Args:
        tokens: those of each text.
        budget: the most tokens of a batch.
        pad: the token that fills up.
        most: the most tokens that the model reads; nothing is filled up beyond it.
        first: the place of the first text.
    """
    lengths = _lengths(tokens)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = padded(int(lengths[order[start]]), most, alone=len(order) == 1)
        rows = order[start : start + _together(len(order) - start, max(1, budget // width))]
        ids = np.full((len(rows), width), pad, dtype=np.int64)
        for row, place in zip(ids, rows, strict=True):
            row[: len(tokens[place])] = tokens[place]
        yield TokenBatch(rows + first, ids, lengths[rows])
        start += len(rows)


def padded(length: int, most: int, *, alone: bool = False) -> int:
    """The length up to which a text of so many tokens is filled; less is filled up in a text that is embedded `alone`."""
    step = STEP_ALONE if alone and length <= SHORT else STEPS[length > SHORT]
    return max(length, min(most, -(-max(1, length) // step) * step))


def _together(waiting: int, full: int) -> int:
    """How many of the waiting texts go into a batch: a full one, or a power of two."""
    return full if waiting >= full else 1 << (waiting.bit_length() - 1)
