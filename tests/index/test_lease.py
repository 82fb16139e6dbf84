"""The lease: one writer at a time, and a dead one holds nothing."""

import subprocess
import sys
from pathlib import Path
from threading import Thread

from index.lease import Lease

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from index.lease import Lease
lease = Lease(Path(sys.argv[1]))
assert lease.acquire(on_wait=lambda: None)
print("held", flush=True)
time.sleep(60)
"""


def test_a_free_lease_is_had_at_once(tmp_path: Path):
    waits: list[str] = []
    with Lease(tmp_path / "leases" / "live") as lease:
        assert lease.acquire(lambda: waits.append("waiting"))
    assert waits == []


def test_the_second_holder_waits_and_is_told_once(tmp_path: Path):
    waits: list[str] = []
    first, second = Lease(tmp_path / "live"), Lease(tmp_path / "live")
    assert first.acquire(lambda: None)
    looks = iter(range(4))
    assert not second.acquire(lambda: waits.append("waiting"), give_up=lambda: next(looks, None) is None, poll_s=0.01)
    assert waits == ["waiting"]
    first.release()
    assert second.acquire(lambda: waits.append("waiting"))
    assert waits == ["waiting"]
    second.release()


def test_the_second_holder_gets_it_while_waiting(tmp_path: Path):
    first, second = Lease(tmp_path / "live"), Lease(tmp_path / "live")
    assert first.acquire(lambda: None)
    results: list[bool] = []
    # Being told to wait is what makes the first holder let go.
    waiter = Thread(target=lambda: results.append(second.acquire(first.release, poll_s=0.01)))
    waiter.start()
    waiter.join(timeout=10)
    assert results == [True]
    second.release()


def test_leases_of_two_generations_do_not_disturb_each_other(tmp_path: Path):
    with Lease(tmp_path / "one") as one, Lease(tmp_path / "other") as other:
        assert one.acquire(lambda: None)
        assert other.acquire(lambda: None, give_up=iter([False, True]).__next__, poll_s=0.01)


def test_a_killed_holder_frees_the_lease(tmp_path: Path):
    path = tmp_path / "live"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        lease = Lease(path)
        waits: list[str] = []

        def told() -> None:
            waits.append("waiting")
            holder.kill()

        assert lease.acquire(told, poll_s=0.01)
        assert waits == ["waiting"]
        lease.release()
    finally:
        holder.kill()
        holder.communicate()
