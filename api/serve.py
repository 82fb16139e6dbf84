"""The API process: `python -m api.serve`. With several workers it starts them and watches over them."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import Any, cast

import uvicorn
from litestar.types import ASGIApp

from api import counts
from api.app import create_app, served
from api.asking import asking
from api.keys import Keys, ensure_admin
from api.models import Models, set_aside
from api.platform import Platform
from api.protocol import PatientProtocol
from api.runs import Runs
from api.workers import Workers
from index import logs, telemetry
from index.embedder import embedder_of
from index.errors import Misconfigured
from index.exposure import refusal
from index.recipe import Recipe
from index.serving import serving
from index.settings import Settings
from index.store import open_store

STOP_WITHIN_S = 4
# Longer than the clients of Python's httpx keep a connection that they don't use (5 s): who closes it first fails no request of the other.
KEEPS_UNUSED_S = 9

STAYS = "SIGHUP changes nothing: to be replaced without a failed request takes workers = 2 or more in the file of GROUNDWORK_SERVING"
_log = logging.getLogger("groundwork.api")


def main() -> int:
    """Serves until SIGTERM; the exit code."""
    settings = Settings()
    logs.set_up(settings.log_format)
    if reason := refusal(settings.host, settings.keys_file, settings.admin_key_file):
        raise Misconfigured(reason)
    ensure_admin(Keys(settings.keys_file), settings.admin_key_file)
    pid_file = settings.home / "run" / "api.pid"
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(f"{os.getpid()}\n")
    if (workers := serving(settings.serving).workers) > 1:
        listening = uvicorn.Config(cast(Any, None), host=settings.host, port=settings.port, log_config=None).bind_socket()
        shutil.rmtree(settings.counts, ignore_errors=True)
        settings.counts.mkdir()
        command = (sys.executable, "-m", "api.worker")
        return asyncio.run(Workers(listening, workers, command, partial(counts.forget_gauges, settings.counts)).run())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until `Alone` says what it does
    send_last_spans = telemetry.start("api", settings)
    with suppress(KeyboardInterrupt):  # uvicorn has stopped in order, and passes it on
        Alone(config(served(create_app(*opened(settings))), settings)).run()
    send_last_spans()
    return 0


class Alone(uvicorn.Server):
    """The only worker: nobody would serve while another takes its place, so SIGHUP, which asks for that, leaves it as it is."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to accept connections."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _log.warning, STAYS)


def opened(settings: Settings) -> tuple[Platform, Keys, Runs]:
    """What an app is made over: the real things."""
    asked = serving(settings.serving)
    configured = Recipe(settings.embedder, settings.embedder_url)
    models = Models(lambda recipe: asking(embedder_of(recipe, settings), recipe, asked), configured, set_aside)
    platform = Platform(settings, open_store(settings.index, settings.home, settings.inbox_limits, serves=True), models)
    return platform, Keys(settings.keys_file), Runs(settings.prefect_url, settings.prefect_ui)


def config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How the server treats connections."""
    return uvicorn.Config(
        cast(Any, app),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        loop="uvloop",
        http=PatientProtocol,
        timeout_keep_alive=KEEPS_UNUSED_S,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        h11_max_incomplete_event_size=64 * 1024,
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Misconfigured as error:
        sys.exit(str(error))
