"""The real platform as a child process on free ports, spoken to over HTTP."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import httpx

from index.documents import Draft
from index.settings import Settings

READY = "Groundwork is ready"
READY_S = 180.0
CONSOLE = "console.log"
STOP_S = 20.0
CALL_S = 120.0
LOOK_S = 0.1
BULK_DOCUMENTS = 500


class PlatformFailed(Exception):
    """The platform did not start, died, or refused what it should have taken."""


class RunningPlatform:
    """A platform that is up. Safe to share between threads. `process` is the first of its processes (0: not known)."""

    def __init__(self, home: Path, url: str, process: int = 0) -> None:
        self.home = home
        self.process = process
        self._url = url
        key = (home / "admin.key").read_text(encoding="utf-8").strip()
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=CALL_S, trust_env=False)

    def close(self) -> None:
        """Ends the connections; the platform goes on."""
        self._client.close()

    def another_client(self) -> "RunningPlatform":
        """The same platform with connections of its own; `close` it."""
        return RunningPlatform(self.home, self._url, self.process)

    def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A reply, whatever its status."""
        return self._client.request(method, path, **request)

    def call(self, method: str, path: str, **request: Any) -> Any:
        """The JSON of a reply; `PlatformFailed` unless it is a 2xx."""
        reply = self.request(method, path, **request)
        if not reply.is_success:
            raise PlatformFailed(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
        return reply.json()

    def search(self, query: str, mode: str = "hybrid", k: int = 10) -> list[dict[str, Any]]:
        """The hits of the live release, best first."""
        hits: list[dict[str, Any]] = self.call("POST", "/v1/search", json={"query": query, "mode": mode, "k": k})["hits"]
        return hits

    def accept(self, drafts: Sequence[Draft]) -> None:
        """Hands the documents in, some hundreds a request; they are durable when this returns."""
        for start in range(0, len(drafts), BULK_DOCUMENTS):
            reply = self.call("POST", "/v1/documents", **bulk(drafts[start : start + BULK_DOCUMENTS]))
            if reply["rejected"]:
                raise PlatformFailed(f"documents were rejected: {reply['rejected'][:3]}")

    def waiting(self) -> int:
        """How many accepted documents no release contains yet."""
        return int(self.call("GET", "/health/ready")["waiting"])

    def until_indexed(self, timeout_s: float, look_s: float = 1.0) -> Iterator[int]:
        """How many documents still wait, again and again until none does; `PlatformFailed` when that takes too long."""
        deadline = monotonic() + timeout_s
        while waiting := self.waiting():
            if monotonic() > deadline:
                raise PlatformFailed(f"{waiting} documents still wait after {timeout_s:.0f} s; see {self.home / 'logs'}")
            yield waiting
            sleep(look_s)


@contextmanager
def started(prepare: Callable[[Path], object] = lambda _: None, **more: str) -> Iterator[RunningPlatform]:
    """A platform that is ready, in a temporary folder, with `more` settings by name; it is stopped in the end.

    It is empty, but for what `prepare` puts into its home.
    """
    with TemporaryDirectory(prefix="groundwork-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        prepare(home)
        port, prefect_port = free_ports(2)
        settings = {"HOME": folder, "PORT": str(port), "PREFECT_PORT": str(prefect_port), "SAMPLE": "0", **more}
        with (home / CONSOLE).open("wb") as console:
            process = subprocess.Popen(command(settings), stdout=console, stderr=console, stdin=subprocess.DEVNULL)  # noqa: S603 - our own program
        try:
            _wait_until_ready(process, home / CONSOLE)
            platform = RunningPlatform(home, f"http://127.0.0.1:{port}", process.pid)
            try:
                yield platform
            finally:
                platform.close()
        finally:
            _stop(process)


def command(settings: Mapping[str, str]) -> list[str]:
    """Starts the platform with these settings and no others of the caller's, but the embedder."""
    others = [f"GROUNDWORK_{name.upper()}" for name in Settings.model_fields if name != "embedder"]
    unset = [part for name in (*others, "PREFECT_API_URL") for part in ("-u", name)]
    values = [f"GROUNDWORK_{name}={value}" for name, value in settings.items()]
    return ["/usr/bin/env", *unset, *values, sys.executable, "-m", "deployments.local", "--with-parent"]


def bulk(drafts: Sequence[Draft]) -> dict[str, Any]:
    """What a request that hands in these documents has beside its method and path."""
    return {"content": b"\n".join(_line(draft) for draft in drafts), "headers": {"Content-Type": "application/x-ndjson"}}


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _wait_until_ready(process: "subprocess.Popen[bytes]", console: Path) -> None:
    """Waits for the line that says all parts are up; when the API answers, the ingester may still be loading."""
    deadline = monotonic() + READY_S
    while READY not in (said := console.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or monotonic() > deadline:
            raise PlatformFailed(f"the platform did not get ready:\n{said[-2000:]}")
        sleep(LOOK_S)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _line(draft: Draft) -> bytes:
    facts = {"doc_id": draft.doc_id, "text": draft.content.decode(), "media_type": draft.media_type}
    return json.dumps(facts | ({"title": draft.title} if draft.title else {})).encode()
