"""Whether anything of a document is still in the files of a folder: looked for byte by byte."""

import mmap
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SHORTEST, LONGEST = 16, 48  # bytes
MOST = 200


@dataclass(frozen=True, slots=True)
class Search:
    """So many strings were looked for in so many files; `found` are the files that have one, relative to the folder."""

    strings: int
    files: int
    found: tuple[str, ...]


def strings_of(texts: Iterable[str], contents: Iterable[bytes]) -> list[bytes]:
    """What to look for: the beginning of each line that is long enough to be its own, and pieces of the bytes as they were given."""
    lines = (line.strip().encode() for text in texts for line in text.splitlines())
    pieces = (content[start : start + LONGEST] for content in contents for start in (0, len(content) // 2))
    wanted = dict.fromkeys(piece[:LONGEST] for piece in (*lines, *pieces) if len(piece) >= SHORTEST)
    return list(wanted)[:MOST]


def search(folder: Path, strings: list[bytes]) -> Search:
    """Reads each file once, in bounded memory; what vanishes meanwhile is gone."""
    if not strings:
        return Search(0, 0, ())
    pattern = re.compile(b"|".join(re.escape(string) for string in strings))
    looked, found = 0, list[str]()
    for path in _files(folder):
        looked += 1
        if _holds(path, pattern):
            found.append(str(path.relative_to(folder)))
    return Search(len(strings), looked, tuple(sorted(found)))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _holds(path: Path, pattern: re.Pattern[bytes]) -> bool:
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return pattern.search(content) is not None
    except (OSError, ValueError):
        return False
