import os
import subprocess
import sys
import threading
import time

import pytest

from deployments import strays
from deployments.home import claimed
from deployments.refusal import CannotStart


def test_a_home_is_made_with_its_parents(tmp_path):
    with claimed(tmp_path / "a" / "b", pid=1):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match=r"GROUNDWORK_HOME=.*file/home can't be written"), claimed(tmp_path / "file" / "home", pid=1):
        pass


def test_a_second_supervisor_on_one_home_is_told_who_the_first_is(tmp_path):
    with claimed(tmp_path, pid=4711) as lock:
        lock.running("run-1")
        with pytest.raises(CannotStart, match="process 4711 runs on GROUNDWORK_HOME="), claimed(tmp_path, pid=4712):
            pass


def test_a_home_whose_supervisor_is_stopping_is_waited_for(tmp_path):
    def stop_slowly():
        with claimed(tmp_path, pid=4711) as lock:
            lock.stopping()
            claimed_first.set()
            time.sleep(0.3)

    claimed_first = threading.Event()
    first = threading.Thread(target=stop_slowly)
    first.start()
    claimed_first.wait()
    began = time.monotonic()
    with claimed(tmp_path, pid=4712):
        assert time.monotonic() - began > 0.2
    first.join()


def test_what_a_killed_supervisor_left_running_is_killed_by_the_next(tmp_path):
    environment = {**os.environ, strays.MARK: strays.mark("run-1", "api")}
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=environment) as left:
        (tmp_path / "run.lock").write_text("4711 run-1")
        with claimed(tmp_path, pid=4712):
            assert left.wait(2) == -9
