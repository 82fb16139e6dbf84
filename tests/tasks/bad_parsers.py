"""Parsers that misbehave, one way for each word in the document; run by the processes of `tasks.parsers`."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from index.documents import Draft
from index.errors import Rejected
from tasks.formats.parsed import Limits, Parsed


def parse(draft: Draft, limits: Limits) -> Parsed:
    """Does what the first word says; the rest is its argument."""
    word, _, rest = draft.content.decode().partition(" ")
    text = DEEDS[word](rest, limits) if word in DEEDS else None
    return Parsed(str(os.getpid()), text or draft.content.decode(), "text", ((0, 1),))


def die_once(path: str, _limits: Limits) -> None:
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def spin(_: str, _limits: Limits) -> None:
    while True:
        pass


def stumble(name: str, _limits: Limits) -> None:
    raise KeyError(name)


def reject(detail: str, _limits: Limits) -> None:
    raise Rejected("corrupt", detail)


def connect(port: str, _limits: Limits) -> str:
    try:
        socket.create_connection(("127.0.0.1", int(port)), timeout=5)
    except OSError as error:
        return f"refused: {error}"
    return "connected"


DEEDS: dict[str, Callable[[str, Limits], str | None]] = {
    "segfault": lambda _, limits: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda _, limits: os._exit(3),
    "once": die_once,
    "hang": lambda _, limits: time.sleep(600),
    "sleep": lambda seconds, limits: time.sleep(float(seconds)),
    "spin": spin,
    "eat": lambda _, limits: str(len(bytearray(10 * limits.memory_bytes))),
    "raise": stumble,
    "reject": reject,
    "flood": lambda _, limits: "x" * (limits.characters_out * 7 + 2 * 1024**2),
    "print": lambda _, limits: print("between the answers", flush=True),
    "connect": connect,
    "write": lambda path, limits: str(Path(path).write_bytes(bytes(10 * 1024**2))),
}
