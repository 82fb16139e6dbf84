"""The automation in Prefect that hears of alarms; people add to it what it shall do."""

import logging
from typing import Any

import httpx
from prefect.automations import Automation
from prefect.events.actions import DoNothing
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import PrefectException

NAME = "Groundwork: freshness and broken batches"
EVENTS = {"groundwork.freshness.late", "groundwork.freshness.stuck", "groundwork.batch.stopped", "groundwork.batch.unusual"}
DESCRIPTION = (
    "Fires when single documents take longer than the goal, when something waits and nothing moves, and when a batch was stopped "
    "because most of it broke the data contract. Add an action here, such as a notification; this automation is made only once."
)
_log = logging.getLogger("groundwork.flows")


def ensure_automation() -> None:
    """Makes the automation unless there is one of its name; what people have changed of it stays."""
    automations: Any = Automation  # its methods work at once where nothing awaits them, which their types don't say
    try:
        try:
            automations.read(name=NAME)
        except ValueError:  # there is none
            trigger = EventTrigger(expect=EVENTS, posture=Posture.Reactive, threshold=1)
            automations(name=NAME, description=DESCRIPTION, trigger=trigger, actions=[DoNothing()]).create()
    except (httpx.HTTPError, PrefectException) as error:
        _log.warning("the automation for alarms could not be made: %s", type(error).__name__)
