"""Rebuilds that were asked for, folded from the release log (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from index.recipe import Recipe
from index.releases import Event

RebuildState = Literal["running", "done", "held", "cancelled", "failed"]
BY_SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Wish:
    """A rebuild.

    Attributes:
        id: the number of the event that asked for it.
        recipe: what the new generation is made with.
        settings: what the settings asked for at that time: who changes them since asks anew.
        override: it goes live whatever the gate says.
        by, reason, at: who asked, why and when.
        state: `held` by the gate; `cancelled` also when another rebuild took its place.
        ended_at: None while it is running.
        detail: what it came to: the generation, and the report of the gate.
    """

    id: int
    recipe: Recipe
    settings: Recipe
    override: bool
    by: str
    reason: str | None
    at: datetime
    state: RebuildState = "running"
    ended_at: datetime | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def wishes(events: Iterable[Event]) -> list[Wish]:
    """Each rebuild that was asked for, newest first; at most the first of them is running."""
    found: list[Wish] = []
    for event in events:
        if event.kind == "rebuild_asked":
            if found and found[0].state == "running":
                found[0] = replace(found[0], state="cancelled", ended_at=event.at)
            found.insert(0, _asked(event))
        elif event.kind == "rebuild_ended" and found and found[0].id == event.detail["rebuild"] and found[0].state == "running":
            detail = {name: value for name, value in event.detail.items() if name not in ("rebuild", "state")}
            found[0] = replace(found[0], state=event.detail["state"], ended_at=event.at, detail=detail | {"why": event.reason})
    return found


def _asked(event: Event) -> Wish:
    recipe, settings = (Recipe(**event.detail[name]) for name in ("recipe", "settings"))
    return Wish(event.seq, recipe, settings, bool(event.detail.get("override")), event.by, event.reason, event.at)
