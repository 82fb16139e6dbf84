"""Files of this machine as documents: which are taken of the paths that somebody names, and as what."""

import mimetypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from errno import EAGAIN
from itertools import islice
from pathlib import Path

from index.documents import Draft
from index.errors import BadRequest, Rejected
from tasks.formats.kinds import SUFFIXES

# The platform takes no larger document: reading a 10 GB file only to be refused helps nobody.
FILE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A file to add, with the `doc_id` it gets."""

    doc_id: str
    path: Path

    def draft(self) -> Draft:
        """The document that the file is now; raises `Rejected` with unreadable or too_large."""
        try:
            size = self.path.stat().st_size
            if size > FILE_BYTES:
                raise Rejected("too_large", f"{size} bytes; at most {FILE_BYTES} are taken")
            content = _content(self.path)
        except OSError as error:
            raise Rejected("unreadable", error.strerror or type(error).__name__) from None
        if len(content) > FILE_BYTES:  # it grows, or is one of those that the system makes up as they are read
            raise Rejected("too_large", f"at most {FILE_BYTES} bytes are taken")
        return Draft(self.doc_id, media_type=_media_type(self.path, content), content=content, uri=self.path.absolute().as_uri())


def files_under(paths: Sequence[Path], prefix: str = "", most: int | None = None) -> list[File]:
    """Each file given or found in a folder given, hidden ones left out; the id is its path in that folder, or its name.

    A folder that can't be looked into is among them, so that reading it says why. Links to folders are not followed.
    Raises `BadRequest` when a path does not exist, when there is no file, when there are more than `most`, or when two files would
    share an id.
    """
    found = (File(prefix + doc_id, file) for path in paths for doc_id, file in _listing(path))
    files = list(islice(found, None if most is None else most + 1))
    if most is not None and len(files) > most:
        raise BadRequest(f"there are more than {most} files in {', '.join(map(str, paths))}: name folders that hold fewer")
    if not files:
        raise BadRequest(f"there is no file in {', '.join(map(str, paths))} (hidden ones are left out)")
    known: dict[str, Path] = {}
    for file in files:
        other = known.setdefault(file.doc_id, file.path)
        if other != file.path:
            raise BadRequest(f"{other} and {file.path} would both be document {file.doc_id!r}; add them one by one with --prefix")
    return [File(doc_id, path) for doc_id, path in known.items()]


def _listing(path: Path) -> Iterator[tuple[str, Path]]:
    if _may_be_file(path):
        yield path.name, path
    elif not path.is_dir():
        raise BadRequest(f"there is no file or folder {path}")
    else:
        closed: list[Path] = []
        for folder, folders, names in os.walk(path, onerror=lambda error: closed.append(Path(error.filename))):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for file in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
                if _may_be_file(file):
                    yield file.relative_to(path).as_posix(), file
        yield from ((each.relative_to(path).as_posix(), each) for each in closed)


def _may_be_file(path: Path) -> bool:
    """Whether it is one as far as can be told: what can't be looked at is found out by reading it."""
    try:
        return path.is_file()
    except OSError:
        return True


def _content(path: Path) -> bytes:
    # Not waited for: some files that the system makes up say nothing until something happens.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        content = file.read(FILE_BYTES + 1)
    if content is None:
        raise BlockingIOError(EAGAIN, "it says nothing now")
    return content


def _media_type(path: Path, content: bytes) -> str:
    known = SUFFIXES.get(path.suffix.lower())
    if known:
        return known
    guess, compression = mimetypes.guess_type(path.name)
    if guess and not compression:
        return guess
    return "application/octet-stream" if compression or b"\x00" in content[:8192] else "text/plain"
