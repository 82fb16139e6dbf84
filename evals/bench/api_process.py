"""The API alone as a child process: neither ingester nor Prefect, nothing but what answers searches."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx

from evals.bench.platform import PlatformFailed, free_ports
from index.settings import Settings

READY_S = 300.0
STOP_S = 20.0
LOOK_S = 0.2
LOG = "api.log"
NOWHERE = "http://127.0.0.1:1/api"


@dataclass(frozen=True, slots=True)
class ApiProcess:
    """Where it is, and the key of its admin. `pid` is that of its first process."""

    url: str
    key: str
    pid: int

    def client(self, timeout_s: float = 60.0) -> httpx.Client:
        """Connections of their own."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=timeout_s, trust_env=False)


@contextmanager
def serving(home: Path, **knobs: float | bool) -> Iterator[ApiProcess]:
    """The API over the index of a home, with these values in the file of `GROUNDWORK_SERVING`; it is stopped in the end."""
    file = home / "serving.toml"
    file.write_text("".join(f"{name} = {str(value).lower()}\n" for name, value in knobs.items()), encoding="utf-8")
    [port] = free_ports(1)
    settings = {"HOME": str(home), "PORT": str(port), "SAMPLE": "0", "SERVING": str(file)}
    with (home / LOG).open("ab") as log:
        process = subprocess.Popen(_command(settings), stdout=log, stderr=log, stdin=subprocess.DEVNULL)  # noqa: S603 - our own program
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, home / LOG)
        yield ApiProcess(url, (home / "admin.key").read_text(encoding="utf-8").strip(), process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(settings: dict[str, str]) -> list[str]:
    """With these settings and no others of the caller's."""
    unset = [part for name in Settings.model_fields for part in ("-u", f"GROUNDWORK_{name.upper()}")]
    values = [f"GROUNDWORK_{name}={value}" for name, value in settings.items()]
    return ["/usr/bin/env", *unset, *values, f"PREFECT_API_URL={NOWHERE}", sys.executable, "-m", "api.serve"]


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = monotonic() + READY_S
    while not _is_ready(url):
        if process.poll() is not None or monotonic() > deadline:
            raise PlatformFailed(f"the API did not get ready:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
        sleep(LOOK_S)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", trust_env=False, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False
