"""Questions that are asked at the same time, embedded together: weights that are read once serve them all."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Lock

from index.vectors import Vectors

# More make those who came first wait.
TOGETHER = 16
# So many that nobody waits for yet are worth a batch of their own.
AHEAD = 8
# Longer questions are passages: those that go together with one would wait for it.
LONGEST = 400


class Together:
    """Embeds one question at once, and those that come meanwhile as one batch after it: who is alone waits for nobody.

    The one whose question came first embeds a batch, in its own thread, then hands over to the first of those that wait. Questions that
    are known `ahead` fill up the batches, and have one of their own, in a thread that is there for it, when there are many.
    """

    def __init__(self, one: Callable[[str], Vectors], many: Callable[[Sequence[str]], Vectors]) -> None:
        """`one` is the vector of a question, shape (dimensions,); `many` those of several, a row for each."""
        self._one, self._many = one, many
        self._lock = Lock()
        self._waiting: deque[_Asked] = deque()
        self._ahead: dict[str, _Asked] = {}
        self._thread = ThreadPoolExecutor(1, "ahead")
        self._thread.submit(int)  # starts it here, where failing does no harm
        self._is_led = False

    def vector(self, text: str) -> Vectors:
        """The vector of a question; raises what embedding it raises."""
        if len(text) > LONGEST:
            return self._one(text)
        with self._lock:
            asked = self._ahead.get(text)
            if asked is None or asked.has_failed:
                asked = _Asked(text)
            waits, leads = not asked.is_taken, False
            if waits:
                asked.is_taken = True
                self._waiting.append(asked)
                leads, self._is_led = not self._is_led, True
        if leads or (waits and asked.leads.result()):
            self._embed()
        return asked.vector.result()

    @contextmanager
    def ahead(self, text: str) -> Generator[None]:
        """Says that somebody is going to ask for a vector: until this ends it may be embedded with those of others."""
        if len(text) > LONGEST:
            yield
            return
        with self._lock:
            asked = self._ahead.setdefault(text, _Asked(text))
            asked.holders += 1
        try:
            with self._lock:
                self._go_ahead()
            yield
        finally:
            with self._lock:
                asked.holders -= 1
                if not asked.holders:
                    del self._ahead[text]

    def _go_ahead(self) -> None:
        """Has a batch of questions embedded that nobody waits for yet, if there are many. Under the lock."""
        if not self._is_led and sum(not asked.is_taken for asked in self._ahead.values()) >= AHEAD:
            self._is_led = True
            self._thread.submit(self._embed)

    def _batch(self) -> "list[_Asked]":
        """Those that somebody waits for, and as many others as there is room for. Under the lock."""
        batch = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
        others = (asked for asked in self._ahead.values() if not asked.is_taken)
        batch += list(islice(others, TOGETHER - len(batch)))
        for asked in batch:
            asked.is_taken = True
        return batch

    def _embed(self) -> None:
        """The next batch; if its caller waits for a question, that is the first of it."""
        with self._lock:
            batch = self._batch()
        try:
            if batch:
                self._answer(batch)
        finally:
            with self._lock:
                self._is_led = bool(self._waiting)
                successor = self._waiting[0] if self._waiting else None
                self._go_ahead()
            if successor:
                successor.leads.set_result(True)
        for asked in batch:
            if not asked.leads.done():
                asked.leads.set_result(False)

    def _answer(self, batch: "Sequence[_Asked]") -> None:
        try:
            found = self._many([asked.text for asked in batch]) if len(batch) > 1 else [self._one(batch[0].text)]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one of them, the others wait for their vectors
            self._answer_alone(batch, error)
            return
        for asked, vector in zip(batch, found, strict=True):
            asked.vector.set_result(vector)

    def _answer_alone(self, batch: "Sequence[_Asked]", error: Exception) -> None:
        """An error goes to who asked: the questions of a batch that failed are embedded one by one."""
        if len(batch) == 1:
            batch[0].vector.set_exception(error)
            return
        for asked in batch:
            self._answer([asked])


class _Asked:
    """A question. `leads`: whether the thread that waits for it is to embed the next batch, or is served by another one.

    `is_taken`: it is in a batch, or a thread waits for it. `holders`: how many say that they are going to ask it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.is_taken = False
        self.holders = 0
        self.leads: Future[bool] = Future()
        self.vector: Future[Vectors] = Future()

    @property
    def has_failed(self) -> bool:
        """Whether it could not be embedded, when it was tried."""
        return self.vector.done() and self.vector.exception() is not None
