"""What differs between a source and what is known of it, decided from facts (pure).

In two steps: a document whose stamp is the remembered one is unchanged and is not read; the others are read, and
what they carry is compared.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from index.documents import Draft, Entry, content_hash
from index.stamps import Remembered
from tasks.sources.port import Gap, Listed, Seen, Skipped

MAX_REMOVED_SHARE = 0.1
MIN_REMOVED = 5


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs: documents to write (new or changed) and ids to delete.

    `moved` has old and new ids of documents that are both: removed here, added there, with the same bytes.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    moved: tuple[tuple[str, str], ...] = ()

    @property
    def lost(self) -> int:
        """How many of the removed documents are not to be found elsewhere in the source."""
        return len(self.removed) - len(self.moved)


def needs_confirmation(changes: Changes, known: int) -> bool:
    """Whether so much would be lost that a person should look first: a tenth of the source, and more than a handful."""
    return changes.lost > max(MIN_REMOVED, known * MAX_REMOVED_SHARE)


@dataclass(slots=True)
class Comparison:
    """A source against what is known of it, gathered page by page.

    Args:
        known: content hashes by doc_id, as the index has them.
        began: when `known` was read; what is remembered since then is newer than it.
    """

    known: Mapping[str, str]
    began: float
    skipped: list[Skipped] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unchanged: int = 0
    _added: dict[str, str] = field(default_factory=dict)
    _changed: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def see(self, page: Iterable[Seen]) -> list[Listed]:
        """Notes what was listed; returns the documents that can be read, each once."""
        found = []
        for item in page:
            if isinstance(item, Gap):
                self.gaps.append(item)
            elif item.doc_id in self._seen:
                self.skipped.append(Skipped(item.doc_id, "listed twice: the first is taken"))
            else:
                self._seen.add(item.doc_id)
                if isinstance(item, Skipped):
                    self.skipped.append(item)
                else:
                    found.append(item)
        return found

    def doubtful(self, listed: Sequence[Listed], remembered: Mapping[str, Remembered]) -> list[Listed]:
        """Those that must be read to know whether they changed; the others are noted as unchanged."""
        doubts = [item for item in listed if not self._is_as_remembered(item, remembered.get(item.doc_id))]
        self.unchanged += len(listed) - len(doubts)
        return doubts

    def needs_entry(self, draft: Draft, remembered: Remembered | None) -> bool:
        """Whether only the ledger can tell if the draft differs: the bytes are as known, and nothing else of it is remembered."""
        before = self._before(draft.doc_id, remembered)
        return before == content_hash(draft.content) and (remembered is None or remembered.content_hash != before)

    def differs(self, draft: Draft, remembered: Remembered | None, entry: Entry | None = None) -> bool:
        """Whether the draft carries anything else than what is indexed."""
        before = self._before(draft.doc_id, remembered)
        if before != content_hash(draft.content):
            return True
        if remembered is not None and remembered.content_hash == before:
            return remembered.facts != facts_hash(draft)
        return entry is None or not _same_facts(draft, entry)

    def note(
        self, drafts: Sequence[Draft], written: Sequence[Draft], skipped: Sequence[Skipped], remembered: Mapping[str, Remembered]
    ) -> None:
        """Counts documents that were read, of which some were written, and those that could not be read."""
        self.skipped += skipped
        self.unchanged += len(drafts) - len(written)
        for draft in written:
            if self._before(draft.doc_id, remembered.get(draft.doc_id)) is None:
                self._added[draft.doc_id] = content_hash(draft.content)
            else:
                self._changed.append(draft.doc_id)

    def changes(self) -> Changes:
        """What differs, now that all is compared. With a gap nothing is removed: it may be in there."""
        removed = () if self.gaps else tuple(doc_id for doc_id in self.known if doc_id not in self._seen)
        return Changes(
            added=tuple(self._added),
            changed=tuple(self._changed),
            removed=removed,
            unchanged=self.unchanged,
            moved=moves({doc_id: self.known[doc_id] for doc_id in removed}, self._added),
        )

    def progress(self) -> str:
        """How far it has come, for people."""
        return f"{len(self._seen)} compared, {len(self._added)} new, {len(self._changed)} changed"

    def is_newer(self, remembered: Remembered | None) -> bool:
        """Whether somebody else has handed the document in since this comparison began."""
        return remembered is not None and remembered.at >= self.began

    def _before(self, doc_id: str, remembered: Remembered | None) -> str | None:
        return remembered.content_hash if remembered is not None and self.is_newer(remembered) else self.known.get(doc_id)

    def _is_as_remembered(self, item: Listed, remembered: Remembered | None) -> bool:
        if remembered is None or not item.stamp or item.stamp != remembered.stamp:
            return False
        return remembered.content_hash == self._before(item.doc_id, remembered)


def moves(removed: Mapping[str, str], added: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Pairs of old and new ids with equal content hashes, each id once (pure)."""
    old: dict[str, list[str]] = defaultdict(list)
    for doc_id, digest in removed.items():
        old[digest].append(doc_id)
    return tuple((old[digest].pop(), doc_id) for doc_id, digest in added.items() if old.get(digest))


def facts_hash(draft: Draft) -> str:
    """A hash of all that a draft carries beside its bytes."""
    return content_hash(json.dumps([draft.media_type, draft.title, draft.uri, draft.metadata], sort_keys=True).encode())


def _same_facts(draft: Draft, entry: Entry) -> bool:
    """The ledger's title may be one that was found in the text: it says nothing where the source knows no titles."""
    return (
        entry.media_type == draft.media_type
        and entry.uri == draft.uri
        and json.loads(entry.metadata or "{}") == draft.metadata
        and (draft.title is None or draft.title == (entry.title or ""))
    )
