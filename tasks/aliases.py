"""Which documents of a batch say the same as another, and which earlier ones no longer do.

An alias is indexed as any document, but marked with its canonical document, so that a search shows one of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from index.documents import Entry
from index.ledger import Ledger
from tasks.dedupe import Canonicals, Fingerprint, canonical_of, fingerprint


@dataclass(frozen=True, slots=True)
class Folding:
    """The canonical document of each alias in the batch, and the bands of each document in it.

    `moved`: other aliases that stand for another document than before, or for themselves, as they are to be. One of them may
    have a newer revision in the batch, which failed.
    """

    duplicate_of: Mapping[str, str] = field(default_factory=dict)
    bands: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    moved: tuple[Entry, ...] = ()


def find_aliases(
    ledger: Ledger, canonicals: Canonicals, texts: Mapping[str, str], gone: Iterable[str], known: Mapping[str, Entry], threshold: float
) -> Folding:
    """Decides for the documents of a batch in their order, and then for the aliases of those that have changed.

    Args:
        ledger: what is indexed.
        canonicals: who may resemble whom.
        texts: what is to be indexed, by doc_id.
        gone: documents of the batch that will have no passage.
        known: the ledger's entries of the batch before it, with text.
        threshold: the least resemblance of an alias to its canonical document; 0 folds nothing.
    """
    prints = {doc_id: fingerprint(text) for doc_id, text in texts.items()} if threshold else {}
    settled = _Settled(ledger, canonicals, {*texts, *gone}, threshold)
    duplicate_of = {doc_id: canonical for doc_id, found in prints.items() if (canonical := settled.settle(doc_id, found))}
    unsettled = [doc_id for doc_id in {*texts, *gone} if doc_id in duplicate_of or _changes(known.get(doc_id), texts.get(doc_id))]
    moved = []
    for entry in ledger.aliases_of(unsettled).values():
        if entry.doc_id not in settled.batch:
            canonical = settled.settle(entry.doc_id, fingerprint(entry.text or ""), before=entry.duplicate_of)
            if canonical != entry.duplicate_of:
                moved.append(standing_for(entry, canonical))
    return Folding(duplicate_of, {doc_id: found.bands for doc_id, found in prints.items()}, tuple(moved))


def standing_for(entry: Entry, canonical: str | None) -> Entry:
    """The entry as an alias of another document, or as a document of its own."""
    state = entry.state if entry.state == "quarantined" else "duplicate" if canonical else "indexed"
    return replace(entry, state=state, duplicate_of=canonical)


class _Settled:
    """The canonical documents, as far as they are decided: those outside of the batch, and one after the other those in it."""

    def __init__(self, ledger: Ledger, canonicals: Canonicals, batch: set[str], threshold: float) -> None:
        self.batch = batch
        self._ledger = ledger
        self._stored = canonicals
        self._threshold = threshold
        self._here = Canonicals()
        self._prints: dict[str, Fingerprint] = {}

    def settle(self, doc_id: str, found: Fingerprint, before: str | None = None) -> str | None:
        """The canonical document of this one: the one it had, while they still resemble each other, else the nearest; None: itself."""
        if not self._threshold:
            return None
        candidates = self._candidates(doc_id, found)
        if before in candidates and canonical_of(found, [(before, candidates[before])], self._threshold):
            return before
        canonical = canonical_of(found, candidates.items(), self._threshold)
        if canonical is None:
            self._here.add(doc_id, found.bands)
            self._prints[doc_id] = found
        return canonical

    def _candidates(self, doc_id: str, found: Fingerprint) -> dict[str, Fingerprint]:
        self._load(self._stored.candidates(found.bands) - self.batch - {doc_id} - self._prints.keys())
        near = (self._stored.candidates(found.bands) - self.batch) | self._here.candidates(found.bands)
        return {name: self._prints[name] for name in near - {doc_id} if name in self._prints}

    def _load(self, doc_ids: set[str]) -> None:
        entries = self._ledger.get(sorted(doc_ids), with_text=True)
        self._prints |= {name: fingerprint(entry.text) for name, entry in entries.items() if entry.is_canonical and entry.text}


def _changes(before: Entry | None, text: str | None) -> bool:
    return before is not None and before.text != text
