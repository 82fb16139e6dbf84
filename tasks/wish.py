"""Asks for a rebuild, and ends one; needs nothing but the release log."""

from typing import Any

from index.errors import Conflict, NotFound
from index.recipe import Recipe, recipe_from
from index.release_log import ReleaseLog
from index.wishes import BY_SETTINGS, RebuildState, Wish, wishes


def ask(log: ReleaseLog, recipe: Recipe, settings: Recipe, by: str, reason: str, *, override: bool = False) -> Wish:
    """Has the ingester make a generation with this recipe; raises `Conflict` while another rebuild is under way.

    `settings` is what the settings ask for: as long as they do, what is asked for here stays.
    """

    def none_is_running() -> None:
        if running := under_way(log):
            raise Conflict(f"rebuild {running.id} is under way; cancel it first, or wait until it has ended")

    detail = {"recipe": recipe.as_json(), "settings": settings.as_json(), "override": override}
    event = log.append("rebuild_asked", 0, by, reason or None, detail, none_is_running)
    return get(log, event.seq)


def follow_settings(log: ReleaseLog, settings: Recipe) -> None:
    """Asks for a rebuild when the settings ask for something else than they did."""
    log.refresh()
    last = next(iter(wishes(log.events)), None)
    known = last.settings if last else made_with(log)
    if known is not None and known != settings:
        detail = {"recipe": settings.as_json(), "settings": settings.as_json()}
        log.append("rebuild_asked", 0, BY_SETTINGS, "the settings have changed", detail)


def override_gate(log: ReleaseLog, release: int, by: str, reason: str) -> None:
    """Has the generation of a candidate that the gate held go live whatever it says; nothing for any other release.

    The candidate shows what was there when it was examined: what came since is added first.
    """
    log.refresh()
    held = next((wish for wish in wishes(log.events)[:1] if wish.state == "held" and wish.detail.get("candidate") == release), None)
    if held:
        ask(log, held.recipe, held.settings, by, reason, override=True)


def end(log: ReleaseLog, wish: Wish, state: RebuildState, by: str, reason: str, **detail: Any) -> None:
    """Says what became of a rebuild; raises `Conflict` when that has been said."""

    def is_running() -> None:
        if get(log, wish.id).state != "running":
            raise Conflict(f"rebuild {wish.id} has ended")

    log.append("rebuild_ended", 0, by, reason or None, {"rebuild": wish.id, "state": state, **detail}, is_running)


def under_way(log: ReleaseLog) -> Wish | None:
    """The rebuild that is to be done now, as of the last refresh."""
    return next((wish for wish in wishes(log.events)[:1] if wish.state == "running"), None)


def get(log: ReleaseLog, number: int) -> Wish:
    """One rebuild; raises `NotFound`."""
    found = next((wish for wish in wishes(log.events) if wish.id == number), None)
    if found is None:
        raise NotFound(f"there is no rebuild {number}; GET /v1/rebuilds lists them")
    return found


def made_with(log: ReleaseLog) -> Recipe | None:
    """The recipe of the newest release; None where it is not known."""
    return recipe_from(log.get(log.state.newest).recipe) if log.state.newest else None
