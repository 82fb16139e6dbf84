"""One of the API's processes that answer: `python -m api.worker SOCKET READY LIFE NUMBER [--when-ready]`, started by `api.workers`.

The first three are descriptors that it inherits: the socket that all workers accept connections from; a pipe that it writes a byte to
once it accepts them; and one that ends when the process that started it does. No other worker has its number at that time: where there
are several, they count together under it, see `api.counts`.
"""

import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from api import counts
from api.worker_server import Life, WhenReady, Worker
from index import logs, telemetry
from index.errors import GroundworkError, Misconfigured
from index.reader import Opened
from index.settings import Settings
from tasks.retrieve import Query, retrieve

if TYPE_CHECKING:
    from api.platform import Platform


def can_search(platform: "Platform") -> bool:
    """Whether a search on the live release has just worked."""
    try:
        view = platform.reader.view()
        retrieve(Opened(view), platform.models.of(view.release), Query("is the search working?", k=1))
    except (GroundworkError, OSError, RuntimeError, ValueError):  # what LanceDB raises while a table is being changed
        return False
    return bool(platform.reader.followed)


def main(listening: int, ready: int, life: int, number: int, *, when_ready: bool) -> None:
    """Serves until SIGTERM, until it has retired, or until nobody watches over it."""
    alive = Life(life)
    # As Ctrl-C does, in order: uvicorn passes on what ended it, once it has stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = Settings()
    if settings.counts.is_dir():  # as the process that started it has made it for several
        counts.share(settings.counts, number)
    # Not before: what these import counts.
    from api.app import create_app, served
    from api.server import config, opened

    logs.set_up(settings.log_format)
    send_last_spans = telemetry.start("api", settings)
    platform, keys, runs = opened(settings)
    app = served(create_app(platform, keys, runs))
    if when_ready:
        app = WhenReady(app, lambda: can_search(platform))
    worker = Worker(config(app), platform.serving.answer_seconds, ready, alive)
    with suppress(KeyboardInterrupt):
        worker.run([socket.socket(fileno=listening)])
    send_last_spans()


if __name__ == "__main__":
    try:
        main(*map(int, sys.argv[1:5]), when_ready="--when-ready" in sys.argv)
    except KeyboardInterrupt:  # before it served
        sys.exit(1)
    except Misconfigured as error:
        print(error, file=sys.stderr)
        sys.exit(os.EX_CONFIG)
