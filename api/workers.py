"""The API's processes on one port: started, replaced one after the other without a failed request, and stopped together."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count as naturals
from time import monotonic

REPLACED_WITHIN_S = 200.0
STOP_WITHIN_S = 5.0
# One that ends sooner has not come up; so many of those in a row are no accident.
SHORT_LIFE_S = 10.0
SHORT_LIVES = 3
_log = logging.getLogger("groundwork.api")


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
        self._places: list[asyncio.subprocess.Process] = []
        self._stop = asyncio.Event()
        self._code = 0
        self._replacing: asyncio.Task[None] | None = None
        self._life, self._alive = os.pipe()

    async def run(self) -> int:
        """Until it is told to stop (0), or a worker can't be kept running (1), or begun with these settings (`os.EX_CONFIG`)."""
        loop = asyncio.get_running_loop()
        for sent in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sent, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.replace)
        self._places = [(await self._start())[0] for _ in range(self._count)]
        keepers = [asyncio.create_task(self._keep(place)) for place in range(self._count)]
        await self._stop.wait()
        for task in [*keepers, *([self._replacing] if self._replacing else [])]:
            task.cancel()
        await self._end(self._places)
        return self._code

    def replace(self) -> None:
        """Begins to replace all workers, one after the other, unless that is being done."""
        if self._replacing is None or self._replacing.done():
            self._replacing = asyncio.create_task(self._replace_all())

    async def _replace_all(self) -> None:
        for place in range(self._count):
            fresh, ready = await self._start("--when-ready")
            came_up = False
            try:
                came_up = await _says_so(ready, fresh)
            finally:
                if not came_up:  # nobody has asked it anything
                    fresh.kill()
            if not came_up:
                _log.error("the new worker %d did not get ready: the old ones stay", fresh.pid)
                return
            old, self._places[place] = self._places[place], fresh
            with suppress(ProcessLookupError):
                old.send_signal(signal.SIGHUP)
            _log.info("worker %d takes the place of %d", fresh.pid, old.pid)
            await old.wait()
        _log.info("all workers are new: %d", self._count)

    async def _keep(self, place: int) -> None:
        short, first = 0, self._places[place]
        while short < SHORT_LIVES:
            process, began = self._places[place], monotonic()
            code = await process.wait()
            if self._places[place] is not process:
                continue  # it has been replaced
            if process is first and code == os.EX_CONFIG:
                self._give_up(code)  # it has said why, and the next would say the same
                return
            short = short + 1 if monotonic() - began < SHORT_LIFE_S else 0
            _log.error("worker %d ended with %d", process.pid, code)
            self._places[place] = (await self._start())[0]
        self._give_up(1)

    def _give_up(self, code: int) -> None:
        self._code = code
        self._stop.set()

    async def _start(self, *more: str) -> tuple[asyncio.subprocess.Process, int]:
        """A worker, and where it says that it accepts connections."""
        ready, says = os.pipe()
        inherited = (self._listening.fileno(), says, self._life)
        number = next(each for each in naturals() if each not in self._numbers)
        self._numbers.add(number)
        arguments = map(str, (*inherited, number))
        try:
            process = await asyncio.create_subprocess_exec(*self._command, *arguments, *more, pass_fds=inherited)
        finally:
            os.close(says)
        watch = asyncio.create_task(self._free(process, number))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        if not more:
            os.close(ready)
        return process, ready

    async def _free(self, process: asyncio.subprocess.Process, number: int) -> None:
        """Gives the number of a process to another, once it has ended."""
        await process.wait()
        self._ended(number)
        self._numbers.discard(number)

    async def _end(self, processes: Sequence[asyncio.subprocess.Process]) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                process.terminate()
        ended = [asyncio.create_task(process.wait()) for process in processes]
        await asyncio.wait(ended, timeout=STOP_WITHIN_S)
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*ended)


async def _says_so(ready: int, process: asyncio.subprocess.Process) -> bool:
    """Whether a new worker accepts connections in time. The pipe ends with the process."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[bool] = loop.create_future()

    def read() -> None:
        loop.remove_reader(ready)
        said.set_result(os.read(ready, 1) == b"1")

    loop.add_reader(ready, read)
    try:
        return await asyncio.wait_for(said, REPLACED_WITHIN_S) and process.returncode is None
    except TimeoutError:
        loop.remove_reader(ready)
        return False
    finally:
        os.close(ready)
