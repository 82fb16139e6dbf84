"""Stamps: what the last sweeps saw."""

from pathlib import Path

import pytest

from index.stamps import AT_ONCE, Remembered, open_stamps


def row(doc_id: str, stamp: str = "s") -> Remembered:
    return Remembered(doc_id, stamp, "hash", "facts", 1.5)


def test_what_is_remembered_is_found_again_by_another_process(tmp_path: Path):
    with open_stamps(tmp_path, "notes", "here") as stamps:
        stamps.remember([row("a"), row("b")])
        stamps.remember([row("a", "t")])
        stamps.forget(["b", "never seen"])
        with open_stamps(tmp_path, "notes", "here") as other:
            assert other.of(["a", "b"]) == {"a": row("a", "t")}


def test_many_documents_are_found_at_once(tmp_path: Path):
    ids = [str(i) for i in range(2 * AT_ONCE + 1)]
    with open_stamps(tmp_path, "notes", "here") as stamps:
        stamps.remember(map(row, ids))
        assert len(stamps.of(ids)) == len(ids)
        assert stamps.of([]) == {}


def test_the_documents_below_a_folder_are_those_whose_ids_begin_with_it(tmp_path: Path):
    with open_stamps(tmp_path, "notes", "here") as stamps:
        stamps.remember(map(row, ["n:a", "n:a/b", "n:a/c/d", "n:a0", "n:a-b", "n:ab/c"]))
        assert stamps.below("n:a") == ["n:a/b", "n:a/c/d"]
        assert stamps.below("n:%") == []


def test_each_source_has_its_own_whatever_its_name(tmp_path: Path):
    for name in ("notes", "a/../b", "ö ?#"):
        with open_stamps(tmp_path, name, "here") as stamps:
            assert stamps.of(["a"]) == {}
            stamps.remember([row("a")])
    assert len(list((tmp_path / "stamps").glob("*.sqlite"))) == 3


def test_another_place_forgets_all(tmp_path: Path):
    with open_stamps(tmp_path, "notes", "here") as stamps:
        stamps.remember([row("a")])
    with open_stamps(tmp_path, "notes", "there") as stamps:
        assert stamps.of(["a"]) == {}


@pytest.mark.parametrize("damage", [b"", b"no database " * 400])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, damage: bytes):
    with open_stamps(tmp_path, "notes", "here") as stamps:
        stamps.remember([row("a")])
    (tmp_path / "stamps" / "notes.sqlite").write_bytes(damage)
    with open_stamps(tmp_path, "notes", "here") as stamps:
        assert stamps.of(["a"]) == {}
        stamps.remember([row("a")])
        assert stamps.of(["a"]) == {"a": row("a")}
