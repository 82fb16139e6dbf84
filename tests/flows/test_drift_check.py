"""A check of drift after an evaluation; where Prefect is away nobody minds."""

import pytest

from flows import drift_check


def test_it_is_started_once_and_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(drift_check, "run_deployment", lambda *given, **more: asked.append((given, more)))
    assert drift_check.check_drift("after-evaluation-e1")
    assert asked == [(("drift/drift",), {"timeout": 0, "as_subflow": False, "idempotency_key": "after-evaluation-e1"})]


def test_without_prefect_the_evaluation_stands(monkeypatch: pytest.MonkeyPatch):
    def gone(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(drift_check, "run_deployment", gone)
    assert not drift_check.check_drift("after-evaluation-e1")
