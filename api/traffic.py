"""What people ask, kept for those who watch over quality: out of everybody's way, in a thread of its own."""

import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from statistics import fmean
from threading import Event, Thread
from uuid import uuid4

from index.embedder import Embedder
from index.queries import TOP, Asked, Queries
from tasks.answer import Answer
from tasks.language import language_of
from tasks.retrieve import Query, Retrieved
from tasks.wording import wording

# Sooner than a purge looks for what must be forgotten: see `tasks.purge.READERS_FOLLOW_S`.
WRITE_EVERY_S = 2.0
WRITE_ROWS = 200
WAITING = 2_000
STOP_WITHIN_S = 3.0
# What the shares of the metrics are about: so many searches, and so many answers.
LOOKED_BACK = 1_000
WARM_UP = "Which language is this?"
_log = logging.getLogger("groundwork.api")
Noted = tuple[Asked, Embedder]


class Traffic:
    """Notes questions that were answered, and writes a share of them to the index. Nobody waits for it, and nothing fails with it.

    Attributes:
        logged: questions that were written, since the start.
        dropped: questions that were to be written and were not: too many waited, or the index could not be written.
    """

    def __init__(self, queries: Queries, share: float, chance: random.Random | None = None) -> None:
        """Of the questions, `share` (0 to 1) are written; 0 writes none."""
        self._queries = queries
        self._share = share
        self._chance = chance or random.Random()  # noqa: S311 - a sample, no secret
        self._waiting: Queue[Noted] = Queue(WAITING)
        self._due = Event()
        self._stopping = Event()
        self._thread: Thread | None = None
        self._without_hits: deque[bool] = deque(maxlen=LOOKED_BACK)
        self._not_grounded: deque[bool] = deque(maxlen=LOOKED_BACK)
        self.logged = 0
        self.dropped = 0
        self._more_logged: Callable[[int], object] = _nobody
        self._more_dropped: Callable[[int], object] = _nobody

    def counted_by(self, logged: Callable[[int], object], dropped: Callable[[int], object]) -> None:
        """Who is told of each question that was written, and of each that was to be."""
        self._more_logged, self._more_dropped = logged, dropped

    def start(self) -> None:
        """Begins to write."""
        self._thread = Thread(target=self._run, name="traffic", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left, and ends."""
        self._stopping.set()
        self._due.set()
        if self._thread:
            self._thread.join(STOP_WITHIN_S)

    def saw_search(self, query: Query, found: Retrieved, embedder: Embedder, key: str) -> None:
        """A search was answered."""
        self._without_hits.append(not found.hits)
        if self._is_sampled():
            self._note(asked(query, found, embedder, key), embedder)

    def saw_answer(self, query: Query, made: Answer, answer_id: str, embedder: Embedder, key: str) -> None:
        """A question was answered."""
        self._not_grounded.append(not made.grounded)
        if self._is_sampled():
            searched = asked(query, made.retrieved, embedder, key)
            self._note(replace(searched, kind="answer", grounded=made.grounded, answer_id=answer_id), embedder)

    @property
    def without_hits(self) -> float | None:
        """The share of the last searches that found nothing; None when there were none."""
        return fmean(self._without_hits.copy()) if self._without_hits else None

    @property
    def not_grounded(self) -> float | None:
        """The share of the last answers that had no ground in the sources; None when there were none."""
        return fmean(self._not_grounded.copy()) if self._not_grounded else None

    def _is_sampled(self) -> bool:
        return self._share > 0 and self._chance.random() < self._share

    def _note(self, question: Asked, embedder: Embedder) -> None:
        try:
            self._waiting.put_nowait((question, embedder))
        except Full:
            self._drop(1)
        # A writer that slept on the queue would be woken by each search, which would wait for it: it looks now and then.
        if self._waiting.qsize() >= WRITE_ROWS:
            self._due.set()

    def _run(self) -> None:
        if self._share > 0:
            language_of(WARM_UP, len(WARM_UP))  # loads what tells languages, a second of work, before somebody asks
        ends = False
        while not ends:
            self._due.wait(WRITE_EVERY_S)
            self._due.clear()
            ends = self._stopping.is_set()
            # Each writing is a commit: of a steady stream not one for each question that came during the last one.
            while noted := self._next():
                self._write(noted)
                if len(noted) < WRITE_ROWS:
                    break

    def _next(self) -> list[Noted]:
        noted: list[Noted] = []
        with suppress(Empty):
            while len(noted) < WRITE_ROWS:
                noted.append(self._waiting.get_nowait())
        return noted

    def _drop(self, questions: int) -> None:
        self.dropped += questions
        self._more_dropped(questions)

    def _write(self, noted: Sequence[Noted]) -> None:
        try:
            self._queries.write([worded(question, embedder) for question, embedder in noted])
            self.logged += len(noted)
            self._more_logged(len(noted))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a log of questions, questions are answered
            self._drop(len(noted))
            _log.warning("%d questions could not be written down: %s", len(noted), error)


def _nobody(_: int) -> None:
    """Does not want to know."""


def asked(query: Query, found: Retrieved, embedder: Embedder, key: str) -> Asked:
    """What is kept of a search. Quick: how it is worded is looked at later."""
    return Asked(
        id=uuid4().hex,
        at=datetime.now(UTC),
        text=query.text,
        vector=found.vector,
        mode=query.mode,
        release=found.release,
        k=query.k,
        filtered=bool(query.filter or query.always),
        hits=len(found.hits),
        best=found.best,
        scores=tuple(hit.score for hit in found.hits[:TOP]),
        doc_ids=tuple(hit.chunk.doc_id for hit in found.hits[:TOP]),
        kind="search",
        grounded=None,
        answer_id=None,
        language=None,
        tokens=0,
        unknown=0.0,
        key=key,
        embedder=embedder.fingerprint,
    )


def worded(question: Asked, embedder: Embedder) -> Asked:
    """With its wording."""
    found = wording(question.text, embedder.tokenizer())
    return replace(question, language=found.language, tokens=found.tokens, unknown=found.unknown)
