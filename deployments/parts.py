"""What runs on one machine, each part with its command; and the environment they share."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deployments.probes import Answers, PollsForRuns, Probe, Survives, WritesItsPid
from index.settings import Settings

_DAY_S = 24 * 3600
# Of another Prefect server: half of it mixed with ours would be a database that nobody meant.
_FOREIGN = ("PREFECT_PROFILE", "PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")


@dataclass(frozen=True, slots=True)
class Part:
    """A program that belongs to the platform and runs as long as it does.

    `what` and `where` are for people. `nice` is added to the priority number: a higher one waits for lower ones.
    `stops_last` parts are needed by the others to stop in order.
    """

    name: str
    what: str
    where: str
    command: tuple[str, ...]
    up: Probe
    nice: int = 0
    stops_last: bool = False


def parts(settings: Settings) -> tuple[Part, ...]:
    """The parts in the order of their start. Somebody waits for the API and the ingester; the rest gives way to them."""
    api = Part("api", "HTTP API", settings.own_url, _python("api.serve"), Answers(f"{settings.own_url}/health/live"))
    ingester = Part("ingester", "takes documents into the index", _log(settings, "ingester"), _python("flows.ingester"), _ready(settings))
    flows = Part("flows", "scheduled flows", _log(settings, "flows"), _python("flows.serve"), _served(settings), nice=5)
    return (api, *_prefect(settings), ingester, flows)


def _prefect(settings: Settings) -> tuple[Part, ...]:
    if settings.prefect_api_url:
        return ()
    command, up = _python("flows.prefect_server"), Answers(f"{settings.prefect_url}/health")
    return (Part("prefect", "schedules and runs, with a UI", settings.prefect_ui, command, up, nice=2, stops_last=True),)


def _python(*module_and_arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", *module_and_arguments)


def _ready(settings: Settings) -> WritesItsPid:
    return WritesItsPid(settings.home / "run" / "ingester.ready")


def _served(settings: Settings) -> Probe:
    # Somebody else's server may want credentials that only the flows have.
    return Survives(10) if settings.prefect_api_url else PollsForRuns(settings.prefect_url)


def logs(settings: Settings) -> Path:
    """The folder of the parts' logs."""
    return settings.home / "logs"


def _log(settings: Settings, name: str) -> str:
    return shown(logs(settings) / f"{name}.log")


def shown(path: Path) -> str:
    """A path as people on this machine would type it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """What all parts find in their environment: what the user set, within what one home needs."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(_FOREIGN)}
    return _preferences(settings) | kept | _fixed(settings)


def _preferences(settings: Settings) -> dict[str, str]:
    """Ours unless the user has set them."""
    return {
        "PREFECT_LOGGING_LEVEL": "INFO",
        # The vacuum deletes nothing but events unless told.
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(7 * _DAY_S),
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",  # seconds; 10 by default, felt by whoever starts an evaluation
        "TOKENIZERS_PARALLELISM": "false",
    } | ({"HF_HUB_OFFLINE": "1"} if settings.embedder is None else {})


def _fixed(settings: Settings) -> dict[str, str]:
    database = f"sqlite+aiosqlite:///{settings.home}/prefect/prefect.db"
    return {
        "GROUNDWORK_HOME": str(settings.home),
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_API_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_API_URL": settings.prefect_url,
        "PREFECT_LOGGING_COLORS": "false",
        # A page of another site, open in a browser on this machine, must not read or start runs. Prefect lets all by default.
        # These are the server's own pages, for `flows.prefect_server` too. Of the two names that Prefect has for it, this one wins.
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{settings.prefect_port},http://localhost:{settings.prefect_port}",
        "PYTHONUNBUFFERED": "1",  # a log says what happened when it happened
        # Nothing about this installation is sent to anybody.
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "RAGAS_DO_NOT_TRACK": "true",
        "GX_ANALYTICS_ENABLED": "false",
    }
