"""The lines of a PDF's pages, with the size of their letters and where they stand: read by PDFium."""

import ctypes
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

# Cells of a table are apart by this many times the size of its letters.
CELL_GAP = 1.2
BOLD_WEIGHT = 650
MAX_SIZE = 1e6  # what is larger is nonsense
# What is no character; 2 and U+FFFE are how PDFium writes a hyphen at which it has joined two lines.
_SHOWN = dict.fromkeys((*range(9), *range(14, 32), 0xFFFE, 0xFFFF))
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True, order=True)
class Style:
    """The size of letters in points, and whether they are bold."""

    size: float
    bold: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, its style, and the texts that wide gaps cut it into with their left edges."""

    text: str
    style: Style
    cells: tuple[tuple[float, str], ...]


def lines_of(document: Any, at: int) -> Iterator[Line]:
    """The lines of a page; none of a page that is broken, so that it does not cost the others."""
    import pypdfium2

    try:
        page = document[at]
        text = page.get_textpage()
    except pypdfium2.PdfiumError:
        return
    try:
        yield from _Reading(pypdfium2.raw, text.raw).lines()
    finally:
        text.close()
        page.close()


def is_drawn_on(document: Any) -> bool:
    """Whether there is anything to see on a page that can be read."""
    import pypdfium2

    for at in range(len(document)):
        with suppress(pypdfium2.PdfiumError):
            page = document[at]
            try:
                if pypdfium2.raw.FPDFPage_CountObjects(page.raw) > 0:
                    return True
            finally:
                page.close()
    return False


class _Reading:
    """The characters of one page, with where they stand."""

    def __init__(self, raw: Any, page: Any) -> None:
        self._raw, self._page = raw, page
        self._matrix = raw.FS_MATRIX()
        self._box = [ctypes.c_double() for _ in range(4)]
        self._name = ctypes.create_string_buffer(128)

    def lines(self) -> Iterator[Line]:
        """The lines that hold something to read."""
        text = self._characters()
        for line in re.finditer(r"[^\r\n]+", text):
            words = [(word.start(), word.end() - 1, word[0].translate(_SHOWN)) for word in _WORD.finditer(text, *line.span())]
            if any(word for _, _, word in words):
                first, middle, last = words[0][0], words[len(words) // 2][0], words[-1][1]
                size = self._size(middle)
                style = Style(size, all(map(self._is_bold, (middle, first, last))))
                yield Line(" ".join(word for _, _, word in words), style, tuple(self._cells(words, size)))

    def _characters(self) -> str:
        """The text of the page, in which each character stands at its number."""
        count = self._raw.FPDFText_CountChars(self._page)
        buffer = (ctypes.c_ushort * (count + 1))()
        if self._raw.FPDFText_GetText(self._page, 0, count, buffer) == count + 1:
            text = bytes(buffer)[: 2 * count].decode("utf-16-le", "replace")
            if len(text) == count:
                return text
        # Some are left out of that text, or take two places in it.
        codes = (self._raw.FPDFText_GetUnicode(self._page, index) for index in range(count))
        return "".join(chr(code) if code <= sys.maxunicode and not 0xD800 <= code < 0xE000 else "\ufffd" for code in codes)

    def _size(self, index: int) -> float:
        """The height of a letter in points: that of its font, scaled as it is drawn; 0 where it lies on its side."""
        size = self._raw.FPDFText_GetFontSize(self._page, index)
        if self._raw.FPDFText_GetMatrix(self._page, index, self._matrix):
            size *= abs(self._matrix.d)
        return float(round(size, 1)) if size < MAX_SIZE else 0.0

    def _is_bold(self, index: int) -> bool:
        self._raw.FPDFText_GetFontInfo(self._page, index, self._name, len(self._name), None)
        return b"bold" in self._name.value.lower() or self._raw.FPDFText_GetFontWeight(self._page, index) >= BOLD_WEIGHT

    def _cells(self, words: Sequence[tuple[int, int, str]], size: float) -> Iterator[tuple[float, str]]:
        """The line cut where a space is much wider than spaces are."""
        cell: list[str] = []
        left = edge = 0.0
        for first, last, word in words:
            start = self._edges(first)[0]
            if cell and start - edge > CELL_GAP * size:
                yield left, " ".join(cell)
                cell = []
            left = left if cell else start
            cell.append(word)
            edge = self._edges(last)[1]
        if cell:
            yield left, " ".join(cell)

    def _edges(self, index: int) -> tuple[float, float]:
        """The left and the right edge of a character."""
        self._raw.FPDFText_GetCharBox(self._page, index, *self._box)
        return self._box[0].value, self._box[1].value
