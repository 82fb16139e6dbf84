"""What a process of the API serves, and how its server treats connections."""

from typing import Any, cast

import uvicorn
from litestar.types import ASGIApp

from api.asking import asking
from api.keys import Keys
from api.models import Models, set_aside
from api.platform import Platform
from api.protocol import PatientProtocol
from api.runs import Runs
from index.embedder import embedder_of
from index.recipe import Recipe
from index.serving import serving
from index.settings import Settings
from index.store import open_store

STOP_WITHIN_S = 4
# Longer than the clients of Python's httpx keep a connection that they don't use (5 s): who closes it first fails no request of the other.
KEEPS_UNUSED_S = 9


def opened(settings: Settings) -> tuple[Platform, Keys, Runs]:
    """What an app is made over: the real things."""
    asked = serving(settings.serving)
    configured = Recipe(settings.embedder, settings.embedder_url)
    models = Models(lambda recipe: asking(embedder_of(recipe, settings), recipe, asked), configured, set_aside)
    platform = Platform(settings, open_store(settings.index, settings.home, settings.inbox_limits, serves=True), models)
    return platform, Keys(settings.keys_file), Runs(settings.prefect_url, settings.prefect_ui)


def config(app: ASGIApp) -> uvicorn.Config:
    """How the server treats connections; it is given the socket that it accepts them from."""
    return uvicorn.Config(
        cast(Any, app),
        log_config=None,
        access_log=False,
        server_header=False,
        loop="uvloop",
        http=PatientProtocol,
        timeout_keep_alive=KEEPS_UNUSED_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        h11_max_incomplete_event_size=64 * 1024,
    )
