"""The automations in Prefect that hear of alarms; people add to them what they shall do."""

import logging
from typing import Any

import httpx
from prefect.automations import Automation
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import PrefectException

ADD = "Add an action here, such as a notification; this automation is made only once."
AUTOMATIONS = {
    "Groundwork: freshness and broken batches": (
        {"groundwork.freshness.late", "groundwork.freshness.stuck", "groundwork.batch.stopped", "groundwork.batch.unusual"},
        (
            "Fires when single documents take longer than the goal, when something waits and nothing moves, and when a batch was stopped "
            "because most of it broke the data contract."
        ),
    ),
    "Groundwork: drift": (
        {"groundwork.drift.alarm"},
        "Fires when retrieval is worse than it was by more than chance, or people ask otherwise; the event names the cause and what to do.",
    ),
}
_log = logging.getLogger("groundwork.flows")


def ensure_automations() -> None:
    """Makes each automation unless there is one of its name; what people have changed of it stays."""
    for name, (events, description) in AUTOMATIONS.items():
        try:
            _ensure(name, events, f"{description} {ADD}")
        except (httpx.HTTPError, PrefectException) as error:
            _log.warning("the automation %r could not be made: %s", name, type(error).__name__)


def _ensure(name: str, events: set[str], description: str) -> None:
    automations: Any = Automation  # its methods work at once where nothing awaits them, which their types don't say
    try:
        automations.read(name=name)
    except ValueError:  # there is none
        trigger = EventTrigger(expect=events, posture=Posture.Reactive, threshold=1)
        automations(name=name, description=description, trigger=trigger, actions=[DoNothing()]).create()
