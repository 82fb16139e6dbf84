"""What a judge may use up, and what it has used up."""

from dataclasses import dataclass, field
from time import monotonic

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that one evaluation, or one exam, may cost; of the file of `GROUNDWORK_JUDGE_BUDGET`. 0 is no bound.

    Attributes:
        tokens: that the judge reads and writes, as its endpoint counts them.
        seconds: that all of it takes. Never without bound: an endpoint can hang.
        questions: that are judged; always the same ones of a golden set.
        parallel: calls at a time.
        call_seconds: that one call may take, with what it is retried; a longer `Retry-After` is not waited for.
        retries: of a call that the endpoint refused (429, 5xx) or that broke off.
        reply_tokens: that the judge may write in one call.
        failures: so many calls in a row that got no reply end it.
    """

    tokens: int = 2_000_000
    seconds: float = 1_800.0
    questions: int = 0
    parallel: int = 4
    call_seconds: float = 60.0
    retries: int = 2
    reply_tokens: int = 2_048
    failures: int = 12


class NotAsked(Exception):
    """The judge is not asked, or not any more; says why."""


@dataclass(slots=True)
class Meter:
    """What one evaluation or exam has used up.

    Attributes:
        budget: what it may.
        calls: replies that came.
        tokens: that they took.
        estimated: whether an endpoint did not count them, so that four characters were taken for one.
    """

    budget: Budget
    calls: int = 0
    tokens: int = 0
    estimated: bool = False
    _in_a_row: int = 0
    _last: str = ""
    _began: float = field(default_factory=monotonic)

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return monotonic() - self._began

    @property
    def gave_up(self) -> str | None:
        """Why the judge is not asked any more, if its endpoint is the reason."""
        if self._in_a_row < max(1, self.budget.failures):
            return None
        return f"the judge had failed {self._in_a_row} times in a row, last with: {self._last}"

    @property
    def used_up(self) -> str | None:
        """Which bound is reached, if one is."""
        if self.budget.tokens and self.tokens >= self.budget.tokens:
            return f"{self.budget.tokens:,} tokens were used up"
        return f"{self.budget.seconds:g} s were used up" if self.seconds >= self.budget.seconds else None

    def admit(self) -> None:
        """Raises `NotAsked` when there should be no further call."""
        if why := self.gave_up or self.used_up:
            raise NotAsked(f"not judged: {why}")

    def replied(self, asked: str, reply: str, tokens: int | None) -> None:
        """A reply came; `tokens` is what the endpoint counted."""
        self.calls += 1
        self.estimated |= tokens is None
        self.tokens += (len(asked) + len(reply)) // CHARACTERS_PER_TOKEN if tokens is None else tokens
        self._in_a_row = self._in_a_row if self.gave_up else 0

    def failed(self, reason: str) -> None:
        """No reply came. Of calls at the same time some fail after it was given up: they add nothing."""
        if not self.gave_up:
            self._in_a_row += 1
            self._last = reason
