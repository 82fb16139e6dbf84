"""Load on an HTTP service, made in a process of its own: by clients who wait for their replies, or at a rate that waits for nobody.

It speaks only as much HTTP as it needs: a client that takes a millisecond of the machine for each request would measure itself.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from multiprocessing import get_context
from time import perf_counter
from urllib.parse import urlsplit

LOST = 0
GIVES_UP_S = 60.0
# A service closes what nobody uses, and may just be at it.
UNUSED_S = 4.0
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Idle = list[tuple[Connection, float]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where questions are posted as JSON. Each gets a number at its end, so that none is asked twice; `begin` is the first."""

    url: str
    path: str
    questions: Sequence[str]
    key: str = ""
    begin: int = 0

    def request(self, number: int) -> bytes:
        """The whole request with that question."""
        number += self.begin
        question = f"{self.questions[number % len(self.questions)]} {number}"
        body = json.dumps({"query": question, "k": 10}).encode()
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: {urlsplit(self.url).netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *([f"Authorization: Bearer {self.key}"] if self.key else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class Replies:
    """Of each request: its status (0: the connection was lost), seconds, and when it began; the bodies where they were asked for."""

    status: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    took_s: float = 0.0

    def of(self, *statuses: int) -> list[float]:
        """The seconds of those with such a status."""
        return [seconds for status, seconds in zip(self.status, self.seconds, strict=True) if status in statuses]


def by_clients(target: Target, clients: int, requests: int, *, bodies: bool = False) -> Replies:
    """So many clients, who ask one question after the other, until all are asked."""
    return _elsewhere(partial(_clients, bodies=bodies), target, clients, requests)


def at_rate(target: Target, per_s: float, seconds: float) -> Replies:
    """Questions at a steady rate, whatever becomes of those before."""
    return _elsewhere(_rate, target, per_s, seconds)


def _elsewhere(load: Callable[..., Awaitable[Replies]], *asked: object) -> Replies:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, load, *asked).result()


def _run(load: Callable[..., Awaitable[Replies]], *asked: object) -> Replies:
    async def timed() -> Replies:
        began = perf_counter()
        found = await load(*asked)
        found.took_s = perf_counter() - began
        return found

    return asyncio.run(timed())


async def _clients(target: Target, clients: int, requests: int, *, bodies: bool = False) -> Replies:
    replies, numbers = Replies(), iter(range(requests))

    async def client() -> None:
        connections: Idle = []
        for number in numbers:
            body = await _ask(target, number, connections, replies)
            if bodies:
                replies.bodies.append(body)
        for (_, writer), _ in connections:
            writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return replies


async def _rate(target: Target, per_s: float, seconds: float) -> Replies:
    replies, idle, asked = Replies(), Idle(), set[asyncio.Task[bytes]]()
    began = perf_counter()
    for number in count():
        due = began + number / per_s
        if due > began + seconds:
            break
        if (wait := due - perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(_ask(target, number, idle, replies))
        asked.add(task)
        task.add_done_callback(asked.discard)
    await asyncio.gather(*asked)
    for (_, writer), _ in idle:
        writer.close()
    return replies


async def _ask(target: Target, number: int, idle: Idle, replies: Replies) -> bytes:
    """One question on an idle connection, or a new one, which is idle afterwards."""
    began, status, body = perf_counter(), LOST, b""
    try:
        async with asyncio.timeout(GIVES_UP_S):
            where = urlsplit(target.url)
            reader, writer = _pick(idle) or await asyncio.open_connection(where.hostname, where.port)
            writer.write(target.request(number))
            status, body, stays = await _reply(reader)
            if stays:
                idle.append(((reader, writer), perf_counter()))
            else:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        status = LOST
    replies.status.append(status)
    replies.seconds.append(perf_counter() - began)
    replies.began.append(began)
    return body


def _pick(idle: Idle) -> Connection | None:
    """One that was used a moment ago."""
    while idle:
        (reader, writer), since = idle.pop()
        if perf_counter() - since < UNUSED_S and not reader.at_eof():
            return reader, writer
        writer.close()
    return None


async def _reply(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """The status, the body, and whether the connection stays."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    return int(head[9:12]), body, b"connection: close" not in head
