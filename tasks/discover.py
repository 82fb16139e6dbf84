"""Sources that a sweep compares with the index: folders, and the sample that is already on the machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Protocol

from index.documents import Draft
from index.errors import Misconfigured
from tasks.parse import MAX_BYTES, SUFFIXES

SAMPLE = "sample"
DISTRIBUTION = "groundwork"


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
    """The text, Markdown and HTML files of a folder tree; hidden files and folders are left out."""

    name: str
    folder: Path

    def drafts(self) -> Iterator[Draft]:
        """Each file as a document `name:relative/path`."""
        if not self.folder.is_dir():
            raise FileNotFoundError(f"source {self.name}: {self.folder} is not a folder")
        for path in sorted(self.folder.rglob("*")):
            relative = path.relative_to(self.folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file() or path.stat().st_size > MAX_BYTES:
                continue
            yield Draft(
                doc_id=f"{self.name}:{relative.as_posix()}",
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
