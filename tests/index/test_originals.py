"""Originals: bytes by their hash."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index.errors import NotFound
from index.originals import Originals

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_bytes_are_found_by_their_sha256(tmp_path: Path):
    assert Originals(tmp_path).put(b"abc") == SHA256_OF_ABC
    assert Originals(tmp_path).get(SHA256_OF_ABC) == b"abc"


def test_the_same_bytes_twice_are_one_file(tmp_path: Path):
    originals = Originals(tmp_path)
    originals.put(b"abc")
    originals.put(b"abc")
    originals.put(b"")
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 2
    assert SHA256_OF_ABC in originals.hashes()


def test_bytes_that_are_no_longer_kept_are_not_found(tmp_path: Path):
    originals = Originals(tmp_path)
    originals.put(b"abc")
    originals.drop(SHA256_OF_ABC)
    originals.drop(SHA256_OF_ABC)
    with pytest.raises(NotFound, match="ba7816bf8f01 are no longer kept; send the document again"):
        originals.get(SHA256_OF_ABC)


def test_a_half_written_original_is_not_listed(tmp_path: Path):
    originals = Originals(tmp_path)
    (tmp_path / "ba").mkdir()
    (tmp_path / "ba" / f"{SHA256_OF_ABC}.1234abcd").write_bytes(b"a")
    assert originals.hashes() == set()
    with pytest.raises(NotFound):
        originals.get(SHA256_OF_ABC)


def test_bytes_that_come_again_are_young_again(tmp_path: Path):
    originals = Originals(tmp_path)
    originals.put(b"abc")
    os.utime(tmp_path / "ba" / SHA256_OF_ABC, (1_000_000_000, 1_000_000_000))
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert originals.older_than(SHA256_OF_ABC, an_hour_ago)
    originals.put(b"abc")
    assert not originals.older_than(SHA256_OF_ABC, an_hour_ago)


def test_what_is_not_kept_is_not_old(tmp_path: Path):
    assert not Originals(tmp_path).older_than(SHA256_OF_ABC, datetime.now(UTC))
