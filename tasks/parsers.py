"""Parsing in processes of its own: what a hostile document breaks is one of these, and costs nobody but itself.

Not `multiprocessing` or a pool on top of it: their processes import the program that starts them, and with it the model's
libraries (seconds and a gigabyte each). These start in a third of a second with a few dozen megabytes.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from typing import Self
from weakref import finalize

from index.documents import Draft, content_hash
from index.errors import Rejected
from tasks.formats.kinds import is_plain
from tasks.formats.parsed import LIMITS, Limits, Parsed
from tasks.parse import parse
from tasks.parse_worker import READY, receive, send

PARSER = "tasks.parse:parse"
ATTEMPTS = 2
DOCUMENTS_EACH = 500  # then a process is replaced: what libraries leak stays small
MOST_PROCESSES = 4  # each may take the memory that the limits allow
START_S = 60.0
END_S = 0.5
_ROOT = Path(__file__).parents[1]
_JSON_BYTES_PER_CHARACTER = 6
_OUT_OF_MEMORY = (b"memory allocation of", b"bad_alloc", b"MemoryError", b"out of memory", b"Cannot allocate memory")


class Died(Exception):
    """A parsing process ended, or was ended, over a document."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Process:
    """One parsing process. Made and used by one thread, which must live as long: Linux ends the process with that thread."""

    def __init__(self, parser: str, limits: Limits) -> None:
        self._limits = limits
        self._log = TemporaryFile()  # noqa: SIM115 - open as long as the process, closed with it
        self.documents = 0
        command = [sys.executable, "-m", "tasks.parse_worker", str(os.getpid()), parser]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=_ROOT)  # noqa: S603 - our own program
        if self._exchange((), START_S, len(READY)) != READY:
            words = self._last_words()
            self.close()
            raise OSError(f"a parsing process did not start: {words.decode('utf-8', 'replace')[-300:]}")

    def parse(self, draft: Draft) -> Parsed:
        """The text of a document; raises `Rejected` as `tasks.parse.parse`, and `Died` when the process does not survive it."""
        self.documents += 1
        facts = {"media_type": draft.media_type, "title": draft.title, "limits": asdict(self._limits)}
        most = self._limits.characters_out * _JSON_BYTES_PER_CHARACTER + 1024 * 1024
        reply = self._exchange((json.dumps(facts).encode(), draft.content), self._limits.seconds, most)
        if reply is None:
            raise self._death()
        found = json.loads(reply)
        if "code" in found:
            raise Rejected(found["code"], found["detail"])
        return Parsed(found["title"], found["text"], found["form"], tuple((start, page) for start, page in found["pages"]))

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            with suppress(BrokenPipeError):  # of what it had not read yet
                if stream is not None:
                    stream.close()

    def _exchange(self, question: tuple[bytes, ...], seconds: float, most: int) -> bytes | None:
        """The answer; None when there is none in time, for then the process is dead."""
        self._expired = False
        clock = threading.Timer(seconds, self._expire)
        clock.daemon = True
        clock.start()
        try:
            for message in question:
                send(self._process.stdin, message)  # type: ignore[arg-type] # a pipe, as asked for
            return receive(self._process.stdout, most)  # type: ignore[arg-type] # a pipe, as asked for
        except BrokenPipeError:
            return None
        finally:
            clock.cancel()

    def _expire(self) -> None:
        self._expired = True
        self._process.kill()

    def _death(self) -> Died:
        try:
            status = self._process.wait(timeout=END_S)  # not killed at once: how it ends tells why
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        words = self._last_words()
        if self._expired or -status in (signal.SIGALRM, signal.SIGXCPU):
            return Died("timeout", f"reading it takes more than {self._limits.seconds:g} seconds")
        if any(sign in words for sign in _OUT_OF_MEMORY):
            return Died("out_of_memory", f"reading it takes more than {self._limits.memory_bytes} bytes of memory")
        cause = signal.strsignal(-status) if status < 0 else f"exit code {status}"
        return Died("crashed", f"the parser died of it ({cause}) {words.decode('utf-8', 'replace').strip()[-200:]}".strip())

    def _last_words(self) -> bytes:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 4096))
        return self._log.read()


class Parsers:
    """Reads documents side by side, each within its limits. Processes start when a document first needs one.

    `parser` names the function that they run (`module:function`). Close it, or use it as a context, to end them.
    """

    def __init__(self, limits: Limits = LIMITS, processes: int | None = None, parser: str = PARSER) -> None:
        self._limits = limits
        self._parser = parser
        self._own = threading.local()
        self._running: set[Process] = set()
        self._begun: dict[tuple[str, ...], Future[Parsed | Rejected]] = {}
        self._threads = ThreadPoolExecutor(processes or min(MOST_PROCESSES, os.cpu_count() or 1), thread_name_prefix="parse")
        # Also when it is forgotten: no process stays without an owner.
        self._ending = finalize(self, _end, self._threads, self._running)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def parse_all(self, drafts: Iterable[Draft]) -> dict[str, Parsed | Rejected]:
        """The text of each document by its id, or why it has none. Raises `OSError` when no process can be started.

        A document that kills its process is tried once more, then rejected with crashed, timeout or out_of_memory.
        """
        waiting = {draft.doc_id: draft for draft in drafts}
        begun = {doc_id: self._begin(draft) for doc_id, draft in waiting.items() if not _is_plain(draft)}
        here = {doc_id: self._here(draft) for doc_id, draft in waiting.items() if doc_id not in begun}
        read = {doc_id: here[doc_id] if doc_id in here else begun[doc_id].result() for doc_id in waiting}
        for draft in waiting.values():
            self._begun.pop(_key(draft), None)
        return read

    def begin(self, drafts: Iterable[Draft], patience_s: float) -> set[str]:
        """Begins to read what `parse_all` will be asked for, and waits a little; returns the ids of those that take longer."""
        begun = {draft.doc_id: self._begin(draft) for draft in drafts if not _is_plain(draft)}
        wait(begun.values(), timeout=patience_s)
        return {doc_id for doc_id, reading in begun.items() if not reading.done()}

    def is_reading(self, drafts: Iterable[Draft]) -> bool:
        """Whether one of these was begun and is not done."""
        return any(not reading.done() for draft in drafts if (reading := self._begun.get(_key(draft))))

    def close(self) -> None:
        """Ends the processes; documents that are being read are lost."""
        self._ending()

    def _begin(self, draft: Draft) -> Future[Parsed | Rejected]:
        key = _key(draft)
        if key not in self._begun:
            self._begun[key] = self._threads.submit(self._isolated, draft)
        return self._begun[key]

    def _here(self, draft: Draft) -> Parsed | Rejected:
        try:
            return parse(draft, self._limits)
        except Rejected as rejection:
            return rejection

    def _isolated(self, draft: Draft) -> Parsed | Rejected:
        death = Died("crashed", "")
        for _ in range(ATTEMPTS):
            process = self._process()
            try:
                return process.parse(draft)
            except Rejected as rejection:
                return rejection
            except Died as died:
                self._discard(process)
                death = died
        return Rejected(death.code, death.detail)

    def _process(self) -> Process:
        """The process of this thread, a fresh one when there is none or it has done its share."""
        process: Process | None = getattr(self._own, "process", None)
        if process is not None and process.documents >= DOCUMENTS_EACH:
            self._discard(process)
            process = None
        if process is None:
            process = self._own.process = Process(self._parser, self._limits)
            self._running.add(process)
        return process

    def _discard(self, process: Process) -> None:
        self._own.process = None
        self._running.discard(process)
        process.close()


def _end(threads: ThreadPoolExecutor, running: set[Process]) -> None:
    threads.shutdown(wait=False, cancel_futures=True)
    for process in list(running):
        process.close()
    threads.shutdown()
    running.clear()


def _is_plain(draft: Draft) -> bool:
    return is_plain(draft.media_type, draft.content)


def _key(draft: Draft) -> tuple[str, ...]:
    """What the text of a document depends on."""
    return draft.doc_id, draft.media_type, draft.title or "", content_hash(draft.content)
