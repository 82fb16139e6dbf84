"""Which release is searched: the log is followed as releases come, and the last few stay open."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Any, Protocol

from lancedb.db import DBConnection

from index import tables
from index.chunk_rows import FULL_TEXT_COLUMN
from index.chunks import table_name
from index.kept import Kept
from index.ledger import Ledger
from index.release_log import ReleaseLog
from index.releases import Release
from index.search import View
from index.shares import Shares
from index.text_search import TextDatasets

OPEN_VIEWS = 8


class Views(Protocol):
    """Where releases are opened."""

    def view(self, number: int | None = None) -> View:
        """The live release, or the named one."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A release that somebody has opened: the same for as long as it is used, whatever becomes live meanwhile."""

    opened: View

    def view(self, number: int | None = None) -> View:
        """Always that one."""
        del number
        return self.opened


class Reader:
    """Follows the release log and keeps the last few releases open. Safe to share between threads."""

    def __init__(
        self,
        db: DBConnection,
        log: ReleaseLog,
        ledger: Ledger,
        index_cache: int,
        prepare: Callable[[Release], object] = lambda _: None,
        kept: Kept | None = None,
    ) -> None:
        """`prepare` is called on a release of another embedder before it becomes live, and may raise to stay on what is.

        `kept` is the memory for what searches find, which all releases share: none unless it is given.
        """
        self._prepare = prepare
        self.kept = kept or Kept.nothing()
        self._db = db
        self._index_cache = index_cache
        self._log = log
        self._ledger = ledger
        self._views: OrderedDict[int, View] = OrderedDict()
        self.followed = 0
        self._live: Release | None = None
        self._newest = 0
        self._session: Any = None
        self._datasets: dict[str, Any] = {}
        self._texts = TextDatasets(db)
        self._shares: defaultdict[str, Shares] = defaultdict(Shares)
        self._warmed: frozenset[str] = frozenset()
        self._buried: frozenset[tuple[str, int]] = frozenset()
        self._lock = RLock()

    @property
    def newest(self) -> int:
        """The newest release that is taken in: what it says holds for each view from now on."""
        return self._newest

    @property
    def live(self) -> View | None:
        """What is served; None before there is a release."""
        return self.view() if self._live else None

    def follow(self) -> bool:
        """Takes in what happened since the last call; True when there was something new.

        Searches go on with what was live before until the release that is live now is opened and its index is in memory.
        """
        self._log.refresh()
        last = self._log.last
        if last is None or last.seq == self.followed:
            return False
        with self._lock:
            self._forget_stale()
        served: Release | None = None
        if last.state.live:
            view = self.view(last.state.live)
            served = view.release
            if self._live and view.release.embedder != self._live.embedder:
                self._prepare(view.release)
            self._warm(view)
            _ = view.tail  # its statistics are read here, not by the first who searches
        with self._lock:
            if last.seq > self.followed:
                self.followed, self._live, self._newest = last.seq, served, last.state.newest
        return True

    def view(self, number: int | None = None) -> View:
        """The live release, or the named one; raises `NotFound`, `Conflict` or `Unavailable`."""
        release = self._served() if number is None else self._log.servable(number)
        with self._lock:
            view = self._views.get(release.number)
            if view is None:
                view = self._views[release.number] = self._open(release)
                while len(self._views) > OPEN_VIEWS:
                    self._views.popitem(last=False)
            self._views.move_to_end(release.number)
            return view

    def _served(self) -> Release:
        """What searches get: what was live a moment ago is until the new one is ready, even where it was retired meanwhile."""
        return self._live or self._log.live()

    def _warm(self, view: View) -> None:
        """Small commits leave the index as it was: only what is new in it is worth the time."""
        if view.index_segments - self._warmed:
            view.prewarm()
            self._warmed = view.index_segments

    def _open(self, release: Release) -> View:
        name = table_name(release.generation)
        session = tables.session(self._index_cache, release.rows)
        if session is not self._session:  # larger ones, in which there is no index yet
            self._session, self._datasets, self._warmed = session, {}, frozenset()
        if name not in self._datasets:
            self._datasets[name] = tables.dataset(tables.open_existing(self._db, name), session)
        dataset = self._datasets[name].checkout_version(release.version)
        indexes = [index for index in dataset.describe_indices() if FULL_TEXT_COLUMN in index.field_names]
        words = self._texts.at(name, release.version, frozenset(part.uuid for index in indexes for part in index.segments))
        hidden = self._ledger.buried_since(release.number)
        return View(release, dataset, hidden, self._shares[release.generation], words, self.kept)

    def _forget_stale(self) -> None:
        """Drops open views, and passages in memory, of documents that were deleted since: neither may show or hold them."""
        buried = frozenset(self._ledger.buried())
        if buried != self._buried:
            self.kept = self.kept.without(frozenset(doc_id for doc_id, _ in buried - self._buried))
            self._views.clear()
            self._buried = buried
