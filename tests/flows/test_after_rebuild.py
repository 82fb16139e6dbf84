"""A rebuild's release is evaluated; where Prefect is away the ingester does not mind."""

import pytest

from flows import after_rebuild


def test_without_prefect_it_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch):
    def gone(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(after_rebuild, "run_deployment", gone)
    assert not after_rebuild.start(7, try_for_s=0.0)


def test_it_is_started_once_and_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(after_rebuild, "run_deployment", lambda *given, **more: asked.append((given, more)))
    assert after_rebuild.start(7)
    [(given, more)] = asked
    assert given == ("evaluate/evaluate",)
    assert more == {"parameters": {"release": 7}, "timeout": 0, "as_subflow": False, "idempotency_key": "after-rebuild-7"}
