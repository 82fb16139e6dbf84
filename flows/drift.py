"""The `drift` flow: whether retrieval is worse than it was, since when and why; alarms for people and for other services."""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from evals.alarms import Check, Status
from evals.chart import as_png, as_svg
from evals.drift_report import data, draw, drawable, markdown
from evals.watch import OF_QUALITY
from flows.steps import WATCH
from index.embedder import embedder_for
from index.errors import Conflict, NotFound, Unavailable
from index.exams import identity_of
from index.policy import index_policy
from index.releases import rollback_target
from index.settings import Settings
from index.store import Store, open_store
from tasks.rollback import move_live
from tasks.webhook import Webhook

ALARM, OVER = "groundwork.drift.alarm", "groundwork.drift.over"
BY = "drift"
TWO = 2
KEPT = timedelta(days=90)
MOST = 5_000
_log = logging.getLogger("groundwork.flows")


@flow(
    name="drift",
    flow_run_name="drift",
    description=(
        "Compares golden scores, canaries, recall, questions, answers and feedback with the weeks before; raises an alarm where they "
        "differ by more than chance, names the cause, and says when it is over."
    ),
    log_prints=True,
)
def drift() -> None:
    """One check of the live release."""
    settings = Settings()
    store = open_store(settings.index, settings.home)
    reader = store.reader()
    reader.follow()
    embedder = embedder_for(store.log.live().recipe, settings)
    target = index_policy(settings.index_policy).recall_target
    check: Check = WATCH(store, reader, embedder, datetime.now(UTC), target, said_of_judge(store, settings))
    store.drift.clean(check.at - KEPT, MOST)
    history = store.drift.between(check.at - KEPT, check.at + timedelta(seconds=1))
    chart = draw(history) if drawable(history) else None
    svg = as_svg(chart) if chart else None
    if chart and svg:
        store.pictures.write("drift", svg, as_png(chart), data(history))
    create_markdown_artifact(markdown(check, svg), key="drift", description="What is watched, and what is wrong")
    announce(check, webhook_of(settings))
    if settings.auto_rollback:
        go_back(store, check)


def said_of_judge(store: Store, settings: Settings) -> str | None:
    """How the configured judge behaves otherwise than before; empty: as before, None: it was not examined twice."""
    if not (settings.judge_url and settings.judge_model):
        return None
    judge = identity_of(settings.judge_url, settings.judge_model)
    exams = [exam for exam in store.exams.all() if exam.judge == judge and not exam.interrupted]
    return None if len(exams) < TWO else exams[0].changed or ""


def announce(check: Check, webhook: Webhook | None, emit: Callable[..., object] = emit_event) -> None:
    """Tells Prefect, which has an automation for it, and the webhook, if there is one, what began and what is over."""
    by_name = {status.name: status for status in check.monitors}
    for name, event in [*((name, ALARM) for name in check.opened), *((name, OVER) for name in check.closed)]:
        status, slug = by_name[name], name.replace(" ", "-")
        message = _message(status, event)
        print(f"{event}: {name}, {status.detail}")
        emit(event, resource={"prefect.resource.id": f"groundwork.monitor.{slug}"}, payload=message)
        if webhook is None:
            continue
        try:
            webhook.send(f"{event}-{slug}-{int(check.at.timestamp())}", check.at, {"type": event, "data": message})
        except Unavailable as error:
            _log.warning("an alarm was not told: %s", error)


def webhook_of(settings: Settings) -> Webhook | None:
    """The configured one."""
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    return Webhook(settings.webhook_url, secret) if settings.webhook_url else None


def go_back(store: Store, check: Check) -> None:
    """Serves the release before the one that the alarms name, when they say that people get worse results. Never undoes a pin."""
    faults = _faults(check)
    store.log.refresh()
    if not faults or store.log.state.pinned:
        return
    worst = faults[0]
    before = [release for release in store.log.kept() if release.number < (worst.release or 0)]
    try:
        to = rollback_target(before, worst.release or 0).number
        reason = f"{worst.name}: {worst.detail}; {worst.cause} since release {worst.release}"
        moved = move_live(store, "rolled_back", to, BY, reason)
    except (Conflict, NotFound) as error:
        _log.warning("there is nothing to go back to: %s", error)
        return
    print(f"went back from release {moved.was} to {moved.live}: {reason}")


def _faults(check: Check) -> list[Status]:
    """Alarms that have just begun, that people get worse results, and that name the release at fault."""
    opened: Iterable[Status] = (status for status in check.monitors if status.name in check.opened)
    return [status for status in opened if status.name in OF_QUALITY and status.release]


def _message(status: Status, event: str) -> dict[str, object]:
    """What others are told of a monitor; examples are questions of people, and stay here."""
    return {
        "monitor": status.name,
        "state": "alarm" if event == ALARM else "ok",
        "detail": status.detail,
        "effect": status.effect,
        "cause": status.cause,
        "release": status.release,
        "since": status.since.isoformat() if status.since else None,
        "runbook": status.runbook,
    }
