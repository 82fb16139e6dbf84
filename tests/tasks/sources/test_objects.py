"""Object stores as sources, against an S3-compatible process on loopback."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic, sleep

import httpx
import obstore
import pytest
from obstore.store import S3Store

from tasks.compare import Changes
from tasks.parse import MAX_BYTES
from tasks.sources.address import parse_address
from tasks.sources.objects import ObjectSource
from tasks.sources.port import Listed, Skipped
from tasks.sweep import sweep
from tests.bench import Bench


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        until = monotonic() + 60
        while True:
            try:
                httpx.put(f"{url}/bucket")
                break
            except httpx.TransportError:
                assert monotonic() < until
                sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """The store, with the environment that finds it."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "very-secret",
    }.items():
        monkeypatch.setenv(name, value)
    store = S3Store("bucket")
    yield store
    obstore.delete(store, [item["path"] for page in obstore.list(store) for item in page])


def source(place: str = "s3://bucket/notes") -> ObjectSource:
    return ObjectSource.at(parse_address(place))


def put(store: S3Store, **objects: str) -> None:
    for name, text in objects.items():
        obstore.put(store, f"notes/{name.replace('__', '/').replace('_md', '.md')}", text.encode())


def listed(source: ObjectSource) -> list[Listed]:
    return [item for item in source.listing() if isinstance(item, Listed)]


def test_each_object_below_the_prefix_is_a_document_stamped_with_its_etag(bucket: S3Store):
    put(bucket, a_md="Text of a.", deep__b_md="Text of b.")
    obstore.put(bucket, "notes/deep/c d é#%20.txt", b"c")
    obstore.put(bucket, "notes2/x.md", b"x")
    found = listed(source())
    assert [item.doc_id for item in found] == ["notes:a.md", "notes:deep/b.md", "notes:deep/c d é#%20.txt"]
    assert found[0].stamp == obstore.head(bucket, "notes/a.md")["e_tag"]
    drafts = list(source().read(found))
    assert [draft.content for draft in drafts if not isinstance(draft, Skipped)] == [b"Text of a.", b"Text of b.", b"c"]
    first = drafts[0]
    assert not isinstance(first, Skipped)
    assert (first.media_type, first.source, first.uri) == ("text/markdown", "notes", "s3://bucket/notes/a.md")


def test_a_whole_bucket_can_be_the_source(bucket: S3Store):
    put(bucket, a_md="x")
    assert [item.doc_id for item in listed(source("s3://bucket"))] == ["bucket:notes/a.md"]


def test_patterns_hidden_folder_marks_and_other_objects(bucket: S3Store, endpoint: str):
    put(bucket, a_md="x", drafts__b_md="x")
    for key in ("notes/photo.png", "notes/.hidden.md", "notes/.git/x.md"):
        obstore.put(bucket, key, b"x")
    httpx.put(f"{endpoint}/bucket/notes/mark/", content=b"")
    assert [item.doc_id for item in listed(source("s3://bucket/notes#exclude=drafts/"))] == ["notes:a.md"]


def test_an_object_that_is_too_large_or_gone_is_skipped(bucket: S3Store):
    obstore.put(bucket, "notes/huge.md", b"x" * (MAX_BYTES + 1))
    [skipped] = source().listing()
    assert isinstance(skipped, Skipped)
    assert skipped.reason.startswith("too_large: ")
    assert list(source().read([Listed("notes:gone.md", at="gone.md")])) == [Skipped("notes:gone.md", "unreadable: NoSuchKey")]


def test_a_bucket_that_can_not_be_listed_is_an_error_that_shows_no_key(bucket: S3Store):
    with pytest.raises(OSError, match=r"^source nowhere: s3://nowhere can't be listed: NoSuchBucket$") as failure:
        listed(source("s3://nowhere"))
    assert "AKIA" not in str(failure.value)


def test_sweeps_follow_the_objects(bench: Bench, bucket: S3Store):
    put(bucket, a_md="Text of a.", b_md="Text of b.", c_md="Text of c.")
    assert len(sweep(bench.store, source()).changes.added) == 3
    bench.drain()
    assert sweep(bench.store, source()).changes == Changes((), (), (), 3)
    put(bucket, a_md="New text of a.", deep__b_md="Text of b.")
    obstore.delete(bucket, "notes/b.md")
    assert sweep(bench.store, source()).changes == Changes(
        ("notes:deep/b.md",), ("notes:a.md",), ("notes:b.md",), 1, (("notes:b.md", "notes:deep/b.md"),)
    )
    bench.drain()
    with pytest.raises(OSError, match="can't be listed"):
        sweep(bench.store, source("s3://nowhere#name=notes"))
    assert bench.store.inbox.is_empty()
    assert sorted(bench.found("text")) == ["notes:a.md", "notes:c.md", "notes:deep/b.md"]


@pytest.mark.parametrize(("place", "kind"), [("gs://bucket/x", "GCSStore"), ("az://container/x", "AzureStore")])
def test_the_other_providers_are_opened_by_their_schemes(monkeypatch: pytest.MonkeyPatch, place: str, kind: str):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert type(source(place)._store).__name__ == kind
    assert source(place).uri == place
