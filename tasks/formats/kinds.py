"""The kinds of documents: by declared media type, checked against the first bytes."""

import re
import zipfile
from email.message import Message
from io import BytesIO

from index.errors import Rejected
from tasks.formats.decode import decode, wide

TEXT, MARKDOWN, HTML, CSV, JSON, MAIL = "text/plain", "text/markdown", "text/html", "text/csv", "application/json", "message/rfc822"
PDF, RTF, EPUB = "application/pdf", "application/rtf", "application/epub+zip"
DOC, XLS, PPT = "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"
_OPENXML = "application/vnd.openxmlformats-officedocument."
DOCX, PPTX, XLSX = f"{_OPENXML}wordprocessingml.document", f"{_OPENXML}presentationml.presentation", f"{_OPENXML}spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
SUFFIXES = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".txt": TEXT,
    ".rst": TEXT,
    ".text": TEXT,
    ".csv": CSV,
    ".json": JSON,
    ".eml": MAIL,
    ".pdf": PDF,
    ".rtf": RTF,
    ".epub": EPUB,
    ".docx": DOCX,
    ".pptx": PPTX,
    ".xlsx": XLSX,
    ".odt": ODT,
    ".doc": DOC,
}
_ALIASES = {
    "text/x-markdown": MARKDOWN,
    "application/xhtml+xml": HTML,
    "text/json": JSON,
    "application/csv": CSV,
    "text/comma-separated-values": CSV,
    "text/rtf": RTF,
    "application/x-rtf": RTF,
    "application/x-pdf": PDF,
    "message/global": MAIL,
}
_UNKNOWN = ("application/octet-stream", "binary/octet-stream", "application/x-unknown", "application/x-download")
_ARCHIVES = (EPUB, DOCX, PPTX, XLSX, ODT)
_COMPOUNDS = (DOC, XLS, PPT)
_SPOKEN = (HTML, CSV, JSON, MAIL)
_MAGIC_ZIP, _MAGIC_COMPOUND = (b"PK\x03\x04", b"PK\x05\x06"), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML_START = re.compile(rb"(?>\s+|<!--.*?-->|<\?.*?\?>)*+<(?:!doctype html|html)", re.IGNORECASE | re.DOTALL)
_MAIL_START = re.compile(rb"(From |(Return-Path|Received|From|MIME-Version|Message-ID|Delivered-To|Date|Subject|To):)", re.IGNORECASE)
_MAIL_HEADER = re.compile(rb"^(From|Date|MIME-Version|Message-ID):", re.IGNORECASE | re.MULTILINE)
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")


def media_type(header: str) -> tuple[str, str | None]:
    """The media type in lower case and its charset, of a Content-Type value."""
    message = Message()
    message["Content-Type"] = header.replace("\n", " ").replace("\r", " ")
    return message.get_content_type(), message.get_content_charset()


def kind_of(header: str, content: bytes) -> tuple[str, str | None]:
    """The kind and charset of a document. The bytes win over a declaration that they contradict.

    Raises `Rejected` with unsupported, encrypted or corrupt.
    """
    declared, charset = media_type(header)
    kind = _ALIASES.get(declared, declared)
    found = _by_magic(content)
    if found:
        return found, charset
    if kind in (PDF, RTF, *_ARCHIVES, *_COMPOUNDS):
        raise Rejected("corrupt", f"the bytes are no {declared}")
    if kind in _UNKNOWN:
        return _by_text(content), charset
    if kind in _SPOKEN or kind.startswith("text/"):
        return kind, charset
    raise Rejected("unsupported", f"media type {declared!r}; send one of {', '.join(sorted(suffix[1:] for suffix in SUFFIXES))}")


def is_plain(header: str, content: bytes) -> bool:
    """Whether this is text in UTF-8 that needs no format's parser: nothing in it can do harm."""
    declared, charset = media_type(header)
    kind = _ALIASES.get(declared, declared)
    if not kind.startswith("text/") or kind in (*_SPOKEN, RTF) or charset not in (None, "utf-8", "us-ascii") or _has_magic(content):
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_magic(content: bytes) -> bool:
    return content.startswith((*_MAGIC_ZIP, _MAGIC_COMPOUND, b"%PDF-", b"{\\rtf"))


def _by_magic(content: bytes) -> str | None:
    """The kind that the first bytes tell; None for all kinds of text."""
    if content.startswith(_MAGIC_ZIP):
        return _archive(content)
    if content.startswith(_MAGIC_COMPOUND):
        return _compound(content)
    # Readers of PDF allow a little of something else before it.
    if content.startswith(b"%PDF-") or (b"%PDF-" in content[:1024] and b"\x00" in content):
        return PDF
    return RTF if content.startswith(b"{\\rtf") else None


def _archive(content: bytes) -> str:
    """The kind of a ZIP archive, by the names in it."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = archive.namelist()
            told = archive.open("mimetype").read(100).decode("ascii", "replace").strip() if "mimetype" in names else ""
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise Rejected("corrupt", f"the archive can't be read: {error}") from None
    if told in _ARCHIVES:
        return told
    for folder, kind in (("word/", DOCX), ("ppt/", PPTX), ("xl/", XLSX)):
        if any(name.startswith(folder) for name in names):
            return kind
    raise Rejected("unsupported", "a ZIP archive that is no document; send the files in it one by one")


def _compound(content: bytes) -> str:
    """The kind of an OLE file, the container of old and of encrypted office documents."""
    if _stream("EncryptedPackage") in content or _stream("EncryptionInfo") in content:
        raise Rejected("encrypted", "the document needs a password; send it without one")
    for name, kind in (("WordDocument", DOC), ("PowerPoint Document", PPT), ("Workbook", XLS), ("Book", XLS)):
        if _stream(name) in content:
            return kind
    raise Rejected("unsupported", "an OLE container that is no document")


def _stream(name: str) -> bytes:
    return name.encode("utf-16-le") + b"\0\0"


def _by_text(content: bytes) -> str:
    """The kind of bytes of which nothing is known; raises `Rejected` unless they are text."""
    start = content[:65536]
    if start.startswith(_MARKS) or wide(start):
        start = decode(start[: len(start) // 4 * 4]).encode()
    if _HTML_START.match(start):
        return HTML
    if _MAIL_START.match(start) and _MAIL_HEADER.search(start.partition(b"\n\n")[0].partition(b"\r\n\r\n")[0]):
        return MAIL
    if start.lstrip()[:1] in (b"{", b"[") and start.rstrip()[-1:] in (b"}", b"]"):
        return JSON
    controls = sum(start.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13, 27))
    if controls * 20 > len(start):
        raise Rejected("unsupported", "the bytes are no text and no known kind of document")
    return TEXT
