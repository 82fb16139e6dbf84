"""The sample: documentation that is already on the machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata

from index.documents import Draft, content_hash
from tasks.sources.port import Listed, Skipped

SAMPLE = "sample"
DISTRIBUTION = "groundwork"


@dataclass(frozen=True, slots=True)
class SampleSource:
    """The documentation on this machine: of the direct dependencies, and of Python's own language topics."""

    name: str = SAMPLE
    uri: str = "sample:"

    def listing(self) -> Iterator[Listed]:
        """Documents `sample:package/<name>` and `sample:python/<topic>`."""
        for draft in self.drafts():
            yield Listed(draft.doc_id, content_hash(repr(draft).encode()), size=len(draft.content))

    def read(self, listed: Sequence[Listed]) -> Iterator[Draft | Skipped]:
        """The documents themselves."""
        wanted = {item.doc_id for item in listed}
        return (draft for draft in self.drafts() if draft.doc_id in wanted)

    def drafts(self) -> Iterator[Draft]:
        """All documents of the sample."""
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
