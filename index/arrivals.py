"""Arrivals: what a release brought, and when each write in it had been accepted. Freshness is measured from these."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from index.documents import Lane

Kind = Literal["searchable", "unsearchable"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A document that a release made searchable, or a deletion that it applied."""

    lane: Lane
    source: str
    kind: Kind
    accepted_at: datetime


def to_json(arrivals: Iterable[Arrival]) -> str:
    """Grouped, with microseconds since 1970: about 17 bytes each."""
    groups: dict[tuple[str, str, str], list[int]] = {}
    for arrival in arrivals:
        moment = int(arrival.accepted_at.timestamp() * 1e6)
        groups.setdefault((arrival.lane, arrival.source, arrival.kind), []).append(moment)
    return json.dumps([[*group, moments] for group, moments in groups.items()])


def from_json(text: str | None) -> list[Arrival]:
    """What `to_json` was given, group by group."""
    return [
        Arrival(lane, source, kind, datetime.fromtimestamp(moment / 1e6, UTC))
        for lane, source, kind, moments in json.loads(text or "[]")
        for moment in moments
    ]
