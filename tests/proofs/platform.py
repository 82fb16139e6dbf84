"""The whole platform as `make run` starts it, on free ports and in a folder of its own; speaks HTTP to it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self
from urllib.parse import quote

import httpx

from deployments import strays

ROOT = Path(__file__).parents[2]
PARTS = ("api", "prefect", "ingester", "flows")
START_S = 240.0
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and the JSON that came with it; status 0: nobody answered."""

    status: int
    json: Any = None


class RunningPlatform:
    """Start it with `with`; what is left of it at the end is killed."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.port, self.prefect_port = free_ports(2)
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(("GROUNDWORK_", "PREFECT_"))} | {
            "GROUNDWORK_HOME": str(home),
            "GROUNDWORK_PORT": str(self.port),
            "GROUNDWORK_PREFECT_PORT": str(self.prefect_port),
            "GROUNDWORK_SAMPLE": "0",
            **settings,
        }
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_S, trust_env=False)
        self._prefect = httpx.Client(base_url=f"http://127.0.0.1:{self.prefect_port}/api", timeout=30, trust_env=False)
        self._supervisor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.push(self.__exit__)
            self.start()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):  # it ended with one before it
                os.kill(pid, signal.SIGKILL)
        if self._supervisor:
            self._supervisor.wait()
        self._client.close()
        self._prefect.close()

    @property
    def console(self) -> str:
        """What a person would have read in the terminal."""
        return (self.home.parent / "console.log").read_text()

    @property
    def supervisor(self) -> int:
        """Its process id."""
        assert self._supervisor
        return self._supervisor.pid

    def start(self) -> None:
        """Returns when searching works."""
        with (self.home.parent / "console.log").open("ab") as console:
            command = [sys.executable, "-m", "deployments.local"]
            self._supervisor = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=console, stderr=console)
        self.until(lambda: self.call("GET", "/health/ready").status == 200, START_S)

    def restart(self) -> None:
        """What a service manager does when the supervisor has died."""
        assert self._supervisor
        self._supervisor.wait()
        self.start()

    def stop(self) -> float:
        """Asks for the end as a service manager would; the seconds that it took."""
        assert self._supervisor
        began = monotonic()
        self._supervisor.send_signal(signal.SIGTERM)
        code = self._supervisor.wait(PATIENCE_S)
        assert code == 0, self.console
        return monotonic() - began

    def call(self, method: str, path: str, json: object = None, **params: Any) -> Reply:
        """A request with the admin key."""
        file = self.home / "admin.key"
        headers = {"Authorization": f"Bearer {file.read_text().strip()}"} if file.exists() else {}
        try:
            reply = self._client.request(method, path, json=json, params=params, headers=headers)
        except httpx.TransportError:
            return Reply(0)
        return Reply(reply.status_code, _json(reply))

    def put(self, doc_id: str, text: str, wait: float = 0, **facts: Any) -> Reply:
        """Puts a text."""
        return self.call("PUT", document(doc_id), {"text": text} | facts, wait=wait)

    def put_surely(self, doc_id: str, text: str) -> None:
        """Puts a text, again and again while nobody answers, as a client does that wants it in."""
        self.until(lambda: self.put(doc_id, text).status == 202, START_S)

    def found(self, query: str, **more: Any) -> list[str]:
        """The documents of a search, best first."""
        reply = self.call("POST", "/v1/search", {"query": query} | more)
        assert reply.status == 200, reply
        return list(dict.fromkeys(hit["doc_id"] for hit in reply.json["hits"]))

    def prefect(self, what: str, **condition: Any) -> list[dict[str, Any]]:
        """What Prefect's REST API has of flow runs, artifacts or deployments; nothing while it does not answer."""
        try:
            reply = self._prefect.post(f"/{what}/filter", json=condition)
        except httpx.TransportError:
            return []
        return list(reply.raise_for_status().json())

    def start_run(self, deployment: str, **parameters: Any) -> None:
        """What the button in the Prefect UI does. Prefect answers 503 while its SQLite is locked, and its own client asks again."""
        found = self._prefect.get(f"/deployments/name/{deployment}").raise_for_status().json()
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        self.until(lambda: self._accepts(f"/deployments/{found['id']}/create_flow_run", body))

    def _accepts(self, path: str, body: dict[str, Any]) -> bool:
        reply = self._prefect.post(path, json=body)
        if reply.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return False
        reply.raise_for_status()
        return True

    def runs_of(self, flow: str) -> list[dict[str, Any]]:
        """The runs of one flow, newest first."""
        return self.prefect("flow_runs", flows={"name": {"any_": [flow]}}, sort="START_TIME_DESC")

    def processes(self, part: str = "") -> list[int]:
        """What runs on this home: everything, or one part with what it has started."""
        if part:
            return strays.find((self.home / "run.lock").read_text().partition(" ")[2], part)
        mine = f"GROUNDWORK_HOME={self.home}".encode()
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if mine in environment_of(folder)]

    def leader(self, part: str) -> int:
        """The process of a part that the supervisor has started."""
        found = [pid for pid in self.processes(part) if parent_of(pid) == self.supervisor]
        assert len(found) == 1, (part, found)
        return found[0]

    def api_workers(self) -> list[int]:
        """The processes that answer what the API is asked: those that its first has started."""
        leader = self.leader("api")
        return [pid for pid in self.processes("api") if parent_of(pid) == leader]

    @staticmethod
    def until(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
        """Waits for something that other processes bring about."""
        deadline = monotonic() + timeout_s
        while not condition():
            assert monotonic() < deadline, f"waited more than {timeout_s} s"
            sleep(0.2)


def document(doc_id: str) -> str:
    """The path of a document."""
    return f"/v1/documents/{quote(doc_id, safe='')}"


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(listener.getsockname()[1]) for listener in held]
    for listener in held:
        listener.close()
    return ports


def environment_of(folder: Path) -> list[bytes]:
    """The variables of a process; none when it has ended or is not ours."""
    try:
        return (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def parent_of(pid: int) -> int:
    """The parent of a process; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _json(reply: httpx.Response) -> Any:
    return reply.json() if "json" in reply.headers.get("content-type", "") else reply.text
