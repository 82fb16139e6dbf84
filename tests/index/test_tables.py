"""What a process keeps in memory of tables."""

import pytest

from index import tables
from tests.bench import Bench

MIB = 1024 * 1024


@pytest.mark.parametrize(("rows", "mib"), [(0, 16), (600_000, 16), (1_000_000, 32), (10_000_000, 256)])
def test_the_room_for_what_tells_where_rows_are_grows_with_the_table(rows, mib):
    assert tables.metadata_room(rows) == mib * MIB


def test_a_table_that_outgrows_the_caches_gets_larger_ones_which_all_use_from_then_on():
    small = tables.session(12_345, 100)
    assert tables.session(12_345, 600_000) is small
    large = tables.session(12_345, 1_000_000)
    assert large is not small
    assert tables.session(12_345, 100) is large


@pytest.mark.thorough
def test_searches_go_on_while_the_table_outgrows_the_caches(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "METADATA_OF_A_ROW", 10 * MIB)
    sessions = []
    for number in range(1, 8):
        bench.put(f"d{number}", f"apples of year {number}")
        assert len(bench.found("apples")) == number
        assert len(bench.found("apples", release=2)) == 1
        sessions.append(tables.session(bench.reader._index_cache, number))
    assert sessions[-1] is not sessions[0]
