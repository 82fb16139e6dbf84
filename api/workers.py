"""The API's processes on one port: started, replaced one after the other without a failed request, and stopped together."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count as naturals
from time import monotonic

REPLACED_WITHIN_S = 200.0
STOP_WITHIN_S = 5.0
# What one said before it ended; somebody else may hold its pipe open.
HEARD_WITHIN_S = 1.0
# One that ends sooner, or never accepts a connection, has failed; so many of those in a row are no accident.
SHORT_LIFE_S = 10.0
TRIES = 3
_log = logging.getLogger("groundwork.api")


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """A process, and whether it came to accept connections: known at its end, or once it says so."""

    process: asyncio.subprocess.Process
    came_up: asyncio.Future[bool]

    def send(self, sent: signal.Signals) -> None:
        """Where it is still there."""
        with suppress(ProcessLookupError):
            self.process.send_signal(sent)


class Workers:
    """Runs `count` times a command on one listening socket. SIGHUP replaces each process by a new one, SIGTERM ends all."""

    def __init__(
        self, listening: socket.socket, count: int, command: Sequence[str], ended: Callable[[int], object] = lambda _: None
    ) -> None:
        """The command gets three descriptors and a number as arguments, see `api.worker`; `ended` is told of each number that gets free."""
        self._ended = ended
        self._numbers: set[int] = set()
        self._watches: set[asyncio.Task[None]] = set()
        self._listening = listening
        self._command = command
        self._count = count
        self._places: list[_Worker] = []
        self._living: set[_Worker] = set()
        self._stop = asyncio.Event()
        self._replacing: asyncio.Task[None] | None = None
        self._life, self._alive = os.pipe()

    async def run(self) -> int:
        """Until it is told to stop (0), or a worker can't be kept running (1), or begun with these settings (`os.EX_CONFIG`)."""
        loop = asyncio.get_running_loop()
        for sent in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sent, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.replace)
        self._places = [await self._start() for _ in range(self._count)]
        keepers = [asyncio.create_task(self._keep(place)) for place in range(self._count)]
        stopped = asyncio.create_task(self._stop.wait())
        given_up, _ = await asyncio.wait([stopped, *keepers], return_when=asyncio.FIRST_COMPLETED)
        for task in [stopped, *keepers, *([self._replacing] if self._replacing else [])]:
            task.cancel()
        await self._end()
        return max((_code(keeper) for keeper in keepers if keeper in given_up), default=0)

    def replace(self) -> None:
        """Begins to replace all workers, one after the other, unless that is being done."""
        if not self._places:
            return  # the first ones are new
        if self._replacing is None or self._replacing.done():
            self._replacing = asyncio.create_task(self._replace_all())
        else:
            _log.warning("workers are being replaced already: nothing more is begun")

    async def _replace_all(self) -> None:
        for place in range(self._count):
            try:
                fresh = await self._start("--when-ready")
            except OSError as error:
                _log.error("no new worker can be started: the old ones stay: %s", error)
                return
            came_up = False
            try:
                came_up = await _in_time(fresh.came_up, REPLACED_WITHIN_S)
            finally:
                if not came_up:  # nobody has asked it anything
                    fresh.send(signal.SIGKILL)
            if not came_up:
                _log.error("the new worker %d did not get ready: the old ones stay", fresh.process.pid)
                return
            old, self._places[place] = self._places[place], fresh
            old.send(signal.SIGHUP)
            _log.info("worker %d takes the place of %d", fresh.process.pid, old.process.pid)
            await old.process.wait()
        _log.info("all workers are new: %d", self._count)

    async def _keep(self, place: int) -> int:
        """Starts another worker where one ends, until that is in vain: the exit code that says why."""
        failed, has_served = 0, False
        while True:
            worker, began = self._places[place], monotonic()
            code = await worker.process.wait()
            if self._places[place] is not worker:
                continue  # it has been replaced
            came_up = await _in_time(worker.came_up, HEARD_WITHIN_S)
            has_served |= came_up
            if code == os.EX_CONFIG and not has_served:
                return code  # it has said why, and the next would say the same
            failed = 0 if came_up and monotonic() - began >= SHORT_LIFE_S else failed + 1
            _log.error("worker %d ended with %d", worker.process.pid, code)
            if failed == TRIES:
                return 1
            await asyncio.sleep(failed and 2.0 ** (failed - 2))
            fresh = await self._start()
            if self._places[place] is worker:
                self._places[place] = fresh
            else:  # meanwhile one took the place that was getting ready for it
                fresh.send(signal.SIGKILL)

    async def _start(self, *more: str) -> _Worker:
        ready, says = os.pipe()
        inherited = (self._listening.fileno(), says, self._life)
        number = next(each for each in naturals() if each not in self._numbers)
        self._numbers.add(number)
        arguments = map(str, (*inherited, number))
        try:
            process = await asyncio.create_subprocess_exec(*self._command, *arguments, *more, pass_fds=inherited)
        except OSError:
            os.close(ready)
            self._numbers.discard(number)
            raise
        finally:
            os.close(says)
        worker = _Worker(process, _says_so(ready))
        self._living.add(worker)
        watch = asyncio.create_task(self._free(worker, number))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return worker

    async def _free(self, worker: _Worker, number: int) -> None:
        """Gives the number of a process to another, once it has ended."""
        await worker.process.wait()
        self._living.discard(worker)
        self._ended(number)
        self._numbers.discard(number)

    async def _end(self) -> None:
        """Ends all, those too that are about to retire."""
        living = list(self._living)
        for worker in living:
            worker.send(signal.SIGTERM)
        ended = [asyncio.create_task(worker.process.wait()) for worker in living]
        if ended:
            await asyncio.wait(ended, timeout=STOP_WITHIN_S)
        for worker in living:
            worker.send(signal.SIGKILL)
        await asyncio.gather(*ended)


def _code(keeper: asyncio.Task[int]) -> int:
    if error := keeper.exception():
        _log.error("a worker can't be started: %s", error)
        return 1
    return keeper.result()


def _says_so(ready: int) -> asyncio.Future[bool]:
    """Whether a worker says that it accepts connections; the pipe ends with it."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[bool] = loop.create_future()

    def read() -> None:
        loop.remove_reader(ready)
        said.set_result(os.read(ready, 1) == b"1")
        os.close(ready)

    loop.add_reader(ready, read)
    return said


async def _in_time(came_up: asyncio.Future[bool], seconds: float) -> bool:
    try:
        return await asyncio.wait_for(asyncio.shield(came_up), seconds)
    except TimeoutError:
        return False
