"""A worker with an app of a few lines: `python tiny_worker.py SOCKET READY LIFE NUMBER [--when-ready]`. It says its process id.

With NEVER_READY it never takes the place of another. With a folder for counts in COUNTS, it counts its requests there, and tells at
`/metrics` what all have counted.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any, cast

import uvicorn
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from api import counts
from api.worker_server import Life, WhenReady, Worker


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers after a moment."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    body = str(os.getpid()).encode()
    if scope["path"] == "/metrics":
        body = counts.told(CollectorRegistry())
    else:
        await seen()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def seen() -> None:
    """A moment, counted where counts are kept."""
    if not METRICS:
        await asyncio.sleep(0.01)
        return
    requests, seconds, in_hand = METRICS
    with in_hand.track_inprogress(), seconds.time():
        await asyncio.sleep(0.01)
    requests.inc()


METRICS: list[Any] = []


if __name__ == "__main__":
    listening, ready, life, number = map(int, sys.argv[1:5])
    if folder := os.environ.get("COUNTS"):
        counts.share(Path(folder), number)
        gauge = Gauge("tiny_in_hand", "Now.", multiprocess_mode="livesum")
        METRICS += [Counter("tiny_requests", "All."), Histogram("tiny_seconds", "Times."), gauge]
    served = WhenReady(cast(Any, app), lambda: "NEVER_READY" not in os.environ) if "--when-ready" in sys.argv else app
    config = uvicorn.Config(cast(Any, served), log_config=None, access_log=False, timeout_graceful_shutdown=2)
    Worker(config, 30, ready, Life(life)).run([socket.socket(fileno=listening)])
