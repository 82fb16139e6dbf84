"""Chunking: exact spans, never too long for the model, headings, ids that stay."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from index.chunk_rows import Chunk
from index.documents import Draft, Write
from index.embedder import bundled_path
from tasks.chunk import SPECIAL_TOKENS, Chunker, Ruler
from tasks.outline import Heading, Section, headings, outline
from tasks.parse import Parsed

MARKDOWN = """\
# The orchard

Apples grow on trees.

## Harvest

Pick in autumn.

### Tools

- a ladder
- a basket

## Storage

Keep them cool.
"""


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """The bundled model's own tokenizer; loading it needs no torch."""
    tokenizer = Tokenizer.from_file(str(bundled_path() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@pytest.fixture(scope="module")
def chunker(tokenizer: Tokenizer) -> Chunker:
    return Chunker(tokenizer, max_tokens=256)


def cut(
    chunker: Chunker, text: str, form: Literal["markdown", "text"] = "text", title: str | None = None, doc_id: str = "a"
) -> list[Chunk]:
    write = Write(Draft(doc_id, title=title, metadata={"year": 2024}, uri="file:///a"), 7, datetime(2026, 1, 1, tzinfo=UTC))
    return chunker.chunks(write, Parsed(title, text, form))


def paragraph(i: int, words: int = 120) -> str:
    return " ".join(f"word{i} and{j}" for j in range(words // 2)) + "."


LONG_TEXT = "\n\n".join(paragraph(i) for i in range(12))
LONG_MARKDOWN = "\n\n".join(f"## Part {i}\n\n{paragraph(i)}\n\n- one\n- two\n\n```\ncode {i}\n```" for i in range(8))
HARD = {
    "prose": ("text", LONG_TEXT),
    "markdown": ("markdown", LONG_MARKDOWN),
    "one endless word": ("text", "x" * 5_000),
    "no spaces": ("text", "東京の天気は晴れです。" * 300),
    "one endless line": ("text", "a, b; c. " * 2_000),
    "symbols": ("text", "!@#$%^&*()_+ " * 500),
    "emoji": ("text", "👩‍👩‍👧‍👦🇩🇪é😀 " * 400),
    "one endless heading": ("markdown", "# " + "very " * 1_000 + "\n\nText below it."),
    "a table": ("markdown", "| a | b |\n|---|---|\n" + "| one cell | another cell |\n" * 300),
    "code": ("markdown", "```python\n" + "value = compute(value, 1)\n" * 300 + "```\n"),
    "nested list": ("markdown", "".join("  " * (i % 8) + f"- point {i} of the list\n" for i in range(400))),
    "deep headings": ("markdown", "".join(f"{'#' * (1 + i % 6)} {'long heading ' * 12}{i}\n\nText {i}.\n\n" for i in range(40))),
}


@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("title", [None, "A title", "An endless title " * 100])
def test_chunks_are_spans_of_the_text_and_fit_the_model(chunker: Chunker, tokenizer: Tokenizer, kind: str, title: str | None):
    form, text = HARD[kind]
    chunks = cut(chunker, text, form, title)  # type: ignore[arg-type] # the table above holds nothing but the two forms
    assert chunks
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        tokens = len(tokenizer.encode(chunk.embedded_text).ids)
        assert tokens == chunk.tokens <= 256
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert all(before.end <= after.start for before, after in pairwise(chunks))


@pytest.mark.parametrize("kind", HARD)
def test_nothing_of_a_text_is_left_out(chunker: Chunker, kind: str):
    form, text = HARD[kind]
    chunks = cut(chunker, text, form)  # type: ignore[arg-type] # the table above holds nothing but the two forms
    covered = "".join(chunk.text for chunk in chunks)
    assert "".join(covered.split()) == "".join(text.split())


@given(text=st.text(max_size=400), form=st.sampled_from(["markdown", "text"]))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_exact_spans_and_distinct_ids(chunker: Chunker, text: str, form: Literal["markdown", "text"]):
    chunks = cut(chunker, text, form)
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert len({chunk.chunk_id for chunk in chunks}) == len(chunks)
    assert "".join("".join(chunk.text for chunk in chunks).split()) == "".join(text.split())


def test_a_chunk_knows_the_headings_it_stands_under(tokenizer: Tokenizer):
    chunks = cut(Chunker(tokenizer, max_tokens=90), MARKDOWN.replace("trees.", "trees." + " Good trees." * 15), "markdown", "The orchard")
    by_text = {chunk.text.strip().splitlines()[-1]: chunk.heading for chunk in chunks}
    assert by_text["Keep them cool."][0] == "The orchard"
    assert chunks[0].heading == ("The orchard",)
    assert any(chunk.heading[:2] == ("The orchard", "Harvest") for chunk in chunks)


def test_the_path_of_headings_opens_and_closes_with_their_levels():
    assert outline(MARKDOWN) == [
        Section(0, ()),
        Section(MARKDOWN.index("# The orchard"), ("The orchard",)),
        Section(MARKDOWN.index("## Harvest"), ("The orchard", "Harvest")),
        Section(MARKDOWN.index("### Tools"), ("The orchard", "Harvest", "Tools")),
        Section(MARKDOWN.index("## Storage"), ("The orchard", "Storage")),
    ]


def test_what_only_looks_like_a_heading_is_none():
    assert outline("```\n# in code\n```\n\n> # quoted\n\n\\# escaped\n\n#no space") == [Section(0, ())]


def test_headings_with_underlines_and_skipped_levels_count():
    assert [section.path for section in outline("Title\n=====\n\n#### Deep\n\nPart\n----\n")] == [
        (),
        ("Title",),
        ("Title", "Deep"),
        ("Title", "Part"),
    ]


def test_plain_text_has_no_headings(chunker: Chunker):
    assert {chunk.heading for chunk in cut(chunker, MARKDOWN, "text")} == {()}


def test_title_and_headings_are_embedded_with_the_text_and_the_title_once(chunker: Chunker):
    [chunk] = cut(chunker, "# Guide\n\n## Setup\n\nInstall it.", "markdown", "Guide")
    assert chunk.embedded_text.startswith("Guide\n# Guide")
    [chunk] = cut(chunker, "Install it.", "text", "Guide")
    assert chunk.embedded_text == "Guide\nInstall it."
    assert chunk.tokens == len(["guide", "install", "it", "."]) + SPECIAL_TOKENS


def test_a_chunk_carries_the_facts_of_its_document(chunker: Chunker):
    [chunk] = cut(chunker, "Install it.", doc_id="notes:a")
    assert (chunk.doc_id, chunk.revision, chunk.uri, chunk.metadata) == ("notes:a", 7, "file:///a", {"year": 2024})


def test_the_same_input_gives_the_same_ids(chunker: Chunker):
    assert cut(chunker, LONG_TEXT) == cut(chunker, LONG_TEXT)


def test_ids_differ_between_documents_but_the_text_hash_does_not(chunker: Chunker):
    [one], [other] = cut(chunker, "Same text.", doc_id="a"), cut(chunker, "Same text.", doc_id="b")
    assert one.chunk_id != other.chunk_id
    assert one.text_hash == other.text_hash


def test_repeated_paragraphs_have_ids_of_their_own(chunker: Chunker):
    chunks = cut(chunker, "\n\n".join([paragraph(1)] * 6))
    assert len(chunks) == len({chunk.chunk_id for chunk in chunks}) == 6
    assert len({chunk.text_hash for chunk in chunks}) == 1


def test_an_inserted_paragraph_changes_few_chunks(chunker: Chunker):
    paragraphs = [paragraph(i) for i in range(30)]
    before = {chunk.chunk_id for chunk in cut(chunker, "\n\n".join(paragraphs))}
    after = {chunk.chunk_id for chunk in cut(chunker, "\n\n".join([*paragraphs[:10], paragraph(99), *paragraphs[10:]]))}
    assert len(before) == 30
    assert len(after - before) <= 2
    assert len(before - after) <= 1


def test_a_new_title_changes_what_is_embedded(chunker: Chunker):
    [before], [after] = cut(chunker, "Text.", title="Old"), cut(chunker, "Text.", title="New")
    assert before.text_hash != after.text_hash


def test_another_limit_makes_another_generation(tokenizer: Tokenizer):
    assert Chunker(tokenizer, 256).fingerprint == Chunker(tokenizer, 256).fingerprint
    assert Chunker(tokenizer, 256).fingerprint != Chunker(tokenizer, 128).fingerprint


def test_a_heading_is_named_without_its_markup_and_placed_in_characters():
    text = "é — ü\n\n## The *new* `index` &amp; [its](x) table\n\ntext\n\nTwo\nlines\n=====\n"
    assert list(headings(text)) == [
        Heading(text.index("##"), 2, "The new index & its table"),
        Heading(text.index("Two"), 1, "Two lines"),
    ]


def test_headings_in_quotations_and_lists_are_part_of_these():
    assert [heading.name for heading in headings("> # quoted\n\n- # in a list\n  - # deeper\n\n# Own\n")] == ["Own"]


def test_the_tokens_of_a_piece_are_those_it_has_in_the_text(tokenizer: Tokenizer):
    text = "Tokenisation of a text. " * 40 + "The unforeseeable end, 東京."
    ruler = Ruler(tokenizer, text)
    for start in range(0, 900, 24):
        for piece in (text[start : start + 240], text[start:]):
            assert ruler.tokens(piece) == len(tokenizer.encode(piece, add_special_tokens=False).ids)
    assert ruler.tokens("") == 0
