"""Near-duplicates: documents that say the same as another, found by MinHash and then checked word for word (pure).

Broder (1997), "On the resemblance and containment of documents": the resemblance of two texts is the Jaccard
similarity of their sets of shingles, here of three words each, in lower case.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import xxhash

if TYPE_CHECKING:
    from datasketch import MinHash

SHINGLE_WORDS = 3
# 16 bands of 8 rows: of two texts with resemblance 0.85, 99.4 % meet in a band; with 0.5, 6 %.
BANDS = 16
ROWS = 8
HASHED_AT_ONCE = 4096
# Documents.
MERGED_AT = 2048
# Scripts without spaces: each character counts as a word.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_DIGIT = re.compile(r"\d")
_FOLD = np.uint64(0xFFFFFFFF)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What is compared of a text: the hashes of its shingles and of its words with digits (sorted, each once), and its bands."""

    shingles: Hashes
    numbers: Hashes
    bands: tuple[int, ...]


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a text; takes about a millisecond for a thousand words."""
    words = _WORD.findall(text.casefold())
    hashes = np.fromiter((xxhash.xxh64_intdigest(word.encode()) for word in words), np.uint64, len(words))
    numbers = np.fromiter((bool(_DIGIT.search(word)) for word in words), np.bool_, len(words))
    shingles = np.unique(_shingles(hashes))
    return Fingerprint(shingles, np.unique(hashes[numbers]), _bands(shingles))


def resemblance(one: Fingerprint, other: Fingerprint) -> float:
    """The Jaccard similarity of the shingles, from 0 to 1; 0 when the numbers differ.

    Two invoices, versions or price lists may differ in nothing but a number, and are not the same document.
    """
    if not np.array_equal(one.numbers, other.numbers):
        return 0.0
    common = len(np.intersect1d(one.shingles, other.shingles, assume_unique=True))
    union = len(one.shingles) + len(other.shingles) - common
    return common / union if union else 1.0


def canonical_of(found: Fingerprint, candidates: Iterable[tuple[str, Fingerprint]], threshold: float) -> str | None:
    """The candidate that resembles the text most, if it does so enough; equal ones go by their ids."""
    scored = [(resemblance(found, other), doc_id) for doc_id, other in candidates]
    near = [(-score, doc_id) for score, doc_id in scored if score >= threshold]
    return min(near)[1] if near else None


class Canonicals:
    """Which documents share a band with a text. In memory: 192 bytes a document, and its id.

    It may name documents that have changed lately or are gone: whoever asks compares the texts themselves.
    """

    def __init__(self, rows: Iterable[tuple[str, Sequence[int]]] = ()) -> None:
        self._ids: list[str] = []
        self._merged = 0
        self._bands: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._owners: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self._recent: dict[int, list[int]] = {}
        for doc_id, bands in rows:
            self.add(doc_id, bands)

    def add(self, doc_id: str, bands: Sequence[int]) -> None:
        """Remembers a document as it is now; without bands it resembles nothing any more."""
        self._ids.append(doc_id)
        for band in bands:
            self._recent.setdefault(band, []).append(len(self._ids) - 1)
        if len(self._ids) - self._merged > max(MERGED_AT, self._merged // 8):
            self._merge()

    def __len__(self) -> int:
        """How many documents it remembers; one that was written again lately counts more than once."""
        return len(self._ids)

    def candidates(self, bands: Iterable[int]) -> set[str]:
        """The documents that share a band with these."""
        owners: set[int] = set()
        for band in bands:
            owners.update(self._recent.get(band, ()))
            start, end = np.searchsorted(self._bands, [band, band + 1]) if len(self._bands) else (0, 0)
            owners.update(self._owners[start:end].tolist())
        return {self._ids[owner] for owner in owners}

    def _merge(self) -> None:
        """Takes the recent ones into the sorted arrays, which are an eighth of the size of a dictionary, and drops what they replace."""
        newest = {doc_id: owner for owner, doc_id in enumerate(self._ids) if owner >= self._merged}
        stand = np.fromiter((newest.get(doc_id, owner) == owner for owner, doc_id in enumerate(self._ids)), np.bool_, len(self._ids))
        pairs = [(band, owner) for band, owners in self._recent.items() for owner in owners]
        bands = np.concatenate([self._bands, np.array([band for band, _ in pairs], np.int64)])
        owners = np.concatenate([self._owners, np.array([owner for _, owner in pairs], np.int32)])
        bands, owners = bands[stand[owners]], owners[stand[owners]]
        used = np.zeros(len(self._ids), np.bool_)
        used[owners] = True
        left, owners = np.flatnonzero(used), (np.cumsum(used, dtype=np.int32) - 1)[owners]
        order = np.argsort(bands, kind="stable")
        self._ids = [self._ids[owner] for owner in left]
        self._bands, self._owners, self._recent = bands[order], owners[order], {}
        self._merged = len(self._ids)


def _shingles(words: Hashes) -> Hashes:
    """One hash for each run of three words; for a shorter text, one for all of it."""
    if not len(words):
        return words
    length = min(SHINGLE_WORDS, len(words))
    mixed = np.zeros(len(words) - length + 1, np.uint64)
    for offset in range(length):
        mixed = (mixed ^ words[offset : len(words) - length + 1 + offset]) * _MULTIPLIER
    return mixed


@cache
def _empty_sketch() -> "MinHash":
    """Drawing its permutations anew for each text, always the same, would take longer than the rest."""
    from datasketch import MinHash

    return MinHash(num_perm=BANDS * ROWS, hashfunc=int)


def _bands(shingles: Hashes) -> tuple[int, ...]:
    sketch = _empty_sketch().copy()
    folded = (shingles >> np.uint64(32)) & _FOLD
    for start in range(0, len(folded), HASHED_AT_ONCE):
        sketch.update_batch(folded[start : start + HASHED_AT_ONCE].tolist())
    values = sketch.hashvalues.astype("<u8").reshape(BANDS, ROWS)
    # The number of the band is part of its hash: equal values in different bands do not meet.
    hashes = [xxhash.xxh64_intdigest(row.tobytes(), seed=number) for number, row in enumerate(values)]
    return tuple(value - 2**64 if value >= 2**63 else value for value in hashes)
