"""Whether what is stored of a release can be trusted: rows, indexes and vectors, looked at as a search would use them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.embedder import Embedder, Vectors
from index.search import View

# Of the vectors; at 16 bits the length of one is off by less than 0.001.
LENGTH_OFF = 0.01
# A stored vector and one made of the same text now; at 16 bits, or by another kernel, it is above 0.999.
SAME_VECTOR = 0.98
SAMPLED = 500
EMBEDDED_AGAIN = 48
# Words that surely are in a full-text index: neither stop words nor numbers.
WORD = re.compile(r"[A-Za-z]{5,}")
WORDS_ASKED = 6
TEXT_CANARIES = 24
MOST_FRAGMENTS = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: whether it held, and what was found."""

    name: str
    ok: bool
    detail: str


def documents(shown: Mapping[str, int], stored: Mapping[str, int]) -> Finding:
    """Whether each document that is shown is stored too; both are passages by document."""
    missing = sorted(shown.keys() - stored.keys())
    told = f"{len(missing)} of {len(shown)} are not in it, such as {missing[:3]}" if missing else f"all {len(shown)} are in it"
    return Finding("documents", ok=not missing, detail=told)


def passages(shown: Mapping[str, int], stored: Mapping[str, int]) -> Finding:
    """Whether each document has as many passages stored as are shown, where both were cut in the same way."""
    odd = sorted(doc_id for doc_id in shown.keys() | stored.keys() if shown.get(doc_id, 0) != stored.get(doc_id, 0))
    told = f"{len(odd)} documents have more or fewer, such as {odd[:3]}" if odd else f"all {sum(stored.values())} are in it"
    return Finding("passages", ok=not odd, detail=told)


def lengths(view: View, dimensions: int) -> Finding:
    """Whether vectors have the right number of dimensions and length 1: a sample of them."""
    vectors = view.sample_vectors(min(SAMPLED, view.release.rows))
    if not len(vectors):
        return Finding("vectors", ok=True, detail="there are none")
    if vectors.shape[1] != dimensions:
        return Finding("vectors", ok=False, detail=f"they have {vectors.shape[1]} dimensions in place of {dimensions}")
    off = np.abs(np.linalg.norm(vectors, axis=1) - 1)
    wrong = int((~(off <= LENGTH_OFF)).sum())
    detail = f"{wrong} of {len(vectors)} have a length that is not 1" if wrong else f"{len(vectors)} looked at, all of length 1"
    return Finding("vectors", ok=not wrong, detail=detail)


def vectors_belong(view: View, embedder: Embedder) -> Finding:
    """Whether vectors are those of their passages: some are made again and compared."""
    texts, stored = view.sample_embedded(min(EMBEDDED_AGAIN, view.release.rows))
    if not texts:
        return Finding("embeddings", ok=True, detail="there are none")
    made: Vectors = embedder.embed(texts)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = (made * stored).sum(axis=1) / np.linalg.norm(stored, axis=1)
    wrong = int((~(cosines >= SAME_VECTOR)).sum())
    told = f"{wrong} of {len(texts)} vectors are not those of their passages" if wrong else f"{len(texts)} made again, all the same"
    return Finding("embeddings", ok=not wrong, detail=told)


def text_covered(view: View, allowed: int = 0) -> Finding:
    """Whether the full-text index has the rows, but for so many: its own count, and a few passages looked for by their words."""
    if not view.release.rows:
        return Finding("full text", ok=True, detail="there are no rows")
    if not view.has_full_text:
        return Finding("full text", ok=False, detail="there is no full-text index")
    unindexed = view.unindexed_text()
    if unindexed > allowed:
        return Finding("full text", ok=False, detail=f"{unindexed} rows are not in the full-text index")
    asked = [words for text in view.sample_texts(TEXT_CANARIES) if (words := telling(text))]
    lost = sum(not view.by_text(words, 1, None) for words in asked)
    told = f"{lost} of {len(asked)} passages are not found by their own words" if lost else f"{len(asked)} passages found by their words"
    return Finding("full text", ok=not lost, detail=f"{told}, {unindexed} rows not yet in the index")


def vectors_covered(view: View, allowed: int = 0) -> Finding:
    """Whether the vector index, where there is one, has the rows but for so many, and finds passages by their own vectors."""
    index = view.vector_index
    if index and index.unindexed > allowed:
        return Finding("vector index", ok=False, detail=f"{index.unindexed} rows are not in the vector index")
    sampled = view.sample_vectors(min(TEXT_CANARIES, view.release.rows))
    lost = sum(not _finds_itself(view, vector) for vector in sampled)
    told = f"{lost} of {len(sampled)} passages are not found by their own vector" if lost else f"{len(sampled)} passages found"
    return Finding("vector index", ok=not lost, detail=told)


def fragments(view: View) -> Finding:
    """Whether the table is in few enough pieces."""
    count = view.fragments()
    return Finding("fragments", ok=count <= MOST_FRAGMENTS, detail=f"{count}")


def examined(view: View, embedder: Embedder) -> list[Finding]:
    """All that can be said of a release by itself."""
    checks: Sequence[Callable[[], Finding]] = (
        lambda: lengths(view, embedder.dimensions),
        lambda: vectors_belong(view, embedder),
        lambda: text_covered(view),
        lambda: vectors_covered(view),
        lambda: fragments(view),
    )
    return [check() for check in checks]


@dataclass(frozen=True, slots=True)
class Canary:
    """A passage that is known to be there: what was embedded, and its vector."""

    chunk_id: str
    text: str
    vector: Vectors


def lost(view: View, canaries: Sequence[Canary]) -> list[str]:
    """The canaries that are not found by their own vector, or by none of their words; milliseconds each.

    What the approximate search alone misses is not lost: that is for its recall to tell, and must not stop what comes.
    """
    found = []
    for canary in canaries:
        words = telling(canary.text)
        is_there = _finds_itself(view, canary.vector) or _finds_itself(view, canary.vector, exact=True)
        if not is_there or (words and not view.by_text(words, 1, None)):
            found.append(canary.chunk_id)
    return found


def telling(text: str) -> str:
    """Some words of a text that a full-text index has for sure; empty when there are too few."""
    words = list(dict.fromkeys(WORD.findall(text)))
    return " ".join(words[:WORDS_ASKED]) if len(words) >= WORDS_ASKED else ""


def _finds_itself(view: View, vector: Vectors, *, exact: bool = False) -> bool:
    hits = view.by_vector(vector, 1, None, exact)
    own = float(vector @ vector)
    return bool(hits) and hits[0].score >= own * SAME_VECTOR
