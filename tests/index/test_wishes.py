"""Rebuilds, folded from the log."""

from datetime import UTC, datetime
from typing import Any

from index.recipe import Recipe
from index.releases import Event, State
from index.wishes import wishes

AT = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = {"recipe": Recipe(dimensions=32).as_json(), "settings": Recipe().as_json()}


def event(seq: int, kind: Any, **detail: Any) -> Event:
    return Event(seq, kind, AT, "admin", "why not", 0, detail, State())


def test_one_that_was_asked_for_is_running_until_it_has_ended():
    asked, ended = event(3, "rebuild_asked", **ASKED), event(5, "rebuild_ended", rebuild=3, state="done", release=9)
    [running] = wishes([asked, event(4, "released")])
    assert (running.id, running.state, running.recipe.dimensions, running.ended_at) == (3, "running", 32, None)
    [done] = wishes([asked, ended])
    assert (done.state, done.detail) == ("done", {"release": 9, "why": "why not"})


def test_another_one_takes_its_place():
    found = wishes([event(3, "rebuild_asked", **ASKED), event(4, "rebuild_asked", **ASKED)])
    assert [(wish.id, wish.state) for wish in found] == [(4, "running"), (3, "cancelled")]


def test_the_end_of_one_that_has_ended_changes_nothing():
    ends = [event(4, "rebuild_ended", rebuild=3, state="held"), event(5, "rebuild_ended", rebuild=3, state="done")]
    found = wishes([event(3, "rebuild_asked", **ASKED), *ends])
    assert [wish.state for wish in found] == ["held"]
