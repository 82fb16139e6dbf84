"""The order in which what waits is indexed: two lanes taken in turns, in pieces that are done in about a second."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic

from index.documents import Lane, Write
from index.inbox import Inbox
from index.segments import Segment
from tasks.pieces import Pieces

MAX_DOCUMENTS = 200
MAX_BYTES = 4 * 1024 * 1024
MIN_BYTES = 8 * 1024
# A single document must not wait long behind a piece of a bulk load, whether or not one has come lately.
SECONDS_A_PIECE = 0.7
SECONDS_A_PIECE_ALONE = 2.0
ALONE_AFTER_S = 30.0
FIRST_BYTES = 16 * 1024.0


@dataclass(frozen=True, slots=True)
class Piece:
    """What one batch takes from a lane: writes, the segments they come from, and those of them that end with it."""

    lane: Lane
    writes: tuple[Write, ...]
    origins: tuple[str, ...]
    finished: tuple[str, ...]

    @property
    def size(self) -> int:
        """The bytes of its contents."""
        return sum(len(write.draft.content) for write in self.writes)


class Feed:
    """Hands out the writes of one lane in order, a piece at a time."""

    def __init__(self, inbox: Inbox, lane: Lane) -> None:
        self._inbox = inbox
        self._lane: Lane = lane
        self._listed: deque[Segment] = deque()
        self._rest: deque[Write] = deque()
        self._open = ""
        self._handed_out: set[str] = set()
        self._ended: set[str] = set()
        self._kept_by: Counter[str] = Counter()
        self.at_hand: Piece | None = None

    def piece(self, max_bytes: float) -> Piece | None:
        """The oldest writes, at least one and at most about so many bytes; the same again until it is `done`; None when nothing waits."""
        if self.at_hand is None:
            self.at_hand = self._take(max_bytes)
        return self.at_hand

    def keep(self, piece: Piece) -> None:
        """The segments that these writes come from stay in the inbox until they are done too."""
        self._kept_by.update(piece.origins)

    def done(self, piece: Piece) -> None:
        """The piece is in a release: acknowledges the segments that have come to their end, unless something of them is kept."""
        if piece is self.at_hand:
            self.at_hand = None
            self._ended.update(piece.finished)
        else:
            self._kept_by.subtract(piece.origins)
        names = sorted(name for name in self._ended if self._kept_by[name] <= 0)
        if names:
            self._inbox.acknowledge(names)
            self._ended.difference_update(names)
            self._handed_out.difference_update(names)

    def _take(self, max_bytes: float) -> Piece | None:
        writes: list[Write] = []
        origins: list[str] = []
        finished: list[str] = []
        size = 0
        while self._advance():
            origins.append(self._open)
            while self._rest and len(writes) < MAX_DOCUMENTS and (not writes or size + len(self._rest[0].draft.content) <= max_bytes):
                size += len(self._rest[0].draft.content)
                writes.append(self._rest.popleft())
            if self._rest:
                break
            finished.append(self._open)
        return Piece(self._lane, tuple(writes), tuple(origins), tuple(finished)) if writes else None

    def _advance(self) -> bool:
        """Opens the next segment when the one in hand has no write left; False when there is none."""
        while not self._rest:
            if not self._listed:
                self._listed.extend(segment for segment in self._inbox.segments(self._lane) if segment.name not in self._handed_out)
            if not self._listed:
                return False
            self._open = self._listed.popleft().name
            self._handed_out.add(self._open)
            self._rest.extend(self._inbox.read_or_set_aside(self._open))
        return True


@dataclass(slots=True)
class Lanes:
    """Both lanes. The express lane goes first, but never twice in a row while the bulk lane waits."""

    inbox: Inbox
    _feeds: dict[Lane, Feed] = field(init=False)
    _held: list[Piece] = field(default_factory=list)
    _last: Lane = "bulk"
    _express_at: float = field(default_factory=lambda: monotonic() - ALONE_AFTER_S)
    _pieces: Pieces = field(default_factory=lambda: Pieces(FIRST_BYTES))

    def __post_init__(self) -> None:
        """One feed a lane."""
        self._feeds = {"express": Feed(self.inbox, "express"), "bulk": Feed(self.inbox, "bulk")}

    def next_piece(self, is_ready: Callable[[Sequence[Write]], bool] = lambda _: True) -> Piece | None:
        """What to index now: a piece that was held back and `is_ready`, or the next one of a lane; None when nothing waits."""
        for held in self._held:
            if is_ready(held.writes):
                return held
        order: tuple[Lane, Lane] = ("express", "bulk") if self._last == "bulk" else ("bulk", "express")
        for lane in order:
            if piece := self._feeds[lane].piece(self._budget()):
                self._last = lane
                if lane == "express":
                    self._express_at = monotonic()
                return piece
        self._last = "bulk"
        return None

    def hold_back(self, piece: Piece, doc_ids: Iterable[str]) -> Piece:
        """The piece without these documents, which come again later as a piece of their own."""
        feed, late = self._feeds[piece.lane], frozenset(doc_ids)
        held = replace(piece, writes=tuple(write for write in piece.writes if write.doc_id in late))
        feed.keep(held)
        self._held.append(held)
        feed.at_hand = replace(piece, writes=tuple(write for write in piece.writes if write.doc_id not in late))
        return feed.at_hand

    def is_held(self, piece: Piece) -> bool:
        """Whether the piece was held back before."""
        return any(piece is held for held in self._held)

    def done(self, piece: Piece, seconds: float) -> None:
        """The piece went into the index in so much time."""
        self._held = [held for held in self._held if held is not piece]
        self._feeds[piece.lane].done(piece)
        self._pieces.took(piece.size, seconds)

    def _budget(self) -> float:
        alone = monotonic() - self._express_at >= ALONE_AFTER_S
        fitting = self._pieces.fitting(SECONDS_A_PIECE_ALONE if alone else SECONDS_A_PIECE)
        return min(MAX_BYTES, max(MIN_BYTES, fitting))
