import os
import subprocess
import sys

from deployments import leash


def leashed(parent, nice, program):
    command = [sys.executable, "-I", "-S", leash.__file__, str(parent), str(nice), sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_becomes_the_program_with_its_priority():
    assert leashed(os.getpid(), 3, "import os; print(os.nice(0))").stdout == f"{os.nice(0) + 3}\n"


def test_the_exit_code_is_that_of_the_program():
    assert leashed(os.getpid(), 0, "raise SystemExit(7)").returncode == 7


def test_nothing_is_started_for_a_parent_that_has_died_meanwhile():
    ended = leashed(os.getppid(), 0, "print('started')")
    assert (ended.returncode, ended.stdout) == (1, "")
