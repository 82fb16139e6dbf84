"""The textbook service as a process on a free port."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx

from evals.bench.peers.environment import HERE, environment
from evals.bench.platform import PlatformFailed, free_ports
from index.embedder import bundled_path
from index.settings import Settings

REQUIREMENTS = HERE / "service.txt"
READY_S = 900.0
STOP_S = 10.0
LOOK_S = 0.5
SAID = 2000


@contextmanager
def textbook_service(home: Path) -> Iterator[str]:
    """Its URL, once it holds what is in `home/copy`; raises `Misconfigured` where it can't be installed."""
    python = environment(Settings().home / "cache", REQUIREMENTS)
    [port] = free_ports(1)
    url, log = f"http://127.0.0.1:{port}", home / "textbook.log"
    alone = ["/usr/bin/env", "ANONYMIZED_TELEMETRY=False", "HF_HUB_OFFLINE=1"]
    command = [*alone, str(python), str(HERE / "with_service.py"), str(home / "copy"), str(home / "chroma"), str(bundled_path()), str(port)]
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL)  # noqa: S603 - our own program
    try:
        deadline = monotonic() + READY_S
        while not _is_up(f"{url}/health"):
            if process.poll() is not None or monotonic() > deadline:
                raise PlatformFailed(f"the textbook service did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-SAID:]}")
            sleep(LOOK_S)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
