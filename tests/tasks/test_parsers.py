"""Parsing processes: whatever a document does to one, the others get their text and the process is replaced."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.documents import Draft
from index.errors import Rejected
from tasks.parse import Limits, Parsed
from tasks.parsers import Parsers, Process
from tests.tasks import papers

BAD = "tests.tasks.bad_parsers:parse"
LIMITS = Limits(seconds=1, memory_bytes=256 * 1024**2, characters_out=100_000)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def parsers() -> Iterator[Parsers]:
    with Parsers(LIMITS, processes=2, parser=BAD) as made:
        yield made


def drafts(*texts: str) -> list[Draft]:
    return [Draft(text.split(" ")[0], media_type="application/pdf", content=text.encode()) for text in texts]


def codes(found: dict[str, Parsed | Rejected]) -> dict[str, str]:
    return {doc_id: result.code if isinstance(result, Rejected) else "text" for doc_id, result in found.items()}


@pytest.mark.thorough
def test_what_kills_or_hangs_its_process_costs_only_itself(parsers: Parsers):
    found = parsers.parse_all(drafts("good", "segfault", "exit", "hang", "spin", "eat", "raise", "reject why", "flood", "fine"))
    assert codes(found) == {
        "good": "text",
        "segfault": "crashed",
        "exit": "crashed",
        "hang": "timeout",
        "spin": "timeout",
        "eat": "out_of_memory",
        "raise": "corrupt",
        "reject": "corrupt",
        "flood": "crashed",
        "fine": "text",
    }
    assert str(found["segfault"]) == "crashed: the parser died of it (Segmentation fault)"
    assert str(found["reject"]) == "corrupt: why"


def test_an_answer_comes_back_whole(parsers: Parsers):
    [parsed] = parsers.parse_all([Draft("a", media_type="application/pdf", content="Zoë\n\x7f𝛼".encode())]).values()
    assert isinstance(parsed, Parsed)
    assert (parsed.text, parsed.form, parsed.pages) == ("Zoë\n\x7f𝛼", "text", ((0, 1),))


def test_a_document_is_tried_twice(parsers: Parsers, tmp_path: Path):
    assert codes(parsers.parse_all(drafts(f"once {tmp_path / 'seen'}"))) == {"once": "text"}


def test_documents_are_read_side_by_side(parsers: Parsers):
    parsers.parse_all([Draft(name, media_type="application/pdf", content=b"sleep 0.1") for name in "ab"])
    began = time.perf_counter()
    parsers.parse_all([Draft(name, media_type="application/pdf", content=b"sleep 0.6") for name in "ab"])
    assert time.perf_counter() - began < 1.1


def test_processes_start_late_and_are_used_again(parsers: Parsers):
    before = children()  # of other tests
    plain = parsers.parse_all([Draft("a", media_type="text/markdown", content=b"# Apples")])
    assert plain == {"a": Parsed("Apples", "# Apples", "markdown")}
    assert children() == before
    first, second = (parsers.parse_all(drafts("good"))["good"] for _ in range(2))
    assert isinstance(first, Parsed)
    assert first == second


def test_closing_ends_the_processes_and_those_at_work():
    before = children()  # of other tests
    parsers = Parsers(LIMITS, processes=1, parser=BAD)
    parsers.parse_all(drafts("good"))
    assert len(children()) == len(before) + 1
    parsers.close()
    assert children() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_processes_end_with_a_parent_that_is_killed():
    program = (
        "import os, threading\nfrom index.documents import Draft\nfrom tasks.parsers import Parsers\n"
        "from tests.tasks.test_parsers import BAD, children\n"
        "parsers = Parsers(processes=1, parser=BAD)\n"
        "parsers.parse_all([Draft('a', media_type='application/pdf', content=b'x')])\n"
        "hanging = [Draft('a', media_type='application/pdf', content=b'hang')]\n"
        "threading.Thread(target=parsers.parse_all, args=(hanging,), daemon=True).start()\n"
        "print(*children(), flush=True)\nos.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    [child] = map(int, ended.stdout.split())
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)


def test_what_a_library_prints_is_no_answer(parsers: Parsers):
    assert codes(parsers.parse_all(drafts("print"))) == {"print": "text"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes the network away")
def test_a_parser_has_no_network(parsers: Parsers):
    with socket.create_server(("127.0.0.1", 0)) as server:
        [found] = parsers.parse_all(drafts(f"connect {server.getsockname()[1]}")).values()
    if isinstance(found, Parsed) and found.text == "connected":
        pytest.skip("this machine does not let a process give up the network")
    assert isinstance(found, Parsed)
    assert found.text.startswith("refused")


def test_a_parser_fills_no_disk(parsers: Parsers, tmp_path: Path):
    assert codes(parsers.parse_all(drafts(f"write {tmp_path / 'large'}"))) == {"write": "corrupt"}
    assert (tmp_path / "large").stat().st_size <= 1024 * 1024


def test_a_process_is_small_and_quick_to_start():
    program = "import sys, tasks.parse_worker, tasks.parse; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not {"lancedb", "torch", "prefect", "numpy", "pandas", "transformers"} & set(loaded)


def test_a_process_that_can_not_start_is_no_fault_of_the_document():
    with pytest.raises(OSError, match="did not start"):
        Process("tasks.parse:no_such_parser", LIMITS)


@pytest.mark.thorough
def test_real_documents_are_read_within_their_limits():
    with Parsers(processes=1) as parsers:
        found = parsers.parse_all(
            [
                Draft("a", media_type="application/pdf", content=papers.pdf([papers.drawn((50, 700, 12, "Apples keep."))])),
                Draft("b", media_type="text/html", content=b"<p>" * 100_000),
                Draft("c", media_type="application/pdf", content=b"no PDF"),
            ]
        )
    assert codes(found) == {"a": "text", "b": "too_deep", "c": "corrupt"}


def children() -> list[int]:
    """The parsing processes of this one."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "tasks.parse_worker" in line and "defunct" not in line]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
