"""The program of a parsing process: `python -m tasks.parse_worker PARENT_PID PARSER`. `tasks.parsers` starts and ends it.

It reads questions from its input and answers them on its output, one at a time. A message is its length in 4 bytes
(big-endian) and JSON; a question is followed by a second message, the bytes of the document. Answers are JSON and not
pickles, so that a document that has taken over this process still can't run anything in the one that asked.
"""

import ctypes
import json
import math
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from index.documents import Draft
from index.errors import Rejected
from tasks.formats.parsed import Limits, Parsed

READY = b"ready"
Parser = Callable[[Draft, Limits], Parsed]
_LENGTH = struct.Struct(">I")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_MAX_FILE_BYTES = 1024 * 1024
_GRACE_S = 2


def send(stream: BinaryIO, payload: bytes) -> None:
    """Writes a message."""
    stream.write(_LENGTH.pack(len(payload)))
    stream.write(payload)
    stream.flush()


def receive(stream: BinaryIO, most: int) -> bytes | None:
    """The next message; None when the other side has gone, or sends more than `most` bytes."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size or (length := _LENGTH.unpack(head)[0]) > most:
        return None
    payload = stream.read(length)
    return payload if len(payload) == length else None


def main(parent: int, parser: str) -> None:
    """Answers questions until there are no more, or the parent is gone."""
    confine(parent)
    # Whatever a library prints goes to the log of this process and not between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    module, name = parser.split(":")
    parse: Parser = getattr(import_module(module), name)
    send(answers, READY)
    while (question := receive(sys.stdin.buffer, 2**31)) and (content := receive(sys.stdin.buffer, 2**31)) is not None:
        facts = json.loads(question)
        limits = Limits(**facts["limits"])
        allow(limits)
        answer = _answer(parse, Draft("", media_type=facts["media_type"], title=facts["title"], content=content), limits)
        send(answers, answer)
        signal.alarm(0)


def confine(parent: int) -> None:
    """Gives up what no parser needs: the network (where the system allows that), files, core dumps, outliving its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is meant for the parent, which ends us
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after unshare, which resets it
    if os.getppid() != parent:
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    # Threads of libraries would only get into each other's way: documents are read side by side already.
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"


def allow(limits: Limits) -> None:
    """Sets what the next document may take. The kernel ends this process when it takes more time, also if nobody watches."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(limits.seconds) + _GRACE_S
    _lower(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + seconds)
    signal.alarm(seconds)
    with suppress(OSError):  # only Linux tells, and holds, how much address space a process has
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.memory_bytes)


def _lower(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _answer(parse: Parser, draft: Draft, limits: Limits) -> bytes:
    try:
        return json.dumps(asdict(parse(draft, limits)), ensure_ascii=False).encode()
    except Rejected as rejection:
        return json.dumps({"code": rejection.code, "detail": rejection.detail}).encode()
    except MemoryError:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))  # room to say so
        return json.dumps({"code": "out_of_memory", "detail": f"it takes more than {limits.memory_bytes} bytes of memory"}).encode()
    except Exception as error:  # noqa: BLE001 - whatever a library trips over, it is this document that made it trip
        detail = f"{type(error).__name__} while reading it: {error}"[:300].encode("utf-8", "replace").decode()
        return json.dumps({"code": "corrupt", "detail": detail}).encode()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
