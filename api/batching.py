"""Questions that are asked at the same time, embedded together: weights that are read once serve them all."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Lock

from index.vectors import Vectors

# More make those who came first wait.
TOGETHER = 16
# Longer questions are passages: padding the others to their length would cost more than it saves.
LONGEST = 400


class Together:
    """Embeds one question at once, and those that come meanwhile as one batch after it: who is alone never waits.

    The threads that ask do the work. The one whose question came first embeds a batch, then hands over to the first of those that wait.
    """

    def __init__(self, one: Callable[[str], Vectors], many: Callable[[Sequence[str]], Vectors]) -> None:
        """`one` is the vector of a question, shape (dimensions,); `many` those of several, a row for each."""
        self._one, self._many = one, many
        self._lock = Lock()
        self._waiting: deque[_Asked] = deque()
        self._is_led = False

    def vector(self, text: str) -> Vectors:
        """The vector of a question; raises what embedding it raises."""
        if len(text) > LONGEST:
            return self._one(text)
        asked = _Asked(text)
        with self._lock:
            self._waiting.append(asked)
            leads, self._is_led = not self._is_led, True
        if not leads:
            leads = asked.leads.result()
        if leads:
            self._embed()
        return asked.vector.result()

    def _embed(self) -> None:
        """The batch of those that wait, the caller's question first among them."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
        try:
            self._answer(batch)
        finally:
            with self._lock:
                self._is_led = bool(self._waiting)
                successor = self._waiting[0] if self._waiting else None
            if successor:
                successor.leads.set_result(True)
        for asked in batch[1:]:
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
    """A question that waits. `leads`: whether its thread is to embed the next batch, or is served by another one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.leads: Future[bool] = Future()
        self.vector: Future[Vectors] = Future()
