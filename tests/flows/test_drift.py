"""What a check of drift sets off: events, webhooks, a report, and a rollback where that is wished for."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evals.alarms import Check, Status
from evals.chart import as_svg
from evals.drift_report import draw, drawable, markdown
from flows.drift import announce, go_back, said_of_judge, webhook_of
from index.settings import Settings
from tasks.webhook import Webhook
from tests.bench import Bench
from tests.receiver import Receiver

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
QUESTION = "Where is *copper* <mined>?"


def alarm(name: str = "golden questions", release: int | None = 3) -> Status:
    return Status(
        name,
        "alarm",
        "0.7 -> 0.5",
        -0.23,
        -0.3,
        -0.16,
        examples=(QUESTION,),
        cause="a bad batch",
        release=release,
        runbook="Roll back.",
        since=AT,
    )


def check(*monitors: Status, closed: tuple[str, ...] = ()) -> Check:
    return Check(AT, monitors, tuple(status.name for status in monitors if status.state == "alarm"), closed)


def settings(**values: Any) -> Settings:
    return Settings(home=Path("unused"), **values)


def test_beginnings_and_ends_are_told_to_prefect_and_to_the_webhook_without_what_people_asked():
    events = []
    with Receiver() as receiver:
        quiet = Status("recall", "ok", "0.97")
        announce(
            check(alarm(), quiet, closed=("recall",)), Webhook(receiver.url, "secret"), lambda event, **more: events.append((event, more))
        )
        told = [json.loads(body) for _, body in receiver.got]
    assert [event for event, _ in events] == ["groundwork.drift.alarm", "groundwork.drift.over"]
    assert events[0][1]["resource"] == {"prefect.resource.id": "groundwork.monitor.golden-questions"}
    assert [each["type"] for each in told] == ["groundwork.drift.alarm", "groundwork.drift.over"]
    assert (told[0]["data"]["cause"], told[0]["data"]["release"], told[0]["data"]["runbook"]) == ("a bad batch", 3, "Roll back.")
    assert (told[1]["data"]["monitor"], told[1]["data"]["state"]) == ("recall", "ok")
    assert "copper" not in str(told)


def test_a_webhook_that_does_not_answer_does_not_stop_the_others():
    events = []
    announce(check(alarm(), alarm("recall")), Webhook("http://127.0.0.1:1/", pause_s=0.01), lambda event, **_: events.append(event))
    assert len(events) == 2


def test_there_is_a_webhook_only_where_one_is_set():
    assert webhook_of(settings()) is None
    assert webhook_of(settings(webhook_url="http://host/", webhook_secret="s")) == Webhook("http://host/", "s")


@pytest.fixture
def three(bench: Bench) -> Bench:
    """Three releases after the empty one."""
    for number in range(3):
        bench.put(f"d{number}", f"Text {number} of the ferry.")
    return bench


@pytest.mark.thorough
def test_going_back_serves_the_release_before_the_one_at_fault_with_the_reason(three: Bench):
    go_back(three.store, check(alarm(release=3)))
    state = three.store.log.state
    assert (state.live, state.pinned) == (2, True)
    event = three.store.log.events[-1]
    assert (event.kind, event.by) == ("rolled_back", "drift")
    assert "a bad batch since release 3" in (event.reason or "")


@pytest.mark.parametrize(
    "status", [alarm(release=None), alarm("questions", 3), alarm("corpus", 3), Status("golden questions", "ok", "fine", release=3)]
)
@pytest.mark.thorough
def test_it_does_not_go_back_without_a_release_or_because_people_ask_otherwise(three: Bench, status: Status):
    go_back(three.store, check(status))
    assert three.store.log.state.live == 4


@pytest.mark.thorough
def test_it_never_moves_what_is_pinned_and_only_for_an_alarm_that_has_just_begun(three: Bench):
    go_back(three.store, Check(AT, (alarm(release=3),), (), ()))
    assert three.store.log.state.live == 4
    three.store.log.append("rolled_back", 3, "admin")
    go_back(three.store, check(alarm(release=3)))
    assert three.store.log.state.live == 3


def test_the_report_says_what_is_wrong_why_and_what_to_do_with_a_picture():
    found = check(alarm(), Status("recall", "unmeasured", "not measured"))
    history = [(AT, found.as_json())]
    assert drawable(history)
    told = markdown(found, as_svg(draw(history)))
    assert "**Retrieval is worse**: golden questions, since 2026-05-04 12:00 UTC (release 3): 0.7 -> 0.5. Cause: a bad batch." in told
    assert "**What to do**: Roll back." in told
    assert "Where is \\*copper\\* &lt;mined>?" in told
    assert "| recall | – | not measured |" in told
    assert "data:image/svg+xml;base64," in told


def test_a_report_of_nothing_has_no_picture():
    quiet = check(Status("recall", "unmeasured", "not measured"))
    assert not drawable([(AT, quiet.as_json())])
    assert "Nothing says that retrieval is worse" in markdown(quiet, None)


def test_without_a_judge_nothing_is_said_of_it(bench: Bench):
    assert said_of_judge(bench.store, settings()) is None
    assert said_of_judge(bench.store, settings(judge_url="http://host/v1", judge_model="m")) is None
