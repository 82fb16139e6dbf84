"""Bytes of a document to text: plain text, Markdown and HTML."""

import re
from dataclasses import dataclass
from email.message import Message
from itertools import pairwise
from typing import Literal

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup
from charset_normalizer import from_bytes
from markdown_it import MarkdownIt
from markdownify import ATX, MarkdownConverter

from index.documents import Draft
from index.errors import Rejected

MAX_BYTES = 32 * 1024 * 1024
MAX_HTML_DEPTH = 500
MARKDOWN_TYPES = ("text/markdown", "text/x-markdown")
HTML_TYPES = ("text/html", "application/xhtml+xml")
SUFFIXES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".txt": "text/plain",
    ".rst": "text/plain",
    ".text": "text/plain",
}
_NOT_CONTENT = ("script", "style", "template", "noscript", "svg", "iframe", "head", "title")
_XML_DECLARATION = re.compile(r"<\?xml\b[^>]*>", re.IGNORECASE)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a document; `form` says whether Markdown structure means something in it."""

    title: str | None
    text: str
    form: Literal["markdown", "text"]


def parse(draft: Draft) -> Parsed:
    """The text of a draft; raises `Rejected` with unsupported, too_large, empty or corrupt."""
    kind, charset = media_type(draft.media_type)
    if len(draft.content) > MAX_BYTES:
        raise Rejected("too_large", f"{len(draft.content)} bytes; at most {MAX_BYTES} are taken")
    text = _decode(draft.content, charset)
    if kind in HTML_TYPES:
        parsed = _html(text)
    elif kind in MARKDOWN_TYPES:
        parsed = Parsed(_first_heading(text), text, "markdown")
    elif kind.startswith("text/"):
        parsed = Parsed(None, text, "text")
    else:
        raise Rejected("unsupported", f"media type {kind!r}; send text/plain, text/markdown or text/html")
    if not parsed.text.strip():
        raise Rejected("empty", "the document holds no text")
    return Parsed(draft.title or parsed.title, parsed.text, parsed.form)


def media_type(header: str) -> tuple[str, str | None]:
    """The media type in lower case and its charset, of a Content-Type value."""
    message = Message()
    message["Content-Type"] = header.replace("\n", " ").replace("\r", " ")
    return message.get_content_type(), message.get_content_charset()


def _decode(content: bytes, charset: str | None) -> str:
    """Text without a byte-order mark and with Unix line ends."""
    try:
        text = content.decode(charset or "utf-8-sig")
    except (ValueError, LookupError):  # wrong bytes for the charset, or no charset at all
        best = from_bytes(content).best()
        if best is None:
            raise Rejected("corrupt", "the bytes are not text in any known encoding") from None
        text = str(best)
    if "\x00" in text:
        raise Rejected("corrupt", "the text holds NUL characters: is it a binary file?")
    if _LONE_SURROGATE.search(text):
        raise Rejected("corrupt", "the text holds lone surrogates, which no text can")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _first_heading(text: str) -> str | None:
    tokens = MarkdownIt("commonmark").parse(text[:20_000])
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            return inline.content.strip() or None
    return None


def _html(text: str) -> Parsed:
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
        raise Rejected("corrupt", "the HTML is nested too deeply") from None
    tidy = re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", markdown)).strip()
    return Parsed(title or _first_heading(tidy), tidy, "markdown")


def _check_depth(page: BeautifulSoup) -> None:
    """Refuses nesting that no real page has, before a recursive converter meets it."""
    level: list[Tag] = [page]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_HTML_DEPTH:
            raise Rejected("corrupt", f"the HTML is nested more than {MAX_HTML_DEPTH} elements deep")
        level = [child for tag in level for child in tag.find_all(recursive=False)]
