"""What tables take up on disk, counted from their files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """Files and bytes of some tables, and their Lance versions and tags."""

    files: int
    versions: int
    tags: int
    bytes: int


def footprint(tables: Iterable[Path]) -> Footprint:
    """The tables in these folders, which nobody may be writing."""
    files = [path for table in tables for path in table.rglob("*") if path.is_file()]
    return Footprint(
        files=len(files),
        versions=sum(path.suffix == ".manifest" for path in files),
        tags=sum(path.parent.name == "tags" for path in files),
        bytes=sum(path.stat().st_size for path in files),
    )
