"""Which releases stay servable, by age and by what they take on disk (pure, but for the file of settings)."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from index.overrides import overridden
from index.releases import Release, State

# What was live a moment ago is still being read: by pages of a list, by an evaluation that is about to ask for it to be kept.
KEEP_ALL = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Retention:
    """What may be changed of the retention, with the name that each has in the file of `GROUNDWORK_RETENTION`.

    Of the releases kept are: every proven one for `proven_days`, the `last` ones, one a minute for `minutely_days`, one an hour for
    `hourly_days`. When a generation takes more than `disk_ratio` times the room of its newest rows, and more than `disk_mb`, the
    oldest go first; with a ratio of 0 they never do. Records of answers are kept for `answers_days`.
    """

    proven_days: float = 30.0
    last: int = 20
    minutely_days: float = 1.0
    hourly_days: float = 7.0
    disk_ratio: float = 2.0
    disk_mb: float = 200.0
    answers_days: float = 30.0

    def budget(self, newest: int) -> float:
        """Bytes that a generation may take whose newest rows take so many."""
        return max(self.disk_ratio * newest, self.disk_mb * 1e6) if self.disk_ratio else math.inf


def retention(file: Path | None) -> Retention:
    """That of a TOML file, and the defaults of what it leaves out; raises `Misconfigured` when it can't be used."""
    return overridden(Retention, file, "GROUNDWORK_RETENTION")


def retained(releases: Sequence[Release], state: State, now: datetime, rules: Retention) -> set[int]:
    """The releases that stay servable: what the rules keep, all of the last 5 minutes, what somebody asked to keep, live and the newest."""
    servable = sorted((release for release in releases if release.status != "reclaimed"), key=lambda release: -release.number)
    keep = needed(servable, state, now) | {release.number for release in servable[: rules.last]}
    minutes: dict[tuple[int, ...], int] = {}
    for release in servable:
        age, at = now - release.created_at, release.created_at
        if release.status == "proven" and age <= timedelta(days=rules.proven_days):
            keep.add(release.number)
        if age <= timedelta(days=rules.minutely_days):
            minutes.setdefault((*at.timetuple()[:5],), release.number)
        if age <= timedelta(days=rules.hourly_days):
            minutes.setdefault((*at.timetuple()[:4],), release.number)
    return keep | set(minutes.values())


def needed(releases: Sequence[Release], state: State, now: datetime) -> set[int]:
    """The releases that stay however little room there is: live, the newest, those of the last 5 minutes, what somebody asked to keep."""
    return {state.live, state.newest} | {
        release.number for release in releases if now - release.created_at <= KEEP_ALL or (release.kept_until and release.kept_until > now)
    }


def oldest_to_free(files: Mapping[int, Mapping[str, int]], kept: set[int], excess: float) -> int:
    """Up to which release all that are not `kept` must go so that so many bytes become free, or as many as can; 0: none.

    Args:
        files: bytes by file of the releases, or of some of them; they share most of their files.
        kept: those that may not go.
        excess: bytes.
    """
    sizes = {name: size for each in files.values() for name, size in each.items()}
    last_need = {name: number for number in sorted(files) for name in files[number]}
    stays = {name for number in kept & set(files) for name in files[number]}
    freed = Counter[int]()
    for name, number in last_need.items():
        freed[number] += 0 if name in stays else sizes[name]
    up_to = 0
    for number in sorted(set(files) - kept):
        if excess <= 0:
            break
        # The last ones may free nothing: they would go for nothing.
        up_to = number if freed[number] else up_to
        excess -= freed[number]
    return up_to


def spread(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of the numbers, the first and the last among them, evenly spread."""
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[round(place * (len(numbers) - 1) / (most - 1))] for place in range(most)]
