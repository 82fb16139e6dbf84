"""The sample that every machine has."""

from importlib import metadata

from index.documents import Draft
from tasks.parse import parse
from tasks.sources.sample import SampleSource, direct_dependencies


def test_the_sample_has_the_packages_and_the_language_topics():
    drafts = {draft.doc_id: draft for draft in SampleSource().drafts()}
    lancedb, assignment = drafts["sample:package/lancedb"], drafts["sample:python/assignment"]
    assert lancedb.metadata == {"kind": "package", "name": "lancedb", "version": metadata.version("lancedb")}
    assert (lancedb.media_type, lancedb.uri) == ("text/markdown", "package:lancedb")
    assert (lancedb.title or "").startswith("lancedb: ")
    assert (assignment.title, assignment.metadata) == ("Python language: assignment", {"kind": "python topic", "name": "assignment"})
    assert {draft.source for draft in drafts.values()} == {"sample"}
    assert len(drafts) > 80


def test_every_document_of_the_sample_can_be_parsed():
    for draft in SampleSource().drafts():
        assert parse(draft).text


def test_the_sample_is_of_the_direct_runtime_dependencies():
    dependencies = direct_dependencies()
    assert {"lancedb", "prefect", "litestar", "ragas", "great-expectations", "sentence-transformers"} <= set(dependencies)
    assert "pytest" not in dependencies


def test_a_listing_names_what_can_be_read():
    source = SampleSource()
    listed = list(source.listing())
    assert [item.doc_id for item in listed] == [draft.doc_id for draft in source.drafts()]
    assert len({item.stamp for item in listed}) == len(listed)
    [draft] = source.read([item for item in listed if item.doc_id == "sample:python/assignment"])
    assert isinstance(draft, Draft)
    assert draft.title == "Python language: assignment"
