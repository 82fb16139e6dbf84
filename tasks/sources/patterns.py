"""Which paths of a source are taken: suffixes that can be parsed, nothing hidden, and what the user says."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from pathspec import GitIgnoreSpec

from index.documents import check_doc_id
from index.errors import BadRequest
from tasks.parse import MAX_BYTES, SUFFIXES
from tasks.sources.port import Listed, Skipped


@dataclass(frozen=True)
class Patterns:
    """Patterns as in a `.gitignore` file: `include` none means all, `exclude` has the last word."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @cached_property
    def _included(self) -> GitIgnoreSpec:
        return GitIgnoreSpec.from_lines(self.include)

    @cached_property
    def _excluded(self) -> GitIgnoreSpec:
        return GitIgnoreSpec.from_lines(self.exclude)

    def take(self, path: str) -> bool:
        """Whether a file at this relative path (with forward slashes) is part of the source."""
        if media_type(path) is None or any(part.startswith(".") for part in path.split("/")):
            return False
        if self.include and not self._included.match_file(path):
            return False
        return not (self.exclude and self._excluded.match_file(path))

    def enter(self, folder: str) -> bool:
        """Whether anything below this relative folder may be part of the source; `take` is asked for each file as well."""
        if folder.rpartition("/")[2].startswith("."):
            return False
        # An exclusion that a later pattern takes back for some files must be looked into.
        prunable = self.exclude and not any(pattern.startswith("!") for pattern in self.exclude)
        return not (prunable and self._excluded.match_file(f"{folder}/"))


EVERYTHING = Patterns()


def media_type(path: str) -> str | None:
    """The media type that the suffix stands for; None for what can't be parsed."""
    return SUFFIXES.get(PurePosixPath(path).suffix.lower())


def admit(listed: Listed) -> Listed | Skipped:
    """The document, unless it is too large or has a name that can't be part of an id."""
    try:
        check_doc_id(listed.doc_id)
    except BadRequest as refusal:
        return Skipped(ascii(listed.doc_id), str(refusal))
    if listed.size > MAX_BYTES:
        return Skipped(listed.doc_id, f"too_large: {listed.size} bytes; at most {MAX_BYTES} are taken")
    return listed


def check_patterns(lines: Sequence[str]) -> None:
    """Raises `ValueError` when a line is no pattern."""
    GitIgnoreSpec.from_lines(lines)
