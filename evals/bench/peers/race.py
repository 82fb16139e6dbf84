"""All systems over the same folder, in turn: how long they take, what they embed, what is wrong in their tables then."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from evals.bench.figures import Case, Figure, median
from evals.bench.options import Options
from evals.bench.peers import folders
from evals.bench.peers.environment import Peer, run, run_killed, systems
from evals.bench.peers.program import Report
from index.embedder import bundled_path
from index.settings import Settings

PART = "peers"
ROUNDS = 3
SHARE = 0.01
LOAD, CHANGED, UNCHANGED = "first load", "1 % changed", "nothing changed"
MOVED = "1 % each shortened, renamed, deleted"
KILLED = "first load killed at 1/4, 1/2 and 3/4, run again"
KILLED_WRITING = "first load killed when rows were added, run again"
CHANGE_KILLED = "1 % changed, killed when rows were added, run again"
KILLS = (0.25, 0.5, 0.75)

# The reports of one system by step.
Course = dict[str, list[Report]]


@dataclass(slots=True)
class Race:
    """The folder, and a state folder of each system for each step that needs a fresh one."""

    home: Path
    model: str
    peers: list[Peer]
    courses: dict[str, Course] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """What is indexed."""
        return self.home / "documents"

    def step(self, name: str, state: str, before: Callable[[Peer, Path], None] | None = None) -> None:
        """Each system brings its index up to date, one after the other, after what is done to it `before`."""
        for peer in self.peers:
            where = self.home / peer.module / state
            if before:
                before(peer, where)
            report = run(peer, self.folder, where, self.model, self.log(peer))
            self.courses.setdefault(peer.name, {}).setdefault(name, []).append(report)
            print(f"{peer.name}, {name}: {report}", file=sys.stderr, flush=True)

    def kill(self, peer: Peer, where: Path, shares: tuple[float, ...] = ()) -> None:
        """Starts updates that don't come to their end: killed after shares of a first load, or when rows have been added."""
        first = median([report.seconds for report in self.courses[peer.name][LOAD]])
        moments: list[float | None] = [first * share for share in shares]
        for after_s in moments or [None]:
            if not run_killed(peer, self.folder, where, self.model, self.log(peer), after_s):
                print(f"{peer.name} came to its end before it could be killed", file=sys.stderr, flush=True)

    def log(self, peer: Peer) -> Path:
        """What the last process of a system complained of."""
        return self.home / f"{peer.module}.log"


def race(options: Options) -> list[Figure]:
    """Three rounds of what is timed, then one of each accident."""
    settings = Settings()
    peers = systems(settings.home / "cache")
    with TemporaryDirectory(prefix="groundwork-bench-") as name:
        racing = Race(Path(name), settings.embedder or str(bundled_path()), peers)
        documents = folders.fill(racing.folder, options.data, options.docs)
        timed(racing)
        accidents(racing)
    return [Case(PART, "corpus").figure("documents", documents, "documents"), *figures(racing.courses)]


def timed(racing: Race) -> None:
    """First loads of fresh states; then, on the last of them, changes and nothing in turn."""
    for number in range(ROUNDS):
        racing.step(LOAD, f"load-{number}")
    last = f"load-{ROUNDS - 1}"
    for number in range(ROUNDS):
        racing.step(UNCHANGED, last)
        folders.change(racing.folder, SHARE, number)
        racing.step(CHANGED, last)


def accidents(racing: Race) -> None:
    """What production does to an index."""
    last = f"load-{ROUNDS - 1}"
    folders.shorten_rename_delete(racing.folder, SHARE)
    racing.step(MOVED, last)
    folders.change(racing.folder, SHARE, ROUNDS)
    racing.step(CHANGE_KILLED, last, racing.kill)
    racing.step(KILLED, "killed", partial(racing.kill, shares=KILLS))
    racing.step(KILLED_WRITING, "killed-writing", racing.kill)


def figures(courses: dict[str, Course]) -> list[Figure]:
    """The medians of all systems; the others beside the first, which is this platform."""
    ours = next(iter(courses))
    found: list[Figure] = []
    of_ours: dict[str, Figure] = {}
    for name, course in courses.items():
        case = Case(PART, name)
        for step in (LOAD, CHANGED, UNCHANGED):
            reports = course[step]
            for metric, value, unit in (
                (step, median([report.seconds for report in reports]), "s"),
                (f"{step}: embedded", median([report.embedded for report in reports]), "passages"),
            ):
                figure = case.figure(metric, value, unit)
                found.append(figure if name == ours else figure.against(of_ours[metric]))
                of_ours.setdefault(metric, figure)
        for step, reports in course.items():
            last = reports[-1]
            wrong = (("stale", last.stale), ("doubled", last.doubled), ("missing", last.missing))
            found += [case.figure(f"{step}: {what}", count, "passages") for what, count in wrong]
    return found
