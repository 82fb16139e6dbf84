"""Office documents to Markdown: DOCX, XLSX, ODT, RTF and the old binary formats, by kreuzberg."""

import re
from importlib import import_module
from itertools import accumulate
from typing import Any

from index.errors import Rejected
from tasks.formats.archive import opened
from tasks.formats.kinds import DOC, DOCX, ODT, PPT, RTF, XLS, XLSX
from tasks.formats.markup import first_heading, tidy
from tasks.formats.parsed import Parsed

MAX_RTF_DEPTH = 1_000
_PICTURE = re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)")
_NOT_BRACES = bytes(byte for byte in range(256) if byte not in b"{}")


def read_docx(content: bytes, _charset: str | None) -> Parsed:
    """A Word document."""
    opened(content).close()
    return _extracted(content, DOCX)


def read_xlsx(content: bytes, _charset: str | None) -> Parsed:
    """A workbook: a heading and a table for each sheet."""
    opened(content).close()
    return _extracted(content, XLSX)


def read_odt(content: bytes, _charset: str | None) -> Parsed:
    """An OpenDocument text."""
    with opened(content) as archive:
        if "META-INF/manifest.xml" in archive.namelist() and b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise Rejected("encrypted", "the document needs a password; send it without one")
    return _extracted(content, ODT)


def read_rtf(content: bytes, _charset: str | None) -> Parsed:
    """Rich text."""
    braces = content.replace(b"\\{", b"").replace(b"\\}", b"").translate(None, _NOT_BRACES)
    if max(accumulate(1 if brace == ord("{") else -1 for brace in braces), default=0) > MAX_RTF_DEPTH:
        raise Rejected("too_deep", f"the RTF is nested more than {MAX_RTF_DEPTH} groups deep")
    return _extracted(content, RTF)


def read_doc(content: bytes, _charset: str | None) -> Parsed:
    """A Word document of before 2007."""
    return _extracted(content, DOC)


def read_xls(content: bytes, _charset: str | None) -> Parsed:
    """A workbook of before 2007."""
    return _extracted(content, XLS)


def read_ppt(content: bytes, _charset: str | None) -> Parsed:
    """A presentation of before 2007."""
    return _extracted(content, PPT)


def _extracted(content: bytes, kind: str) -> Parsed:
    kreuzberg: Any = import_module("kreuzberg")  # its types lag behind its options
    config = kreuzberg.ExtractionConfig(
        output_format=kreuzberg.OutputFormat.MARKDOWN,
        use_cache=False,
        disable_ocr=True,
        enable_quality_processing=False,
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    try:
        found = kreuzberg.extract_bytes_sync(content, kind, config).content
    except kreuzberg.KreuzbergError as error:
        protected = "password" in str(error).lower() or "encrypted" in str(error).lower()
        raise Rejected("encrypted" if protected else "corrupt", str(error).partition("\n")[0][:300]) from None
    text = tidy(_PICTURE.sub(r"\1", found.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")))
    return Parsed(first_heading(text), text, "markdown")
