"""Keeps parts running: starts them, restarts what dies, stops everything that was started."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from deployments import logs, strays
from deployments.parts import Part
from deployments.policy import Life, RestartPolicy
from deployments.probes import Start

_LEASH = str(Path(__file__).with_name("leash.py"))
# What was killed is gone as soon as the system gets to it.
KILLED_IN_S = 1.0


class Listener(Protocol):
    """Is told what happens to the parts."""

    def up(self, part: Part, seconds: float, *, again: bool) -> None:
        """The part does its work, this long after its start; `again`: it had been up before."""
        ...

    def died(self, part: Part, how: str, wait_s: float) -> None:
        """The part has died and will be started again."""
        ...

    def gave_up(self, part: Part, how: str, last_lines: Sequence[str]) -> None:
        """The part died too often; everything stops now."""
        ...

    def stopping(self) -> None:
        """All parts have been asked to stop."""
        ...

    def stopped(self, seconds: float, left: Sequence[int]) -> None:
        """All are gone but the processes in `left`."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stop waits, in seconds: for those that stop first, for all; and between two looks whether a part is up, or a log large."""

    first_s: float = 3.5
    all_s: float = 6.0
    look_s: float = 0.2
    trim_s: float = 60.0


class Supervisor:
    """One run of some parts. `environment` is theirs, `log_folder` gets a file for each."""

    def __init__(
        self,
        parts: Sequence[Part],
        environment: Mapping[str, str],
        log_folder: Path,
        listener: Listener,
        policy: RestartPolicy | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self._parts = parts
        self._environment = environment
        self._log_folder = log_folder
        self._listener = listener
        self._policy = policy or RestartPolicy()
        self._patience = patience or Patience()
        self._running: dict[Part, asyncio.subprocess.Process] = {}
        self._up: set[Part] = set()
        self._all_up = asyncio.Event()
        self._stop = asyncio.Event()
        self._kill = asyncio.Event()
        self._gave_up = False

    async def run(self) -> bool:
        """Until `stop` is called (True) or a part dies too often (False). Nothing of it is left running."""
        guard = await self._guard()
        keepers = [asyncio.create_task(self._keep(part)) for part in self._parts]
        asked = asyncio.create_task(self._stop.wait())
        # A keeper ends by itself only when it gave up, or failed (no disk space for a log, say).
        await asyncio.wait([asked, *keepers], return_when=asyncio.FIRST_COMPLETED)
        failed = [keeper for keeper in keepers if keeper.done()]
        await _cancel([asked, *keepers])
        await self._stop_all(guard)
        for keeper in failed:
            keeper.result()
        return not self._gave_up

    def stop(self) -> None:
        """Asks all parts to stop."""
        self._stop.set()

    def kill(self) -> None:
        """Stops without patience."""
        self._stop.set()
        self._kill.set()

    async def all_up(self) -> None:
        """Returns once all parts are up."""
        await self._all_up.wait()

    def waiting_for(self) -> list[Part]:
        """The parts that are not up now."""
        return [part for part in self._parts if part not in self._up]

    async def _keep(self, part: Part) -> None:
        lives: list[Life] = []
        while True:
            life, how = await self._live(part, again=any(life.came_up for life in lives))
            lives.append(life)
            wait_s = self._policy.wait_after(lives)
            if wait_s is None:
                self._gave_up = True
                self._listener.gave_up(part, how, logs.last_lines(self._log(part)))
                self._stop.set()
                return
            self._listener.died(part, how, wait_s)
            await asyncio.sleep(wait_s)

    async def _live(self, part: Part, *, again: bool) -> tuple[Life, str]:
        began = monotonic()
        process = self._running[part] = await self._start(part)
        watcher = asyncio.create_task(self._watch(part, Start(process.pid, datetime.now(UTC)), again=again))
        trimmer = asyncio.create_task(self._trim(part))
        try:
            code = await process.wait()
        finally:
            await _cancel([watcher, trimmer])
        life = Life(monotonic() - began, came_up=part in self._up, misconfigured=code == os.EX_CONFIG)
        del self._running[part]
        self._up.discard(part)
        _signal_group(process.pid, signal.SIGKILL)
        strays.kill(self.id, part.name)
        return life, _how(code)

    async def _start(self, part: Part) -> asyncio.subprocess.Process:
        leash = (sys.executable, "-I", "-S", _LEASH, str(os.getpid()), str(part.nice))
        environment = dict(self._environment) | {strays.MARK: strays.mark(self.id, part.name)}
        with logs.opened(self._log(part)) as log:
            return await _spawn((*leash, *part.command), environment, log)

    async def _guard(self) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "deployments.guard", str(os.getpid()), self.id)
        return await _spawn(command, self._environment, asyncio.subprocess.DEVNULL)

    async def _watch(self, part: Part, start: Start, *, again: bool) -> None:
        began = monotonic()
        while not await part.up(start):  # noqa: ASYNC110 - another process comes up there: no event of ours could tell
            await asyncio.sleep(self._patience.look_s)
        self._up.add(part)
        self._listener.up(part, monotonic() - began, again=again)
        if len(self._up) == len(self._parts):
            self._all_up.set()

    async def _trim(self, part: Part) -> None:
        while True:
            await asyncio.sleep(self._patience.trim_s)
            with suppress(OSError):  # a full disk, say: the part itself must go on
                await asyncio.to_thread(logs.keep_small, self._log(part))

    def _log(self, part: Part) -> Path:
        return self._log_folder / f"{part.name}.log"

    async def _stop_all(self, guard: asyncio.subprocess.Process) -> None:
        began = monotonic()
        self._listener.stopping()
        first = [process for part, process in self._running.items() if not part.stops_last]
        last = [process for part, process in self._running.items() if part.stops_last]
        await self._ask(first, began + self._patience.first_s)
        await self._ask(last, began + self._patience.all_s)
        await self._ends(first, began + self._patience.all_s)
        for process in self._running.values():
            _signal_group(process.pid, signal.SIGKILL)
        left = strays.kill(self.id)
        # Also of somebody without patience: they end at once, and the system is told that it need not remember them.
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(process.wait() for process in self._running.values())), KILLED_IN_S)
        with suppress(ProcessLookupError):
            guard.kill()
        await guard.wait()
        self._listener.stopped(monotonic() - began, left)

    async def _ask(self, processes: Sequence[asyncio.subprocess.Process], until: float) -> None:
        for process in processes:
            _signal_group(process.pid, signal.SIGTERM)
        await self._ends(processes, until)

    async def _ends(self, processes: Iterable[asyncio.subprocess.Process], until: float) -> None:
        """Returns when all have ended, at the time `until`, or when there is no patience left."""
        ended = asyncio.gather(*(process.wait() for process in processes))
        impatient = asyncio.create_task(self._kill.wait())
        waiting: list[asyncio.Future[Any]] = [ended, impatient]
        await asyncio.wait(waiting, timeout=max(0.0, until - monotonic()), return_when=asyncio.FIRST_COMPLETED)
        await _cancel(waiting)


async def _spawn(command: Sequence[str], environment: Mapping[str, str], log: int) -> asyncio.subprocess.Process:
    """A program in a session of its own: a Ctrl-C in the terminal is for the supervisor alone."""
    return await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
    )


def _signal_group(leader: int, sent: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, sent)


async def _cancel(waiting: Sequence[asyncio.Future[Any]]) -> None:
    for future in waiting:
        future.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def _how(code: int) -> str:
    if code == os.EX_CONFIG:
        return "it is misconfigured"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
