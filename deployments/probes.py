"""Whether a part that was started is up: it does what the others need it for."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from deployments.calls import call


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a part; a probe must not take the traces of an earlier one for it."""

    pid: int
    at: datetime


class Probe(Protocol):
    """The port. It is asked again and again until it says yes; it never raises."""

    async def __call__(self, start: Start) -> bool:
        """Whether the process of this start is up."""
        ...


@dataclass(frozen=True, slots=True)
class Answers:
    """Up when a URL answers 200."""

    url: str

    async def __call__(self, start: Start) -> bool:  # noqa: ARG002 - the port was free before: it is this start that answers
        """Whether it does now."""
        return (await call("GET", self.url)).status == 200


@dataclass(frozen=True, slots=True)
class WritesItsPid:
    """Up when the part has written its process id into a file."""

    path: Path

    async def __call__(self, start: Start) -> bool:
        """Whether the id is that of this start."""
        with suppress(OSError):
            return self.path.read_text().strip() == str(start.pid)
        return False


@dataclass(frozen=True, slots=True)
class PollsForRuns:
    """Up when a served deployment has asked the Prefect server for work since the start."""

    prefect_url: str

    async def __call__(self, start: Start) -> bool:
        """Whether any deployment has been polled since then."""
        reply = await call("POST", f"{self.prefect_url}/deployments/filter", {})
        polled = [found["last_polled"] for found in reply.body or [] if found["last_polled"]] if reply.status == 200 else []
        return any(datetime.fromisoformat(at) >= start.at for at in polled)


@dataclass(frozen=True, slots=True)
class Survives:
    """Up when the process is still there after some seconds: for what can't be asked from here."""

    seconds: float

    async def __call__(self, start: Start) -> bool:
        """Whether this start is that long ago."""
        return (datetime.now(UTC) - start.at).total_seconds() >= self.seconds
