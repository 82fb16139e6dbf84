"""PDF to Markdown with page numbers: text by PDFium, headings by the size of their letters, tables by the gaps in their lines."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from index.errors import Rejected
from tasks.formats.markup import table
from tasks.formats.parsed import Parsed
from tasks.formats.pdf_lines import Line, Style, is_drawn_on, lines_of

# A heading's letters are larger than most of the text by this much, or bold where most of it is not; and it is short.
LARGER = 1.1
HEADING_CHARACTERS = 200
HEADING_LINES = 3
BOLD_CHARACTERS = 100
HEADING_LEVELS = 5
# What stands on this share of the pages is the running head, not a heading.
RUNNING = 0.1
RUNNING_PAGES = 3
# A table has this many rows, and short cells.
TABLE_ROWS = 3
CELL_CHARACTERS = 60
# Lines that Markdown would take for a heading, a rule or a fence.
_LOOKS_MARKED = re.compile(r"^(?=#{1,6}(\s|$)|(=+|-+)\s*$|`{3}|~{3})", re.MULTILINE)


def read_pdf(content: bytes, _charset: str | None) -> Parsed:
    """The text of each page that can be read; raises `Rejected` with encrypted, corrupt, no_text_layer or empty."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower() or "security" in str(error).lower():
            raise Rejected("encrypted", "the PDF needs a password; send it without one") from None
        raise Rejected("corrupt", f"the PDF can't be read: {error}") from None
    try:
        pages = [list(lines_of(document, at)) for at in range(len(document))]
        if not any(pages) and is_drawn_on(document):
            raise Rejected("no_text_layer", "the PDF holds only pictures of text; send it through OCR first")
    finally:
        document.close()
    if not any(pages):
        raise Rejected("empty", "the PDF holds no text and no pictures")
    return _assembled(pages)


def _assembled(pages: Sequence[Sequence[Line]]) -> Parsed:
    levels = _heading_levels([line for lines in pages for line in lines])
    running = _running_heads(pages, levels)
    parts: list[str] = []
    starts, length, title = [], 0, None
    for number, lines in enumerate(pages, 1):
        for place, block in enumerate(_blocks(lines, levels, running)):
            if not place:
                starts.append((length, number))
            if title is None and block.startswith("#"):
                title = block.lstrip("# ")
            parts.append(block)
            length += len(block) + 2
    return Parsed(title, "\n\n".join(parts), "markdown", tuple(starts))


def _heading_levels(lines: Sequence[Line]) -> dict[Style, int]:
    """The level of each style that stands out from that of most of the text; the largest is level 1."""
    written: Counter[Style] = Counter()
    for line in lines:
        written[line.style] += len(line.text)
    body = written.most_common(1)[0][0]
    if not body.size:
        return {}
    outstanding = (style for style in written if style.size >= body.size * LARGER or (style.bold > body.bold and style.size >= body.size))
    return {style: min(level, HEADING_LEVELS) for level, style in enumerate(sorted(outstanding, reverse=True), 1)}


def _running_heads(pages: Sequence[Sequence[Line]], levels: dict[Style, int]) -> set[str]:
    """The lines, without their numbers, that look like headings and stand on many pages."""
    counted = Counter(text for lines in pages for text in {_numberless(line.text) for line in lines if line.style in levels})
    return {text for text, count in counted.items() if count > max(RUNNING_PAGES, RUNNING * len(pages))}


def _numberless(text: str) -> str:
    return re.sub(r"\d+", "0", text)


def _blocks(lines: Sequence[Line], levels: dict[Style, int], running: set[str]) -> Iterator[str]:
    """The headings, tables and stretches of text of a page, in order."""

    def outstanding(line: Line) -> Style | None:
        return line.style if line.style in levels and _numberless(line.text) not in running else None

    pending: list[Line] = []
    for style, group in groupby(lines, key=outstanding):
        same = list(group)
        heading = " ".join(line.text for line in same)
        if style is None or not _is_heading(heading, len(same), bold_only=levels[style] == max(levels.values()) and style.bold):
            pending += same
            continue
        yield from _text_and_tables(pending)
        pending = []
        yield f"{'#' * levels[style]} {heading}"
    yield from _text_and_tables(pending)


def _is_heading(text: str, lines: int, *, bold_only: bool) -> bool:
    if sum(map(str.isalpha, text)) < 2 or lines > HEADING_LINES or len(text) > HEADING_CHARACTERS:
        return False
    return not bold_only or (lines == 1 and len(text) <= BOLD_CHARACTERS and not text.endswith((".", ",", ";")))


def _text_and_tables(lines: Sequence[Line]) -> Iterator[str]:
    for tabular, runs in groupby(_runs(lines), key=_is_table):
        if tabular:
            yield from (table([[text for _, text in line.cells] for line in run]) for run in runs)
        else:
            yield _joined([line for run in runs for line in run])


def _runs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Neighbouring lines that are cut at the same places, or are not cut."""
    run: list[Line] = []
    for line in lines:
        if run and not _aligned(run[-1], line):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _aligned(above: Line, below: Line) -> bool:
    if len(above.cells) != len(below.cells):
        return False
    return all(abs(x - y) <= 2 * below.style.size for (x, _), (y, _) in zip(above.cells, below.cells, strict=True)) or len(below.cells) == 1


def _is_table(run: Sequence[Line]) -> bool:
    short = all(len(text) <= CELL_CHARACTERS for line in run for _, text in line.cells)
    return len(run) >= TABLE_ROWS and len(run[0].cells) > 1 and short


def _joined(lines: Sequence[Line]) -> str:
    return _LOOKS_MARKED.sub(r"\\", "\n".join(line.text for line in lines))
