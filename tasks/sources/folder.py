"""Folder trees on this machine."""

import os
import stat as modes
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from index.documents import Draft
from tasks.parse import MAX_BYTES
from tasks.sources.patterns import EVERYTHING, Patterns, admit, media_type
from tasks.sources.port import Gap, Listed, Seen, Skipped

# A file that was written this recently may be written again without a change of its times: the clocks of file systems are coarse.
RACY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files of a folder tree, as documents `name:relative/path`. Links to folders are not followed.

    A file is read again until it has not been written for `racy_ns` nanoseconds. `without` is a folder that is left
    out, if it is below: this platform's own files change with each document.
    """

    name: str
    folder: Path
    patterns: Patterns = EVERYTHING
    racy_ns: int = RACY_NS
    without: Path | None = None

    @property
    def uri(self) -> str:
        """The folder as a `file:` URI."""
        return self.folder.as_uri()

    def listing(self) -> Iterator[Seen]:
        """Each file, in order of its path; a folder below that can't be looked into is a gap."""
        self.check()
        yield from self._below("")

    def part(self, paths: Iterable[Path]) -> Iterator[Seen]:
        """What is at these paths now: the files among them, and all that is below the folders among them."""
        self.check()
        for path in paths:
            relative = path.relative_to(self.folder).as_posix()
            if not self.covers(path):
                continue
            if not _is_folder(path):
                yield from self._file(relative)
            elif all(self.patterns.enter(folder) for folder in accumulate(relative.split("/"), "{}/{}".format)):
                yield from self._below(relative)

    def covers(self, path: Path) -> bool:
        """Whether what is at a path below the folder may be part of the source, by its place alone."""
        if self.without is not None and path.is_relative_to(self.without):
            return False
        parts = path.relative_to(self.folder).parts
        return bool(parts) and not any(part.startswith(".") for part in parts)

    def check(self) -> None:
        """Raises `FileNotFoundError` when the folder is not there: that is no empty source."""
        if not self.folder.is_dir():
            raise FileNotFoundError(f"source {self.name}: {self.folder} is not a folder")

    def doc_id(self, path: Path) -> str:
        """The id of a file; of a folder, what the ids of its files begin with, but for the slash."""
        return f"{self.name}:{path.relative_to(self.folder).as_posix()}"

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        """The bytes of the files as they are now."""
        for item in listed:
            path = self.folder / item.at
            try:
                with path.open("rb") as file:
                    content = file.read(MAX_BYTES + 1)
            except OSError as error:
                yield Skipped(item.doc_id, f"unreadable: {error.strerror or error}")
                continue
            if len(content) > MAX_BYTES:
                yield Skipped(item.doc_id, f"too_large: at most {MAX_BYTES} bytes are taken")
                continue
            yield Draft(item.doc_id, source=self.name, media_type=media_type(item.at) or "", content=content, uri=path.as_uri())

    def _below(self, top: str) -> Iterator[Seen]:
        waiting = [(top, True)]
        while waiting:
            relative, is_folder = waiting.pop()
            if not is_folder:
                yield from self._file(relative)
                continue
            try:
                waiting += self._inside(relative)
            except OSError as error:
                yield Gap(relative or ".", f"the folder can't be read: {error.strerror or error}")

    def _inside(self, folder: str) -> list[tuple[str, bool]]:
        """What is directly in one folder, last name first: the relative path, and whether it is a folder itself."""
        with os.scandir(self.folder / folder) as found:
            entries = [(f"{folder}/{entry.name}" if folder else entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
        return sorted((entry for entry in entries if not entry[1] or self._is_entered(entry[0])), reverse=True)

    def _is_entered(self, folder: str) -> bool:
        return self.patterns.enter(folder) and self.folder / folder != self.without

    def _file(self, relative: str) -> Iterator[Listed | Skipped]:
        if not self.patterns.take(relative):
            return
        doc_id = f"{self.name}:{relative}"
        try:
            facts = (self.folder / relative).stat()
        except (FileNotFoundError, NotADirectoryError):  # gone since it was listed, or a link to nowhere
            return
        except OSError as error:
            yield Skipped(doc_id, f"unreadable: {error.strerror or error}")
            return
        if modes.S_ISREG(facts.st_mode):
            yield admit(Listed(doc_id, _stamp(facts, self.racy_ns), relative, facts.st_size))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _stamp(facts: os.stat_result, racy_ns: int) -> str:
    """Empty when the file is too young. The change time is in it because tools that copy set the modification time back."""
    if max(facts.st_mtime_ns, facts.st_ctime_ns) > time.time_ns() - racy_ns:
        return ""
    return f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}-{facts.st_ino}"
