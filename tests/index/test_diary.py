"""A table that many small commits come to."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from index import diary, tables
from index.diary import Diary

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("at", pa.timestamp("us", "UTC"))])


@pytest.fixture
def written(tmp_path: Path) -> Diary:
    return Diary(tables.connect(str(tmp_path)), "diary", SCHEMA, "id")


def pieces(written: Diary) -> int:
    return len(written._open().to_lance().get_fragments())


def rows(numbers: range) -> list[dict[str, object]]:
    return [{"id": f"r{number}", "at": NOON + timedelta(minutes=number)} for number in numbers]


def test_who_writes_often_merges_what_he_writes(written: Diary, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(diary, "FOLD_EVERY", 5)
    for number in range(8):
        written.add(rows(range(number, number + 1)))
    for number in range(8, 16):
        written.put(rows(range(number, number + 1)), "id")
    assert pieces(written) <= 5
    assert written.tail(99)["id"].to_pylist() == [f"r{number}" for number in range(16)]


@pytest.mark.parametrize("trouble", ["Too many concurrent writers", "No space left on device"])
def test_what_is_written_does_not_fail_with_its_merging(
    written: Diary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: str
):
    def breaks(_: object) -> None:
        raise OSError(trouble)

    monkeypatch.setattr(diary, "FOLD_EVERY", 1)
    monkeypatch.setattr(tables, "merge", breaks)
    written.add(rows(range(2)))
    assert written.count() == 2
    assert caplog.messages == [f"diary was not merged, it is tried again later: {trouble}"]
