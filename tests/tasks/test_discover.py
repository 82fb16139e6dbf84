"""The configured sources."""

from datetime import timedelta
from pathlib import Path

import pytest

from index.errors import Misconfigured
from tasks.discover import Configured, FolderSource, SampleSource, sources
from tasks.sources.git import GitSource
from tasks.sources.ndjson import NdjsonSource
from tasks.sources.objects import ObjectSource
from tasks.sources.patterns import Patterns


def test_each_kind_of_place_is_a_source_of_its_kind(tmp_path: Path):
    written = (f"{tmp_path}/notes", "file:///srv/wiki", f"{tmp_path}/rows.ndjson", "s3://bucket/x", "git+https://host/repo@v1")
    found = sources(written, sample=True, home=tmp_path / "home")
    assert [(name, type(configured.source)) for name, configured in found.items()] == [
        ("sample", SampleSource),
        ("notes", FolderSource),
        ("wiki", FolderSource),
        ("rows", NdjsonSource),
        ("x", ObjectSource),
        ("repo", GitSource),
    ]
    assert all(configured.source.name == name for name, configured in found.items())
    repository = found["repo"].source
    assert isinstance(repository, GitSource)
    assert repository.mirror is not None
    assert repository.mirror.parent == tmp_path / "home" / "cache" / "git"
    assert sources((), sample=False, home=tmp_path) == {}


def test_options_belong_to_their_source(tmp_path: Path):
    found = sources((f"{tmp_path}/notes#every=1h&include=*.md&watch=no", f"{tmp_path}/wiki"), sample=True, home=tmp_path)
    folder = FolderSource("notes", tmp_path / "notes", Patterns(include=("*.md",)), without=tmp_path)
    assert found["notes"] == Configured(folder, timedelta(hours=1), "no")
    assert found["wiki"] == Configured(FolderSource("wiki", tmp_path / "wiki", without=tmp_path), timedelta(minutes=5), "yes")
    assert found["sample"].every == timedelta(hours=1)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (("/a/notes", "/b/notes"), "two sources are named 'notes'; give one another name with #name="),
        (("/a/sample",), "two sources are named 'sample'"),
        (("ftp://host/notes",), "nothing can sweep ftp://; there are: file, s3, gs, az, git"),
    ],
)
def test_sources_that_can_not_be_told_apart_or_read_are_refused(tmp_path: Path, written: tuple[str, ...], reason: str):
    with pytest.raises(Misconfigured, match=reason):
        sources(written, sample=True, home=tmp_path)
