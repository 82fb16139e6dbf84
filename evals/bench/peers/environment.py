"""The virtual environment of the peers, and runs of each system in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from signal import SIGKILL
from time import sleep

from evals.bench.peers.program import READY, Report
from evals.bench.platform import PlatformFailed
from index.errors import Misconfigured

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
REQUIREMENTS = HERE / "requirements.txt"
INSTALLED = "installed"
SAID = 2000


@dataclass(frozen=True, slots=True)
class Peer:
    """A system: its module in this folder, the Python that runs it, and the function that adds rows to its table."""

    name: str
    module: str
    python: str
    adds_rows: str


def systems(cache: Path) -> list[Peer]:
    """All of them, this platform first. Makes the virtual environment below `cache` if it is not there: minutes, and a network."""
    theirs = str(environment(cache))
    return [
        Peer("Groundwork", "with_groundwork", sys.executable, "ChunkTable.upsert"),
        Peer("LangChain", "with_langchain", theirs, "LanceDB.add_texts"),
        Peer("LlamaIndex", "with_llamaindex", theirs, "LanceDBVectorStore.add"),
    ]


def environment(cache: Path, requirements: Path = REQUIREMENTS) -> Path:
    """The Python that has what a file of requirements asks for; raises `Misconfigured` when it can't be installed."""
    folder = cache / f"peers-{sha256(requirements.read_bytes()).hexdigest()[:8]}"
    python = folder / "bin" / "python"
    if not (folder / INSTALLED).exists():
        print(f"installing the peers into {folder} ...", file=sys.stderr, flush=True)
        _must_work([sys.executable, "-m", "venv", "--clear", str(folder)])
        _must_work([str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q", "-r", str(requirements)])
        (folder / INSTALLED).touch()
    return python


def run(peer: Peer, folder: Path, state: Path, model: str, log: Path) -> Report:
    """Brings the index in `state` up to date with the folder; raises `PlatformFailed` when that fails."""
    ended, said = _run(peer, folder, state, model, log, [], lambda _: None)
    if ended:
        raise PlatformFailed(f"{peer.name} ended with {ended}:\n{log.read_text(encoding='utf-8', errors='replace')[-SAID:]}")
    return Report(**json.loads(said))


def run_killed(peer: Peer, folder: Path, state: Path, model: str, log: Path, after_s: float | None) -> bool:
    """The same, killed so many seconds after its model is loaded; None: the moment it has added rows to its table.

    False when it had come to its end by then.
    """
    if after_s is None:
        ended, _ = _run(peer, folder, state, model, log, ["--dies-after", peer.adds_rows], lambda _: None)
    else:

        def kill(process: "subprocess.Popen[str]") -> None:
            sleep(after_s)
            process.kill()

        ended, _ = _run(peer, folder, state, model, log, [], kill)
    return ended == -SIGKILL


def _run(
    peer: Peer,
    folder: Path,
    state: Path,
    model: str,
    log: Path,
    more: list[str],
    when_ready: "Callable[[subprocess.Popen[str]], None]",
) -> tuple[int, str]:
    """The exit status, and what the process said last."""
    command = [peer.python, "-m", f"evals.bench.peers.{peer.module}", str(folder), str(state), model, *more]
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process,  # noqa: S603 - our own program
    ):
        said = ""
        for line in process.stdout or ():
            if line.strip() == READY:
                when_ready(process)
            else:
                said = line
        return process.wait(), said


def _must_work(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if ended.returncode:
        raise Misconfigured(f"the peers can't be installed: {(ended.stderr or ended.stdout).strip()[-SAID:]}")
