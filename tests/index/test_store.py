"""Opening an index: what is missing is made, and everybody sees the same."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from index.documents import Draft
from index.store import open_store
from tests.bench import Bench


def test_opening_makes_what_is_missing_under_one_folder(tmp_path: Path):
    store = open_store(str(tmp_path / "index"), tmp_path)
    assert store.folder == tmp_path / "index"
    assert {path.name for path in store.folder.iterdir()} >= {"inbox", "originals", "leases", "releases.lance", "documents.lance"}
    assert list(tmp_path.iterdir()) == [tmp_path / "index"]


def test_files_beside_tables_in_an_object_store_are_kept_at_home(tmp_path: Path):
    store = open_store(f"file://{tmp_path}/elsewhere", tmp_path / "home")
    assert (tmp_path / "home" / "index" / "inbox").is_dir()
    assert (tmp_path / "elsewhere" / "releases.lance").is_dir()
    store.inbox.accept([Draft("a")])
    assert not open_store(f"file://{tmp_path}/elsewhere", tmp_path / "home").inbox.is_empty()


def test_opening_twice_is_one_index(tmp_path: Path):
    one, other = (open_store(str(tmp_path / "index"), tmp_path) for _ in range(2))
    one.inbox.accept([Draft("a")])
    digest = one.originals.put(b"bytes")
    assert list(other.inbox.pending()) == ["a"]
    assert other.originals.get(digest) == b"bytes"


def test_processes_that_start_together_open_one_index(tmp_path: Path):
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: open_store(str(tmp_path / "index"), tmp_path), range(4)))
    for number, store in enumerate(stores, 1):
        assert store.log.append("proven", 1, "test").seq == number


def test_the_table_of_a_released_generation_is_found_by_its_name(bench: Bench):
    bench.put("a", "text")
    table = bench.store.existing_chunk_table(bench.live.generation)
    assert (table.generation, table.count()) == (bench.live.generation, 1)
