"""What is told of the monitors over time: when an alarm began, and when it is over (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from evals.causes import Cause
from evals.drift import Reading
from evals.watch import OF_QUALITY, Finding

# Checks in a row that find nothing, after which an alarm is over: one may be luck.
QUIET = 2
RUNBOOK = {
    Cause.QUESTIONS: "Read the examples: add the documents that they ask for, then sweep. Nothing is wrong with the index.",
    Cause.CORPUS: "Look at what the named release changed. Where the documents are wrong, roll back before it; else renew the questions.",
    Cause.INDEX: "Start the deployment 'tune' with anew = true, then 'maintain'; searches with exact = true are right meanwhile.",
    Cause.EMBEDDER: "The model does not know these words. Try another: POST /v1/rebuilds with dry_run, then shadow mode and the gate.",
    Cause.JUDGE: "Scores by the judge before and after can't be compared. Examine it again; until then only measured metrics gate.",
    Cause.BATCH: "Roll back to before the named release with requeue = true: its documents go through the pipeline again.",
    Cause.UNKNOWN: "Compare the newest evaluation with the one before in its report: it lists each question that lost.",
}


@dataclass(frozen=True, slots=True)
class Status(Reading):
    """One monitor as people see it: its newest reading, where an alarm that is fading stays one, and what is known of the alarm.

    Attributes:
        cause, release: what it points to, and the release where that began, if one did.
        runbook: what to do.
        since: when the alarm began: at the release where it did, else when it was first seen.
        quiet: checks since then that found nothing.
    """

    cause: str | None = None
    release: int | None = None
    runbook: str | None = None
    since: datetime | None = None
    quiet: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """All monitors at a time, and what became of alarms since the check before."""

    at: datetime
    monitors: tuple[Status, ...]
    opened: tuple[str, ...]
    closed: tuple[str, ...]

    @property
    def worst(self) -> Status | None:
        """The alarm that says most: of a fall of known questions before what only hints at it, and of those the oldest."""
        alarms = [status for status in self.monitors if status.state == "alarm" and status.name in OF_QUALITY]
        return min(alarms, key=lambda status: (status.cause == Cause.UNKNOWN, _place(status.name, self.monitors)), default=None)

    def as_json(self) -> dict[str, Any]:
        """As it is stored, and told over HTTP."""
        worst = self.worst
        facts = {name: getattr(worst, key) if worst else None for name, key in (("by", "effect"), ("since", "since"), ("cause", "cause"))}
        return {"worse": worst is not None, **facts, "monitors": [asdict(status) for status in self.monitors]}


def checked(before: Mapping[str, Status], findings: Sequence[Finding], at: datetime, release_at: Mapping[int, datetime]) -> Check:
    """The state of each monitor after a check.

    Args:
        before: what was told by the check before, by monitor.
        findings: of this one.
        at: when it was.
        release_at: when each release was made.
    """
    monitors = tuple(_after(before.get(finding.reading.name), finding, at, release_at) for finding in findings)
    was = {name for name, status in before.items() if status.state == "alarm"}
    now = {status.name for status in monitors if status.state == "alarm"}
    return Check(at, monitors, tuple(sorted(now - was)), tuple(sorted(was - now)))


def from_json(report: Mapping[str, Any]) -> dict[str, Status]:
    """The monitors of a stored check, by name; what this code does not know of is left out."""
    known = {field.name for field in fields(Status)}
    rows = ({name: value for name, value in row.items() if name in known} for row in report["monitors"])
    found = [Status(**row | {"examples": tuple(row["examples"]), "since": _time(row.get("since"))}) for row in rows]
    return {status.name: status for status in found}


def _after(before: Status | None, finding: Finding, at: datetime, release_at: Mapping[int, datetime]) -> Status:
    reading, diagnosis = finding.reading, finding.diagnosis
    told = Status(**asdict(reading))
    is_open = before is not None and before.state == "alarm"
    if reading.state == "alarm" and diagnosis is not None:
        since = before.since if before and is_open else release_at.get(diagnosis.release or 0, at)
        cause = diagnosis.cause
        return replace(told, cause=str(cause), release=diagnosis.release, runbook=RUNBOOK[cause], since=since)
    if before is None or not is_open or (reading.state == "ok" and before.quiet + 1 >= QUIET):
        return told
    # Nobody knows better, or not for long enough: what was told stands.
    return replace(before, detail=f"{before.detail}; now: {reading.detail}"[:1000], quiet=before.quiet + (reading.state == "ok"))


def _place(name: str, monitors: Sequence[Status]) -> int:
    return [status.name for status in monitors].index(name)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
