"""A worker with an app of a few lines: `python tiny_worker.py SOCKET READY LIFE [--when-ready]`. It says its process id."""

import asyncio
import os
import socket
import sys
from typing import Any, cast

import uvicorn

from api.worker_server import WhenReady, Worker


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers after a moment."""
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


if __name__ == "__main__":
    listening, ready, life = map(int, sys.argv[1:4])
    served = WhenReady(cast(Any, app), lambda: True) if "--when-ready" in sys.argv else app
    config = uvicorn.Config(cast(Any, served), log_config=None, access_log=False, timeout_graceful_shutdown=2)
    Worker(config, 30, ready, life).run([socket.socket(fileno=listening)])
