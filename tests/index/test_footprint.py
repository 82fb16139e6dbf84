"""What a table takes on disk, and what of it one release needs."""

import pytest

from tests.bench import Bench


@pytest.mark.thorough
def test_the_files_of_a_release_are_a_part_of_those_of_the_table(bench: Bench):
    for number in range(3):
        bench.put("a", f"apples, edition {number}")
    bench.publisher.table.fold()
    bench.publisher.publish_maintenance()
    head = bench.store.head(bench.live.generation)
    table = bench.store.folder / f"chunks_{bench.live.generation}.lance"
    footprint = head.footprint()
    assert footprint.bytes == sum(path.stat().st_size for path in table.rglob("*") if path.is_file())
    needed = head.files(footprint)
    assert 0 < sum(needed.values()) < footprint.bytes
    assert {name.split("/")[0] for name in needed} == {"data", "_indices"}
    first = bench.store.at(bench.store.log.get(2)).files(footprint)
    assert set(first) - set(needed)
