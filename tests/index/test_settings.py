"""Settings: each variable, its default, and what a mistake says."""

from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from index.settings import Settings


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GROUNDWORK_{name.upper()}", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def test_everything_has_a_default():
    settings = Settings()
    assert settings.home == Path("data").absolute()
    assert settings.index == str(settings.home / "index")
    assert settings.api_url == "http://127.0.0.1:8000"
    assert settings.prefect_url == "http://127.0.0.1:4200/api"
    assert settings.prefect_ui == "http://127.0.0.1:4200"
    assert settings.sample
    assert settings.sources == ()
    assert settings.admin_key_file == settings.home / "admin.key"
    assert settings.first_start_file == settings.home / "first-start"


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("GROUNDWORK_HOME", "/srv/groundwork", "home", Path("/srv/groundwork")),
        ("GROUNDWORK_INDEX_URI", "s3://bucket/index", "index", "s3://bucket/index"),
        ("GROUNDWORK_HOST", "0.0.0.0", "api_url", "http://127.0.0.1:8000"),
        ("GROUNDWORK_HOST", "::", "api_url", "http://[::1]:8000"),
        ("GROUNDWORK_PORT", "9000", "api_url", "http://127.0.0.1:9000"),
        ("GROUNDWORK_PREFECT_PORT", "4201", "prefect_url", "http://127.0.0.1:4201/api"),
        ("PREFECT_API_URL", "https://prefect.example/api/", "prefect_url", "https://prefect.example/api"),
        ("GROUNDWORK_SAMPLE", "0", "sample", False),
        ("GROUNDWORK_SOURCES", "/a, /b c ,", "sources", ("/a", "/b c")),
        ("GROUNDWORK_EMBEDDER", "/models/e5", "embedder", "/models/e5"),
        ("GROUNDWORK_LLM_URL", "http://127.0.0.1:1/v1", "llm_url", "http://127.0.0.1:1/v1"),
        ("GROUNDWORK_LLM_MODEL", "small", "llm_model", "small"),
        ("GROUNDWORK_LLM_KEY", "secret", "llm_key", SecretStr("secret")),
        ("GROUNDWORK_JUDGE_URL", "http://127.0.0.1:2/v1", "judge_url", "http://127.0.0.1:2/v1"),
        ("GROUNDWORK_JUDGE_MODEL", "judge", "judge_model", "judge"),
        ("GROUNDWORK_JUDGE_KEY", "secret", "judge_key", SecretStr("secret")),
        ("GROUNDWORK_URL", "https://rag.example", "api_url", "https://rag.example"),
        ("GROUNDWORK_KEY", "gw_secret", "key", SecretStr("gw_secret")),
    ],
)
def test_a_variable_sets_it(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, field: str, value: Any):
    monkeypatch.setenv(variable, text)
    assert getattr(Settings(), field) == value


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GROUNDWORK_PORT", "")
    monkeypatch.setenv("GROUNDWORK_LLM_URL", "")
    assert Settings().port == 8000
    assert Settings().llm_url is None


@pytest.mark.parametrize(
    ("variable", "text"), [("GROUNDWORK_PORT", "99999"), ("GROUNDWORK_PREFECT_PORT", "x"), ("GROUNDWORK_SAMPLE", "maybe")]
)
def test_a_mistake_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, text: str):
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValidationError):
        Settings()


@pytest.mark.parametrize("name", ["EMBEDDER_URL", "LLM_URL", "JUDGE_URL", "WEBHOOK_URL"])
@pytest.mark.parametrize("text", ["ftp://host/v1", "host:8000/v1", "https://", "file:///etc/passwd", "http://[::1", "http://host:99999"])
def test_what_is_no_address_on_the_web_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, text: str):
    monkeypatch.setenv(f"GROUNDWORK_{name}", text)
    with pytest.raises(ValidationError):
        Settings()


def test_a_scheme_may_be_written_in_capitals(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GROUNDWORK_LLM_URL", "HTTPS://host/v1")
    assert Settings().llm_url == "HTTPS://host/v1"


@pytest.mark.parametrize(
    "url", ["ftp://me:very-secret@host", "http://me:very-secret@ho\u2100st", "http://me:[very-secret]@host", "http://me:very-secret"]
)
def test_a_refused_value_is_not_shown_for_it_may_hold_a_secret(monkeypatch: pytest.MonkeyPatch, url: str):
    monkeypatch.setenv("GROUNDWORK_LLM_URL", url)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "very-secret" not in "".join(format_exception(refused.value))


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GROUNDWORK_LLM_KEY", "very-secret")
    assert "very-secret" not in repr(Settings())
