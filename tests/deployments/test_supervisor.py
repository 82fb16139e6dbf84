import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployments.parts import Part
from deployments.policy import RestartPolicy
from deployments.probes import WritesItsPid
from deployments.supervisor import Patience, Supervisor

PATIENCE = Patience(first_s=3.0, all_s=6.0, look_s=0.02)
IMPATIENT = Patience(first_s=0.3, all_s=0.6, look_s=0.02)
POLICY = RestartPolicy(first_wait_s=0.05)

WRITE_PID = "import os, pathlib, signal, subprocess, sys, time; pathlib.Path('{pid_file}').write_text(str(os.getpid())); "
SLEEP = WRITE_PID + "time.sleep(60)"
CRASH = "print('the reason'); raise SystemExit(3)"
IGNORE_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP
CHILD = "import os, pathlib, time; pathlib.Path('{pid_file}.child').write_text(str(os.getpid())); time.sleep(60)"
WITH_CHILD = WRITE_PID + f'subprocess.run([sys.executable, "-c", "{CHILD}"])'
WITH_CHILD_IN_A_SESSION_OF_ITS_OWN = WRITE_PID + f'subprocess.run([sys.executable, "-c", "{CHILD}"], start_new_session=True)'


@dataclass
class Record:
    """A listener that writes down what it is told."""

    events: list[str] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    def up(self, part, seconds, *, again):
        self.events.append(f"{part.name} up again" if again else f"{part.name} up")

    def died(self, part, how, wait_s):
        self.events.append(f"{part.name} {how}, next in {wait_s:g} s")

    def gave_up(self, part, how, last_lines):
        self.events.append(f"{part.name} given up: {how}: {' '.join(last_lines)}")

    def stopping(self):
        self.events.append("stopping")

    def stopped(self, seconds, left):
        self.events.append("stopped")
        self.left.extend(left)


class Run:
    """A supervisor of small programs, with what it said and the ids of its processes."""

    def __init__(self, folder: Path, patience: Patience = PATIENCE, **programs: str) -> None:
        self.folder = folder
        self.record = Record()
        self.seen: float = 0
        parts = [self._part(name, program) for name, program in programs.items()]
        self.supervisor = Supervisor(parts, os.environ, folder, self.record, POLICY, patience)

    def _part(self, name, program):
        pid_file = self.folder / f"{name}.pid"
        command = (sys.executable, "-S", "-c", program.format(pid_file=pid_file))
        return Part(name, "a small program", "here", command, WritesItsPid(pid_file), stops_last=name == "server")

    def pid(self, name):
        return int((self.folder / f"{name}.pid").read_text())

    def play(self, scene=None) -> bool:
        """Runs until the scene, a coroutine function, is over and everything is stopped."""

        async def act():
            running = asyncio.create_task(self.supervisor.run())
            if scene:
                await self.supervisor.all_up()
                await scene()
                self.supervisor.stop()
            return await asyncio.wait_for(running, 20)

        return asyncio.run(act())

    async def until(self, condition):
        while not condition():  # noqa: ASYNC110 - other processes are waited for
            await asyncio.sleep(0.02)

    async def until_up_again(self, name):
        await self.until(lambda: f"{name} up again" in self.record.events)

    async def child(self, name):
        """The id of the process that a part has started."""
        file = self.folder / f"{name}.pid.child"
        await self.until(lambda: file.exists() and file.read_text())
        return int(file.read_text())


@pytest.fixture
def start(tmp_path):
    return lambda **given: Run(tmp_path, **given)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_part_comes_back_and_the_others_do_not_notice(start):
    run = start(api=SLEEP, ingester=SLEEP)

    async def scene():
        ingester = run.pid("ingester")
        os.kill(run.pid("api"), signal.SIGKILL)
        await run.until_up_again("api")
        assert run.pid("ingester") == ingester

    assert run.play(scene)
    assert run.record.events[2:] == ["api killed by SIGKILL, next in 0.05 s", "api up again", "stopping", "stopped"]


def test_a_part_killed_twice_in_a_row_still_comes_back(start):
    run = start(api=SLEEP)

    async def scene():
        for _ in range(2):
            os.kill(run.pid("api"), signal.SIGKILL)
            run.record.events.clear()
            await run.until_up_again("api")

    assert run.play(scene)


def test_a_part_that_is_misconfigured_stops_everything_at_once_with_the_reason(start):
    run = start(api=f"print('the reason'); raise SystemExit({os.EX_CONFIG})", ingester=SLEEP)
    assert not run.play()
    assert [event for event in run.record.events if event.startswith("api")] == ["api given up: it is misconfigured: the reason"]


def test_three_quick_deaths_stop_everything_with_the_reason(start):
    run = start(api=CRASH, ingester=SLEEP)
    assert not run.play()
    deaths = [event for event in run.record.events if event.startswith("api")]
    assert deaths == [
        "api ended with exit code 3, next in 0.05 s",
        "api ended with exit code 3, next in 0.1 s",
        "api given up: ended with exit code 3: the reason the reason the reason",
    ]
    assert not is_running(run.pid("ingester"))


def test_a_part_that_ignores_sigterm_is_killed_in_time(start):
    run = start(patience=IMPATIENT, api=IGNORE_SIGTERM, server=IGNORE_SIGTERM)

    async def scene():
        run.seen = time.monotonic()

    run.play(scene)
    assert IMPATIENT.all_s <= time.monotonic() - run.seen < PATIENCE.all_s
    assert not is_running(run.pid("api"))
    assert not is_running(run.pid("server"))


def test_a_stopped_process_is_killed_in_time(start):
    run = start(patience=IMPATIENT, api=SLEEP)

    async def scene():
        os.kill(run.pid("api"), signal.SIGSTOP)

    run.play(scene)
    assert not is_running(run.pid("api"))


def test_a_second_request_to_stop_does_not_wait(start):
    run = start(api=IGNORE_SIGTERM)

    async def scene():
        run.seen = time.monotonic()
        asyncio.get_running_loop().call_later(0.1, run.supervisor.kill)

    run.play(scene)
    assert time.monotonic() - run.seen < PATIENCE.first_s
    assert not is_running(run.pid("api"))


@pytest.mark.parametrize("program", [WITH_CHILD, WITH_CHILD_IN_A_SESSION_OF_ITS_OWN])
def test_children_of_a_part_stop_with_it(start, program):
    run = start(flows=program)

    async def scene():
        run.seen = await run.child("flows")

    run.play(scene)
    assert not is_running(run.pid("flows"))
    assert not is_running(run.seen)
    assert run.record.left == []


@pytest.mark.parametrize("program", [WITH_CHILD, WITH_CHILD_IN_A_SESSION_OF_ITS_OWN])
def test_children_of_a_killed_part_are_gone_before_it_comes_back(start, program):
    run = start(flows=program)

    async def scene():
        child = await run.child("flows")
        os.kill(run.pid("flows"), signal.SIGKILL)
        await run.until_up_again("flows")
        assert not is_running(child)

    run.play(scene)


def test_what_the_others_need_to_stop_in_order_stops_last(start):
    note = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), print('{name} ends', time.monotonic(), flush=True), sys.exit()))"
    program = f"import signal, sys, time; {note}; " + SLEEP
    run = start(server=program.replace("{name}", "server"), flows=program.replace("{name}", "flows"))

    async def scene():
        pass

    run.play(scene)
    ended = {name: float((run.folder / f"{name}.log").read_text().split()[-1]) for name in ("server", "flows")}
    assert ended["flows"] + 0.15 < ended["server"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
@pytest.mark.parametrize("program", [SLEEP, WITH_CHILD, WITH_CHILD_IN_A_SESSION_OF_ITS_OWN])
@pytest.mark.thorough
def test_nothing_survives_a_killed_supervisor(tmp_path, program):
    supervise = f"""
        import asyncio, os, pathlib, sys
        from deployments.parts import Part
        from deployments.probes import Survives
        from deployments.screen import Screen
        from deployments.supervisor import Supervisor

        part = Part("api", "", "", (sys.executable, "-S", "-c", {program.format(pid_file=tmp_path / "api.pid")!r}), Survives(0))
        asyncio.run(Supervisor([part], os.environ, pathlib.Path({str(tmp_path)!r}), Screen()).run())
    """
    files = [tmp_path / "api.pid"] + ([tmp_path / "api.pid.child"] if "child" in program else [])
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(supervise)], stdout=subprocess.DEVNULL) as supervisor:
        wait_until(lambda: all(file.exists() and file.read_text() for file in files))
        supervisor.kill()
    wait_until(lambda: not any(is_running(int(file.read_text())) for file in files))


def wait_until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
