"""What an index takes up on disk, counted from its files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """Files and bytes of all tables, and their Lance versions and tags."""

    files: int
    versions: int
    tags: int
    bytes: int


def footprint(index: Path) -> Footprint:
    """The tables in the folder of an index, which nobody may be writing."""
    files = [path for path in index.glob("*.lance/**/*") if path.is_file()]
    return Footprint(
        files=len(files),
        versions=sum(path.suffix == ".manifest" for path in files),
        tags=sum(path.parent.name == "tags" for path in files),
        bytes=sum(path.stat().st_size for path in files),
    )
