"""Addresses: how a source is written."""

from datetime import timedelta
from pathlib import Path

import pytest

from index.errors import Misconfigured
from tasks.sources.address import Address, parse_address, without_credentials
from tasks.sources.patterns import Patterns


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/srv/docs", Address("", "/srv/docs", "docs")),
        ("/srv/docs/", Address("", "/srv/docs/", "docs")),
        ("/srv/a%2C b%23c", Address("", "/srv/a, b#c", "a, b#c")),
        ("file:///srv/notes.ndjson", Address("file", "/srv/notes.ndjson", "notes")),
        ("rows.jsonl#name=rows", Address("", "rows.jsonl", "rows")),
        ("s3://bucket/deep/prefix/#every=1h", Address("s3", "bucket/deep/prefix/", "prefix", every=timedelta(hours=1))),
        ("S3://bucket", Address("s3", "bucket", "bucket")),
        ("git+https://me:secret@host/team/repo.git@v2/x", Address("git+https", "me:secret@host/team/repo.git@v2/x", "repo")),
        ("git+file:///srv/repo", Address("git+file", "/srv/repo", "repo")),
        (
            "/srv/docs#include=**/*.md&include=*.txt&exclude=drafts/**&every=30s&name=handbook&watch=poll",
            Address("", "/srv/docs", "handbook", Patterns(("**/*.md", "*.txt"), ("drafts/**",)), timedelta(seconds=30), "poll"),
        ),
        ("/srv/docs#include=a%26b+c.md", Address("", "/srv/docs", "docs", Patterns(("a&b+c.md",)))),
    ],
)
def test_a_place_and_its_options_are_read(text: str, address: Address):
    assert parse_address(text) == address


def test_a_relative_folder_is_named_by_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "handbook").mkdir()
    monkeypatch.chdir(tmp_path / "handbook")
    assert parse_address(".").name == "handbook"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/srv/docs#evry=10m", "'evry=10m' is no option; there are include=, exclude=, every=, name=, watch="),
        ("/srv/docs#every=often", "every=often is no interval; write 30s, 10m, 2h or 1d"),
        ("/srv/docs#every=1s", "every=1s is too often; 10s is the least"),
        ("/srv/docs#watch=maybe", "watch=maybe is none of yes, poll, no"),
        ("/srv/docs#name=a/b", "'a/b' can't be its name"),
        ("/srv/a:b", "'a:b' can't be its name"),
        ("/srv/http", "the name 'http' stands for what came over HTTP"),
        ("/", "'' can't be its name"),
        ("s3://", "it names no place"),
        ("/srv/docs#include=!", "a pattern can't be used"),
    ],
)
def test_a_mistake_is_refused_with_what_to_write_instead(text: str, reason: str):
    with pytest.raises(Misconfigured) as refusal:
        parse_address(text)
    assert str(refusal.value).startswith("GROUNDWORK_SOURCES: ")
    assert reason in str(refusal.value)


def test_a_refusal_does_not_show_a_password():
    with pytest.raises(Misconfigured) as refusal:
        parse_address("git+https://me:secret@host/repo#every=often")
    assert "secret" not in str(refusal.value)
    assert (
        without_credentials("fatal: https://me:secret@host/repo@v2 and ssh://git@host/x") == "fatal: https://host/repo@v2 and ssh://host/x"
    )
