"""Patterns: which paths are part of a source."""

import pytest

from tasks.parse import MAX_BYTES
from tasks.sources.patterns import EVERYTHING, Patterns, admit
from tasks.sources.port import Listed, Skipped


@pytest.mark.parametrize(
    ("include", "exclude", "taken"),
    [
        ((), (), ["a.md", "docs/b.md", "docs/drafts/c.md", "docs/d.txt"]),
        (("**/*.md",), (), ["a.md", "docs/b.md", "docs/drafts/c.md"]),
        (("docs/",), (), ["docs/b.md", "docs/drafts/c.md", "docs/d.txt"]),
        (("docs/*.md", "*.txt"), (), ["docs/b.md", "docs/d.txt"]),
        ((), ("drafts/",), ["a.md", "docs/b.md", "docs/d.txt"]),
        ((), ("drafts/**",), ["a.md", "docs/b.md", "docs/drafts/c.md", "docs/d.txt"]),
        ((), ("**/drafts/**",), ["a.md", "docs/b.md", "docs/d.txt"]),
        (("*.md",), ("docs/*", "!docs/b.md"), ["a.md", "docs/b.md"]),
    ],
)
def test_patterns_are_those_of_a_gitignore_file(include: tuple[str, ...], exclude: tuple[str, ...], taken: list[str]):
    patterns = Patterns(include, exclude)
    assert [path for path in ("a.md", "docs/b.md", "docs/drafts/c.md", "docs/d.txt") if patterns.take(path)] == taken


def test_hidden_files_and_what_can_not_be_parsed_are_never_taken():
    assert [path for path in (".a.md", ".git/a.md", "x/.y/a.md", "photo.png", "a", "a.MD") if EVERYTHING.take(path)] == ["a.MD"]


def test_folders_that_hold_nothing_of_the_source_are_not_entered():
    assert EVERYTHING.enter("deep/er")
    assert not EVERYTHING.enter("deep/.git")
    assert not Patterns(exclude=("drafts/",)).enter("deep/drafts")
    assert Patterns(exclude=("drafts/*", "!drafts/keep.md")).enter("drafts")


def test_what_can_not_be_a_document_is_skipped_with_the_reason():
    assert admit(Listed("a:b.md", size=MAX_BYTES)) == Listed("a:b.md", size=MAX_BYTES)
    assert admit(Listed("a:b.md", size=MAX_BYTES + 1)) == Skipped(
        "a:b.md", f"too_large: {MAX_BYTES + 1} bytes; at most {MAX_BYTES} are taken"
    )
    refused = admit(Listed("a:two\nlines.md"))
    assert isinstance(refused, Skipped)
    assert (refused.doc_id, refused.reason) == ("'a:two\\nlines.md'", "doc_id must not hold control characters or lone surrogates")
