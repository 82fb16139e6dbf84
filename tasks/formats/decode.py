"""Bytes to characters: as declared, by their byte-order mark, or by what they look like."""

import codecs
import re

from charset_normalizer import from_bytes

from index.errors import Rejected

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = (  # the longer ones first: UTF-32 begins like UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 256 * 1024
# Without one of these, two bytes that are no UTF-8 could be anything.
_COMMON = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "euc_kr"),
)


def decode(content: bytes, charset: str | None = None) -> str:
    """Text without a byte-order mark and with Unix line ends; raises `Rejected` with corrupt."""
    text = _decoded(content, charset)
    if "\x00" in text:
        raise Rejected("corrupt", "the text holds NUL characters: is it a binary file?")
    if _LONE_SURROGATE.search(text):
        raise Rejected("corrupt", "the text holds lone surrogates, which no text can")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes, charset: str | None) -> str:
    marked = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    for encoding in filter(None, (marked, charset, wide(content), "utf-8")):
        try:
            return content.decode(encoding)
        except (ValueError, LookupError):  # wrong bytes for the charset, or no charset at all
            continue
    return _guessed(content)


def wide(content: bytes) -> str | None:
    """The two-byte encoding that text without a mark seems to be in: its every other byte is mostly 0."""
    start = content[:4096]
    even, odd = start[0::2], start[1::2]
    if len(content) % 2 or len(content) < 4 or not start.count(0):
        return None
    if odd.count(0) > 0.4 * len(odd) and not even.count(0):
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > 0.4 * len(even) and not odd.count(0) else None


def _guessed(content: bytes) -> str:
    # Not cut within a character of several bytes.
    sample = content if len(content) <= _SAMPLE else content[:_SAMPLE].rpartition(b"\n")[0] or content[:_SAMPLE]
    best = from_bytes(sample, cp_isolation=list(_COMMON)).best() or from_bytes(sample).best()
    if best is None:
        raise Rejected("corrupt", "the bytes are not text in any known encoding")
    return content.decode(best.encoding, "replace")
