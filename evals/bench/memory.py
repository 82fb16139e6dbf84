"""The memory of a process and all that it started, from Linux' `/proc`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

PROC = Path("/proc")
EVERY_S = 1.0


def family(process: int) -> list[int]:
    """The process and those below it."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            # The name, in brackets, may hold anything; after it come the state and the parent.
            _, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            children[int(parent)].append(int(folder.name))
    found = [process]
    for one in found:
        found += children[one]
    return found


def memory(processes: Iterable[int]) -> Counter[str]:
    """Bytes of the processes by what they run; what they share is divided among those that share it (PSS)."""
    found: Counter[str] = Counter()
    for process in processes:
        with suppress(OSError):  # it has ended meanwhile
            rollup = (PROC / str(process) / "smaps_rollup").read_text()
            [kib] = [line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")]
            words = (PROC / str(process) / "cmdline").read_text().split("\0")
            found[runs(words)] += int(kib) * 1024
    return found


def runs(words: Sequence[str]) -> str:
    """The module or program that a command line runs."""
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1]
    script = next((word for word in words[1:] if word and not word.startswith("-")), "")
    return f"{Path(words[0]).name} {Path(script).name}".strip()[:60]


class MemoryWatch:
    """Looks at the memory of a process and all below it every second; `peak` is the largest of it, by what runs."""

    def __init__(self, process: int, every_s: float = EVERY_S) -> None:
        self._process = process
        self._every_s = every_s
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.peak: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.peak = max(self.peak, memory(family(self._process)), key=Counter.total)
            if self._stop.wait(self._every_s):
                return
