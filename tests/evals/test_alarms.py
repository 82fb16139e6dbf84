"""Alarms over time: they open, keep their beginning, and close themselves."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from evals.alarms import checked, from_json
from evals.causes import Cause, Diagnosis
from evals.drift import Reading
from evals.watch import Finding

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BAD = Finding(Reading("golden questions", "alarm", "0.7 -> 0.5", -0.23, -0.3, -0.16), Diagnosis(Cause.BATCH, 20, 22, 7))
GOOD = Finding(Reading("golden questions", "ok", "0.7 -> 0.7", 0.0, -0.02, 0.02))
UNKNOWN = Finding(Reading("golden questions", "unmeasured", "nothing was evaluated"))
RELEASES = {6: NOW - 3 * HOUR, 7: NOW - 2 * HOUR}


def course(*findings: Finding):
    """Checks, one an hour, each stored and read again as the next one does."""
    before, checks = {}, []
    for number, finding in enumerate(findings):
        check = checked(before, [finding], NOW + number * HOUR, RELEASES)
        before = from_json(json.loads(json.dumps(check.as_json(), default=datetime.isoformat)))
        checks.append(check)
    return checks


def test_an_alarm_says_since_when_why_and_what_to_do():
    [check] = course(BAD)
    [status] = check.monitors
    assert (status.state, status.cause, status.release, status.since) == ("alarm", "a bad batch", 7, NOW - 2 * HOUR)
    assert "Roll back" in (status.runbook or "")
    assert check.opened == ("golden questions",)
    told = check.as_json()
    assert (told["worse"], told["by"], told["cause"], told["since"]) == (True, -0.23, "a bad batch", NOW - 2 * HOUR)


def test_an_alarm_that_goes_on_keeps_its_beginning_and_is_told_once():
    first, second = course(BAD, replace(BAD, diagnosis=Diagnosis(Cause.BATCH, 20, 22, None)))
    assert first.opened == ("golden questions",)
    assert second.opened == ()
    assert second.monitors[0].since == NOW - 2 * HOUR


def test_one_quiet_check_may_be_luck_two_end_the_alarm():
    checks = course(BAD, GOOD, GOOD, GOOD)
    assert [check.monitors[0].state for check in checks] == ["alarm", "alarm", "ok", "ok"]
    assert [check.closed for check in checks] == [(), (), ("golden questions",), ()]
    assert checks[2].as_json()["worse"] is False


def test_nothing_measured_does_not_end_an_alarm():
    checks = course(BAD, UNKNOWN, UNKNOWN, UNKNOWN)
    assert {check.monitors[0].state for check in checks} == {"alarm"}
    assert "now: nothing was evaluated" in checks[1].monitors[0].detail


def test_strange_questions_alone_do_not_say_that_retrieval_is_worse():
    strange = Finding(Reading("questions", "alarm", "strange", 0.3), Diagnosis(Cause.QUESTIONS))
    [check] = course(strange)
    assert check.monitors[0].state == "alarm"
    assert check.as_json()["worse"] is False
