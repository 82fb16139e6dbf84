"""What each system runs as: a process that brings its index up to date with a folder once, and says how that went.

Imported in environments that have none of our dependencies: only the standard library.
"""

import argparse
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Protocol

# Every system cuts passages of at most so many tokens of the model, and two that each has for its start and end.
CHUNK_TOKENS = 254
BATCH = 128
READY = "ready"

# A passage: the document it comes from, and its text.
Passage = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went, and what its table holds then, beside what the system itself would cut from the folder.

    Args:
        seconds: from the open model to the last byte of state on disk.
        embedded: passages that went through the model.
        passages: rows in the table.
        stale: rows with a passage that is in no document of the folder.
        doubled: rows beyond those that there should be of a passage.
        missing: passages that no row has.
    """

    seconds: float
    embedded: int
    passages: int
    stale: int
    doubled: int
    missing: int


class System(Protocol):
    """A way to keep an index. Its model is loaded when it is made; its state is opened by `update`."""

    def update(self, folder: Path) -> int:
        """Makes the index say what the folder says; returns how many passages were embedded."""
        ...

    def stored(self) -> Iterable[Passage]:
        """All rows that a search may find."""
        ...

    def expected(self, folder: Path) -> Iterable[Passage]:
        """The passages of the folder, as this system cuts them."""
        ...


def documents(folder: Path) -> dict[str, str]:
    """The texts of the folder by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())}


def counted(seconds: float, embedded: int, stored: Iterable[Passage], expected: Iterable[Passage]) -> Report:
    """The report of a run."""
    rows, wanted = Counter(stored), Counter(expected)
    return Report(
        seconds=seconds,
        embedded=embedded,
        passages=rows.total(),
        stale=sum(count for passage, count in rows.items() if passage not in wanted),
        doubled=sum(max(0, rows[passage] - count) for passage, count in wanted.items()),
        missing=sum(passage not in rows for passage in wanted),
    )


def die_after(function: str) -> None:
    """Ends this process, as `kill -9` would, the moment a function returns for the first time."""

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code.co_qualname == function:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def run(open_system: Callable[[Path, str], System]) -> None:
    """One run, as the command line asks for it: says `ready` when the model is loaded, and at last the report as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("model")
    parser.add_argument("--dies-after")
    asked = parser.parse_args()
    asked.state.mkdir(parents=True, exist_ok=True)
    system = open_system(asked.state, asked.model)
    print(READY, flush=True)
    if asked.dies_after:
        die_after(asked.dies_after)
    began = perf_counter()
    embedded = system.update(asked.folder)
    seconds = perf_counter() - began
    report = counted(seconds, embedded, system.stored(), system.expected(asked.folder))
    print(json.dumps(asdict(report)), flush=True)
