"""The API: `python -m api.serve`. It listens, and runs the processes that answer; it imports little, for it does nothing else."""

import asyncio
import logging
import os
import shutil
import signal
import sys
from functools import partial

from api import counts
from api.keys import Keys, ensure_admin
from api.listening import listening
from api.workers import Workers
from index import logs
from index.errors import Misconfigured
from index.exposure import refusal
from index.serving import serving
from index.settings import Settings

_log = logging.getLogger("groundwork.api")


def main() -> int:
    """Serves until SIGTERM; the exit code. SIGHUP replaces the processes that answer, without a failed request."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to replace
    settings = Settings()
    logs.set_up(settings.log_format)
    if reason := refusal(settings.host, settings.keys_file, settings.admin_key_file):
        raise Misconfigured(reason)
    number = serving(settings.serving).workers
    try:
        listens = listening(settings.host, settings.port)
    except OSError as error:
        _log.error("can't listen on port %d of %s: %s", settings.port, settings.host, error)
        return 1
    ensure_admin(Keys(settings.keys_file), settings.admin_key_file)
    pid_file = settings.home / "run" / "api.pid"
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    pid_file.write_text(f"{os.getpid()}\n")
    shutil.rmtree(settings.counts, ignore_errors=True)
    command = (sys.executable, "-m", "api.worker")
    if number == 1:  # it counts for itself
        return asyncio.run(Workers(listens, number, command).run())
    settings.counts.mkdir()
    return asyncio.run(Workers(listens, number, command, partial(counts.forget_gauges, settings.counts)).run())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Misconfigured as error:
        print(error, file=sys.stderr)
        sys.exit(os.EX_CONFIG)
