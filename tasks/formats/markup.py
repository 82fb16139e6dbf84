"""HTML to Markdown, and what Markdown says of itself."""

import re
from collections.abc import Iterable, Sequence

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from bs4.exceptions import ParserRejectedMarkup
from markdownify import ATX, MarkdownConverter

from index.errors import Rejected
from tasks.formats.decode import decode
from tasks.formats.parsed import Parsed
from tasks.outline import headings

MAX_DEPTH = 500
_NOT_CONTENT = ("script", "style", "template", "noscript", "svg", "iframe", "head", "title")
_XML_DECLARATION = re.compile(r"<\?xml\b[^>]*>", re.IGNORECASE)
_CELL_BREAK = re.compile(r"\s*\n\s*")


def read_html(content: bytes, charset: str | None) -> Parsed:
    """A page as Markdown, in the charset that is declared outside or in it."""
    return html(decode(content, charset or EncodingDetector.find_declared_encoding(content[:4096], is_html=True)))


def html(text: str) -> Parsed:
    """A page as Markdown; raises `Rejected` with corrupt or too_deep."""
    try:
        # The declaration of XHTML, and a page of one word, make the library warn about what it took them for.
        page = BeautifulSoup(_XML_DECLARATION.sub("", text) + "\n", "html.parser")
        title = " ".join(page.title.get_text(" ").split()) if page.title else None
        for tag in page.find_all(_NOT_CONTENT):
            tag.decompose()
        _check_depth(page)
        markdown = MarkdownConverter(heading_style=ATX, strip=["img"]).convert_soup(page)
    except ParserRejectedMarkup:
        raise Rejected("corrupt", "the HTML holds a declaration that can't be read") from None
    except RecursionError:
        raise Rejected("too_deep", "the HTML is nested too deeply") from None
    return Parsed(title or first_heading(tidy(markdown)), tidy(markdown), "markdown")


def tidy(markdown: str) -> str:
    """Without spaces at the ends of lines, and with one empty line at most."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", markdown)).strip()


def first_heading(text: str) -> str | None:
    """The first heading near the beginning of Markdown."""
    return next((heading.name for heading in headings(text[:20_000])), None) or None


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows as a Markdown table whose first row is the header; short rows stay short, which Markdown allows."""
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    if lines:
        lines.insert(1, "|" + " --- |" * (max(1, lines[0].count(" | ") + 1)))
    return "\n".join(lines)


def _cell(text: str) -> str:
    return _CELL_BREAK.sub(" ", text.strip()).replace("|", "\\|")


def _check_depth(page: BeautifulSoup) -> None:
    """Refuses nesting that no real page has, before a recursive converter meets it."""
    level: list[Tag] = [page]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Rejected("too_deep", f"the HTML is nested more than {MAX_DEPTH} elements deep")
        level = [child for tag in level for child in tag.find_all(recursive=False)]
