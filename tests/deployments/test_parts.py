import pytest

from deployments import parts
from index.settings import Settings


@pytest.fixture
def settings(tmp_path):
    def make(**given):
        return Settings(**({"home": tmp_path, "PREFECT_API_URL": None} | given))

    return make


def test_everything_runs_with_a_prefect_server_of_its_own(settings):
    assert [part.name for part in parts.parts(settings())] == ["api", "prefect", "ingester", "flows"]


def test_a_prefect_server_that_is_given_is_used_and_none_started(settings):
    given = settings(PREFECT_API_URL="http://prefect.example:4200/api/")
    assert [part.name for part in parts.parts(given)] == ["api", "ingester", "flows"]
    assert parts.environment(given, {})["PREFECT_API_URL"] == "http://prefect.example:4200/api"


def test_prefects_database_is_under_the_home_whatever_else_is_set(settings, tmp_path):
    inherited = {
        "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://other",
        "PREFECT_SERVER_DATABASE_HOST": "other",
        "PREFECT_PROFILE": "other",
    }
    environment = parts.environment(settings(), inherited)
    assert environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == f"sqlite+aiosqlite:///{tmp_path}/prefect/prefect.db"
    assert "other" not in str(environment)


def test_preferences_of_the_user_win_and_secrets_pass_through(settings):
    environment = parts.environment(settings(), {"PREFECT_LOGGING_LEVEL": "DEBUG", "GROUNDWORK_LLM_KEY": "sk-1"})
    assert (environment["PREFECT_LOGGING_LEVEL"], environment["GROUNDWORK_LLM_KEY"]) == ("DEBUG", "sk-1")


def test_nothing_is_sent_to_anybody_whatever_the_user_has_set(settings):
    environment = parts.environment(settings(), {"PREFECT_SERVER_ANALYTICS_ENABLED": "true", "DO_NOT_TRACK": "0"})
    assert (environment["PREFECT_SERVER_ANALYTICS_ENABLED"], environment["DO_NOT_TRACK"]) == ("false", "1")


def test_models_are_only_downloaded_when_the_user_names_one(settings):
    assert parts.environment(settings(), {})["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in parts.environment(settings(embedder="BAAI/bge-small-en-v1.5"), {})


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8000"), ("0.0.0.0", "http://127.0.0.1:8000"), ("::", "http://[::1]:8000")],
)
def test_the_api_of_this_machine_is_asked_wherever_it_listens(settings, host, url):
    assert settings(host=host, url="https://elsewhere.example").own_url == url


def test_the_retention_of_runs_is_set_by_names_that_prefect_knows(settings):
    from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

    prefix = "PREFECT_SERVER_SERVICES_DB_VACUUM_"
    ours = [name.removeprefix(prefix).lower() for name in parts.environment(settings(), {}) if name.startswith(prefix)]
    assert sorted(ours) == ["enabled", "retention_period"]
    assert set(ours) <= set(ServerServicesDBVacuumSettings.model_fields)


@pytest.mark.parametrize("name", ["PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"])
def test_prefects_own_pages_are_known_whatever_name_the_user_has_set_others_by(settings, monkeypatch, name):
    from prefect.settings.models.server.api import ServerAPISettings

    for variable, value in parts.environment(settings(prefect_port=4300), {name: "*"}).items():
        monkeypatch.setenv(variable, value)
    assert ServerAPISettings().cors_allowed_origins == "http://127.0.0.1:4300,http://localhost:4300"


def test_the_prefect_server_is_started_behind_its_guard(settings):
    (prefect,) = [part for part in parts.parts(settings()) if part.name == "prefect"]
    assert prefect.command[1:] == ("-m", "flows.prefect_server")
