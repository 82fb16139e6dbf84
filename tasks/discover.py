"""Sources that a sweep compares with the index: folders, and the sample that is already on the machine."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Protocol

from index.documents import Draft, check_doc_id
from index.errors import BadRequest, Misconfigured
from tasks.parse import MAX_BYTES, SUFFIXES

SAMPLE = "sample"
DISTRIBUTION = "groundwork"
_log = logging.getLogger(__name__)


class Source(Protocol):
    """The port. `drafts` raises `OSError` when the listing is not complete: then nothing is deleted."""

    @property
    def name(self) -> str:
        """The first part of the ids of its documents."""
        ...

    def drafts(self) -> Iterator[Draft]:
        """Each document of the source, as it is now."""
        ...


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The text, Markdown and HTML files of a folder tree.

    Left out are hidden files and folders, files that are too large, and names that can't be part of an id.
    """

    name: str
    folder: Path

    def drafts(self) -> Iterator[Draft]:
        """Each file as a document `name:relative/path`."""
        if not self.folder.is_dir():
            raise FileNotFoundError(f"source {self.name}: {self.folder} is not a folder")
        for path in sorted(_visible_files(self.folder)):
            doc_id = f"{self.name}:{path.relative_to(self.folder).as_posix()}"
            if path.suffix.lower() not in SUFFIXES or not path.is_file() or path.stat().st_size > MAX_BYTES or not _is_doc_id(doc_id):
                continue
            yield Draft(
                doc_id=doc_id,
                source=self.name,
                media_type=SUFFIXES[path.suffix.lower()],
                content=path.read_bytes(),
                uri=path.as_uri(),
            )


@dataclass(frozen=True, slots=True)
class SampleSource:
    """The documentation on this machine: of the direct dependencies, and of Python's own language topics."""

    name: str = SAMPLE

    def drafts(self) -> Iterator[Draft]:
        """Documents `sample:package/<name>` and `sample:python/<topic>`."""
        for package in direct_dependencies():
            yield from _package(package)
        topics: dict[str, str] = import_module("pydoc_data.topics").topics
        for topic, text in sorted(topics.items()):
            yield Draft(
                doc_id=f"{SAMPLE}:python/{topic}",
                source=SAMPLE,
                media_type="text/plain",
                content=text.encode(),
                title=f"Python language: {topic}",
                uri=f"pydoc:{topic}",
                metadata={"kind": "python topic", "name": topic},
            )


def _visible_files(folder: Path) -> Iterator[Path]:
    """All files below a folder. Unlike `rglob`, raises when a part can't be read: its documents would look deleted."""

    def fail(error: OSError) -> None:
        raise error

    for root, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in files if not name.startswith("."))


def _is_doc_id(text: str) -> bool:
    try:
        check_doc_id(text)
    except BadRequest as refusal:
        _log.warning("left out %s: %s", ascii(text), refusal)
        return False
    return True


def direct_dependencies() -> list[str]:
    """The names of the packages that Groundwork itself asks for."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    required = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    return sorted(str(canonicalize_name(item.name)) for item in required if item.marker is None)


def _package(name: str) -> Iterator[Draft]:
    try:
        facts = metadata.metadata(name).json
    except metadata.PackageNotFoundError:
        return
    text = str(facts.get("description") or "").strip()
    if text:
        markdown = "markdown" in str(facts.get("description_content_type", ""))
        yield Draft(
            doc_id=f"{SAMPLE}:package/{name}",
            source=SAMPLE,
            media_type="text/markdown" if markdown else "text/plain",
            content=text.encode(),
            title=f"{name}: {facts.get('summary', '')}".strip(": "),
            uri=f"package:{name}",
            metadata={"kind": "package", "name": name, "version": str(facts.get("version", ""))},
        )


def sources(folders: tuple[str, ...], sample: bool) -> dict[str, Source]:
    """The configured sources by name; raises `Misconfigured` when two folders have the same name."""
    found: dict[str, Source] = {SAMPLE: SampleSource()} if sample else {}
    for folder in folders:
        path = Path(folder).expanduser().absolute()
        if "://" in folder:
            raise Misconfigured(f"GROUNDWORK_SOURCES: {folder} is not a folder; only folders can be swept so far")
        if path.name in found:
            raise Misconfigured(f"GROUNDWORK_SOURCES: two sources are named {path.name!r}; rename one folder")
        found[path.name] = FolderSource(path.name, path)
    return found
