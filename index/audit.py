"""What people, and programs on their behalf, have done to what is served: read from the release log (pure)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from index.releases import Event
from index.timeline import Timeline

# Of the log; the rest is what the platform does by itself, all the time.
KINDS = {
    "promoted": "promoted",
    "rolled_back": "rolled back",
    "resumed": "resumed",
    "held": "held",
    "proven": "proven",
    "rebuild_asked": "asked for a rebuild",
    "rebuild_ended": "ended a rebuild",
    "requeued": "requeued",
    "purge_asked": "asked for a purge",
    "purged": "purged",
    "key_made": "made a key",
    "key_rotated": "rotated a key",
    "key_revoked": "revoked a key",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """An event of the log, with what was live before it."""

    event: Event
    what: str
    was: int


def deeds(events: Iterable[Event], timeline: Timeline) -> Iterator[Deed]:
    """Those that people want to know about, in the order of the events."""
    return (Deed(event, KINDS[event.kind], timeline.before(event.seq)) for event in events if event.kind in KINDS)
