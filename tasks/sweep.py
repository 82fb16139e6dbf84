"""Compares a source with the ledger and puts the differences into the inbox. Writes no index."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from index.documents import Draft, content_hash
from index.errors import Unavailable
from index.segments import Waiting
from index.stamps import Remembered, Stamps, open_stamps
from index.store import Store
from tasks.compare import Changes, Comparison, facts_hash, needs_confirmation
from tasks.parse import SUFFIXES
from tasks.sources.folder import FolderSource
from tasks.sources.port import Gap, Listed, Seen, Skipped, Source

PAGE = 500
SEGMENT_DOCUMENTS = 100
SEGMENT_BYTES = 1024 * 1024
EXPRESS = 50
MAX_PAUSE_S = 30.0
REPORT_EVERY_S = 10.0
TURN_POLL_S = 0.02
T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep did. `withheld` deletions wait for somebody to confirm them.

    `skipped` documents could not be taken and stay as they were; where there are `gaps`, nothing was removed.
    """

    source: str
    changes: Changes
    withheld: bool
    known: int
    skipped: tuple[Skipped, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How a sweep speaks and waits."""

    say: Callable[[str], object] = _log.info
    pause: Callable[[float], object] = time.sleep


def sweep(store: Store, source: Source, confirm_removals: bool = False, progress: Progress | None = None) -> Sweep:
    """Puts what changed in the source into the inbox, as it is found.

    Raises `OSError`, and deletes nothing, when the source can't be listed to its end. Waits while the inbox is full.
    """
    began = time.time()
    known = known_hashes(store, source.name)
    with stamps_of(store, source) as stamps:
        sweeping = Sweeping(store, source, stamps, Comparison(known, began), progress or Progress())
        return sweeping.run(source.listing(), lambda changes: confirm_removals or not needs_confirmation(changes, len(known)))


def sweep_part(
    store: Store, source: FolderSource, paths: Sequence[Path], may_lose: Callable[[int], bool], progress: Progress | None = None
) -> Sweep:
    """The same for some paths of a folder, which may be gone: files, and folders with all that was in them.

    `may_lose` is asked with a number of documents before they are removed.
    """
    began = time.time()
    with stamps_of(store, source) as stamps:
        ids = [source.doc_id(path) for path in paths]
        known = known_among(store, source.name, {*ids, *(doc_id for top in ids for doc_id in stamps.below(top))})
        sweeping = Sweeping(store, source, stamps, Comparison(known, began), progress or Progress(), EXPRESS)
        return sweeping.run(source.part(paths), lambda changes: may_lose(changes.lost))


@dataclass(frozen=True, slots=True)
class Look:
    """Documents that were read, and those of them that differ from what is indexed."""

    drafts: list[Draft]
    differing: list[Draft]
    skipped: list[Skipped]
    remembered: Mapping[str, Remembered]


def look_into(store: Store, source: Source, stamps: Stamps, comparison: Comparison, piece: Sequence[Listed]) -> Look:
    """Reads documents and compares them with what is remembered of them or, where that says too little, with the ledger."""
    remembered = stamps.of([item.doc_id for item in piece])
    drafts: list[Draft] = []
    skipped: list[Skipped] = []
    for item in source.read(piece):
        if isinstance(item, Draft):
            drafts.append(item)
        else:
            skipped.append(item)
    unclear = [draft.doc_id for draft in drafts if comparison.needs_entry(draft, remembered.get(draft.doc_id))]
    waiting = store.inbox.pending() if unclear else {}
    entries = store.ledger.get([doc_id for doc_id in unclear if doc_id not in waiting])
    differing = [draft for draft in drafts if comparison.differs(draft, remembered.get(draft.doc_id), entries.get(draft.doc_id))]
    return Look(drafts, differing, skipped, remembered)


@dataclass(slots=True)
class Sweeping:
    """A sweep under way. A piece is read and handed in under a lock: an older state never overtakes a newer one.

    The first `express` documents do not wait behind what is handed in in bulk.
    """

    store: Store
    source: Source
    stamps: Stamps
    comparison: Comparison
    progress: Progress
    express: int = 0
    _reported: float = field(default_factory=time.monotonic)

    def run(self, listing: Iterator[Seen], may_remove: Callable[[Changes], bool]) -> Sweep:
        """Compares page by page; what is gone goes last, when the listing has come to its end."""
        while page := list(islice(listing, PAGE)):
            listed = self.comparison.see(page)
            remembered = self.stamps.of([item.doc_id for item in listed])
            for piece in pieces(self.comparison.doubtful(listed, remembered)):
                self._in_turn(partial(self._hand_in, piece))
                self._report()
        changes = self.comparison.changes()
        withheld = bool(changes.removed) and not may_remove(changes)
        if not withheld:
            for start in range(0, len(changes.removed), PAGE):
                self._in_turn(partial(self._remove, changes.removed[start : start + PAGE]))
        found = self.comparison
        return Sweep(self.source.name, changes, withheld, len(found.known), tuple(found.skipped), tuple(found.gaps))

    def _in_turn(self, step: Callable[[], None]) -> None:
        """Takes one step while no other sweep of the source does; when the inbox is full, waits and takes it again."""
        while True:
            with self.store.lease(f"source-{quote(self.source.name, safe='')}") as turn:
                turn.acquire(on_wait=lambda: None, poll_s=TURN_POLL_S)
                try:
                    step()
                except Unavailable as full:
                    pause_s = min(MAX_PAUSE_S, max(1, full.retry_after_s))
                    reason = str(full)
                else:
                    return
            self.progress.say(f"{self.source.name}: {reason}; trying again in {pause_s:.0f} s")
            self.progress.pause(pause_s)

    def _hand_in(self, piece: Sequence[Listed]) -> None:
        """Reads documents, accepts those that differ and remembers all of them."""
        at = time.time()
        found = look_into(self.store, self.source, self.stamps, self.comparison, piece)
        self.store.inbox.accept(found.differing, lane="express" if self.express > 0 else "bulk")
        self.express -= len(found.differing)
        stamps = {item.doc_id: item.stamp for item in piece}
        self.stamps.remember(_as_read(draft, stamps[draft.doc_id], at) for draft in found.drafts)
        self.comparison.note(found.drafts, found.differing, found.skipped, found.remembered)

    def _remove(self, doc_ids: Sequence[str]) -> None:
        """Deletes documents, but for those that came back meanwhile and were handed in by somebody else."""
        remembered = self.stamps.of(doc_ids)
        gone = [doc_id for doc_id in doc_ids if not self.comparison.is_newer(remembered.get(doc_id))]
        self.store.inbox.accept([Draft(doc_id, "delete", source=self.source.name) for doc_id in gone])
        self.stamps.forget(gone)

    def _report(self) -> None:
        if time.monotonic() - self._reported > REPORT_EVERY_S:
            self._reported = time.monotonic()
            self.progress.say(f"{self.source.name}: {self.comparison.progress()}")


def stamps_of(store: Store, source: Source) -> Stamps:
    """What is remembered of the source, as long as it is the same place and the same media types are known."""
    types = content_hash(repr(sorted(SUFFIXES.items())).encode())
    return open_stamps(store.folder, source.name, f"{source.uri} {types}")


def known_hashes(store: Store, source: str) -> dict[str, str]:
    """Content hashes by doc_id of what the ledger has of a source, and of what still waits in the inbox."""
    waiting = store.inbox.pending()  # first: what goes from there to the ledger meanwhile is found there
    known = store.ledger.hashes_of(source)
    return _with_waiting(known, waiting.values(), source)


def known_among(store: Store, source: str, doc_ids: Collection[str]) -> dict[str, str]:
    """The same for some documents."""
    waiting = store.inbox.pending()
    entries = store.ledger.get(sorted(doc_ids)).values()
    known = {entry.doc_id: entry.content_hash for entry in entries if entry.source == source and entry.state != "deleted"}
    return _with_waiting(known, (waiting[doc_id] for doc_id in doc_ids if doc_id in waiting), source)


def _with_waiting(known: dict[str, str], waiting: Iterable[Waiting], source: str) -> dict[str, str]:
    for write in waiting:
        if write.source == source and write.action == "delete":
            known.pop(write.doc_id, None)
        elif write.source == source:
            known[write.doc_id] = write.content_hash
    return known


def _as_read(draft: Draft, stamp: str, at: float) -> Remembered:
    return Remembered(draft.doc_id, stamp, content_hash(draft.content), facts_hash(draft), at)


def pieces(listed: Iterable[Listed]) -> Iterator[list[Listed]]:
    """Cuts documents into pieces that are read, and made durable, at once."""
    return _cut(listed, lambda item: item.size)


def segments(drafts: Iterable[Draft]) -> Iterator[list[Draft]]:
    """Cuts a stream of drafts into pieces that are each durable as one inbox object."""
    return _cut(drafts, lambda draft: len(draft.content))


def _cut(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[list[T]]:
    piece: list[T] = []
    size = 0
    for item in items:
        if piece and (len(piece) == SEGMENT_DOCUMENTS or size + size_of(item) > SEGMENT_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(item)
        size += size_of(item)
    if piece:
        yield piece
