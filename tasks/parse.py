"""Bytes of a document to its text: which format reads it, and what is held of any format.

`parse` works in the process that calls it. Documents of others belong into `tasks.parsers`, where they can do no harm.
"""

from collections.abc import Callable
from importlib import import_module

from index.documents import Draft
from index.errors import Rejected
from tasks.formats import kinds
from tasks.formats.decode import decode
from tasks.formats.kinds import SUFFIXES, kind_of, media_type
from tasks.formats.markup import first_heading
from tasks.formats.parsed import LIMITS, MAX_BYTES, Limits, Parsed

__all__ = ["LIMITS", "MAX_BYTES", "SUFFIXES", "Limits", "Parsed", "media_type", "parse"]

Reader = Callable[[bytes, str | None], Parsed]
# Where each kind is read; imported when the first document of its kind comes.
_READERS = {
    kinds.HTML: ("markup", "read_html"),
    kinds.CSV: ("records", "read_csv"),
    kinds.JSON: ("records", "read_json"),
    kinds.MAIL: ("mail", "read_mail"),
    kinds.EPUB: ("epub", "read_epub"),
    kinds.PDF: ("pdf", "read_pdf"),
    kinds.PPTX: ("slides", "read_pptx"),
    kinds.DOCX: ("office", "read_docx"),
    kinds.XLSX: ("office", "read_xlsx"),
    kinds.ODT: ("office", "read_odt"),
    kinds.RTF: ("office", "read_rtf"),
    kinds.DOC: ("office", "read_doc"),
    kinds.XLS: ("office", "read_xls"),
    kinds.PPT: ("office", "read_ppt"),
}


def parse(draft: Draft, limits: Limits = LIMITS) -> Parsed:
    """The text of a draft.

    Raises `Rejected` with unsupported, too_large, too_deep, empty, encrypted, no_text_layer, unsafe or corrupt.
    """
    if len(draft.content) > limits.bytes_in:
        raise Rejected("too_large", f"{len(draft.content)} bytes; at most {limits.bytes_in} are taken")
    if not draft.content.strip():
        raise Rejected("empty", "the document holds no text")
    kind, charset = kind_of(draft.media_type, draft.content)
    parsed = _reader(kind)(draft.content, charset)
    if not parsed.text.strip():
        raise Rejected("empty", "the document holds no text")
    if len(parsed.text) > limits.characters_out:
        raise Rejected("too_large", f"{len(parsed.text)} characters of text; at most {limits.characters_out} are taken")
    return Parsed(draft.title or parsed.title, parsed.text, parsed.form, parsed.pages)


def _reader(kind: str) -> Reader:
    if kind == kinds.MARKDOWN:
        return _markdown
    if kind not in _READERS:
        return _text
    module, name = _READERS[kind]
    reader: Reader = getattr(import_module(f"tasks.formats.{module}"), name)
    return reader


def _markdown(content: bytes, charset: str | None) -> Parsed:
    text = decode(content, charset)
    return Parsed(first_heading(text), text, "markdown")


def _text(content: bytes, charset: str | None) -> Parsed:
    return Parsed(None, decode(content, charset), "text")
