"""The API process: `python -m api.serve`."""

import sys
from typing import Any, cast

import uvicorn

from api.app import create_app, served
from api.asking import asking
from api.keys import Keys, ensure_admin
from api.models import Models
from api.platform import Platform
from api.protocol import PatientProtocol
from api.runs import Runs
from index import logs, telemetry
from index.embedder import embedder_of
from index.errors import Misconfigured
from index.exposure import refusal
from index.recipe import Recipe
from index.serving import serving
from index.settings import Settings
from index.store import open_store

STOP_WITHIN_S = 4


def main() -> None:
    """Serves until SIGTERM."""
    settings = Settings()
    logs.set_up(settings.log_format)
    send_last_spans = telemetry.start("api", settings)
    if reason := refusal(settings.host, settings.keys_file, settings.admin_key_file):
        raise Misconfigured(reason)
    keys = Keys(settings.keys_file)
    ensure_admin(keys, settings.admin_key_file)
    asked = serving(settings.serving)
    models = Models(lambda recipe: asking(embedder_of(recipe, settings), recipe, asked), Recipe(settings.embedder, settings.embedder_url))
    platform = Platform(settings, open_store(settings.index, settings.home, settings.inbox_limits, serves=True), models)
    runs = Runs(settings.prefect_url, settings.prefect_ui)
    uvicorn.run(
        cast(Any, served(create_app(platform, keys, runs))),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=PatientProtocol,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        h11_max_incomplete_event_size=64 * 1024,
    )
    send_last_spans()


if __name__ == "__main__":
    try:
        main()
    except Misconfigured as error:
        sys.exit(str(error))
