"""Wires the supervisor of one machine: settings, checks before anything starts, parts, screen, signals."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from deployments import parts
from deployments.home import RunLock, claimed
from deployments.opening import announce
from deployments.ports import require_free
from deployments.refusal import CannotStart
from deployments.screen import Screen
from deployments.supervisor import Supervisor
from index.exposure import refusal
from index.settings import Settings


def run() -> int:
    """Runs until stopped; the exit code is 0 when somebody asked for it, else 1. Raises `CannotStart`."""
    settings = _settings()
    with claimed(settings.home, os.getpid()) as lock:
        _check_ports(settings)
        if reason := refusal(settings.host, settings.keys_file, settings.admin_key_file):
            raise CannotStart(reason)
        _mark_first_start(settings)
        screen = Screen()
        asked = asyncio.run(_supervise(settings, lock, screen))
        code = 0 if asked else 1
        if not screen.flush():
            os._exit(code)  # Python would wait for standard output, which nobody reads any more
        return code


async def _supervise(settings: Settings, lock: RunLock, screen: Screen) -> bool:
    # The one use of the environment outside the settings: the parts inherit it.
    environment = parts.environment(settings, os.environ)
    supervisor = Supervisor(parts.parts(settings), environment, parts.logs(settings), screen)
    lock.running(supervisor.id)
    _on_signals(supervisor, lock)
    screen.starting(parts.shown(settings.home))
    opening = asyncio.create_task(announce(settings, supervisor, screen))
    asked = await supervisor.run()
    opening.cancel()
    with suppress(asyncio.CancelledError):
        await opening
    lock.stopped()
    return asked


def _on_signals(supervisor: Supervisor, lock: RunLock) -> None:
    """The first signal stops in order, a second Ctrl-C at once. `make` forwards SIGTERM, so that one may come twice."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        lock.stopping()
        supervisor.stop()

    def interrupt() -> None:
        stop()
        loop.add_signal_handler(signal.SIGINT, supervisor.kill)

    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup the end of the terminal is no reason
        loop.add_signal_handler(signal.SIGHUP, stop)


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        # Without the value: it may be a key.
        wrong = [f"{_variable(str(found['loc'][0]))}: {found['msg']}" for found in error.errors()]
        raise CannotStart("; ".join(wrong)) from error


def _variable(field: str) -> str:
    """The environment variable of a setting."""
    return field if field.isupper() else f"GROUNDWORK_{field.upper()}"


def _check_ports(settings: Settings) -> None:
    require_free(settings.host, settings.port, "GROUNDWORK_PORT", "GROUNDWORK_HOST")
    if settings.prefect_api_url:
        return
    if settings.port == settings.prefect_port:
        raise CannotStart(f"GROUNDWORK_PORT and GROUNDWORK_PREFECT_PORT are both {settings.port}: set one of them to another port")
    require_free("127.0.0.1", settings.prefect_port, "GROUNDWORK_PREFECT_PORT")


def _mark_first_start(settings: Settings) -> None:
    """Leaves the sign by which the API and the ingester know that the sample is still to be indexed."""
    has_release = "://" in settings.index or (Path(settings.index) / "releases.lance").exists()
    if settings.sample and not has_release:
        settings.first_start_file.touch()
