"""Presentations to Markdown, with the number of each slide: by python-pptx, which alone keeps notes and charts."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from index.errors import Rejected
from tasks.formats.archive import opened
from tasks.formats.markup import table
from tasks.formats.parsed import Parsed

MAX_DEPTH = 50


def read_pptx(content: bytes, _charset: str | None) -> Parsed:
    """A heading for each title, texts, tables, the figures of charts and the speaker's notes."""
    from pptx import Presentation
    from pptx.exc import PythonPptxError

    opened(content).close()
    try:
        slides = ["\n\n".join(filter(None, _slide(slide))) for slide in Presentation(BytesIO(content)).slides]
    except (PythonPptxError, KeyError, ValueError, AttributeError, TypeError, SyntaxError) as error:  # lxml's errors are SyntaxErrors
        raise Rejected("corrupt", f"the presentation can't be read: {type(error).__name__} {error}"[:300]) from None
    text, pages = "", []
    for number, slide in enumerate(slides, 1):
        if slide:
            text += "\n\n" * bool(text)
            pages.append((len(text), number))
            text += slide
    first = next((line[2:] for line in text.split("\n") if line.startswith("# ")), None)
    return Parsed(first, text, "markdown", tuple(pages))


def _slide(slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    if title is not None and title.has_text_frame and title.text_frame.text.strip():
        yield "# " + " ".join(title.text_frame.text.split())
    yield from _shapes((shape for shape in slide.shapes if title is None or shape.shape_id != title.shape_id), 0)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        yield "Notes: " + notes.replace("\x0b", "\n") if notes else ""


def _shapes(shapes: Iterable[Any], depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise Rejected("too_deep", f"shapes are grouped more than {MAX_DEPTH} levels deep")
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes, depth + 1)
        elif shape.has_text_frame:
            yield "\n".join(_paragraphs(shape.text_frame))
        elif getattr(shape, "has_table", False):
            yield table([[cell.text for cell in row.cells] for row in shape.table.rows])
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape.chart)


def _paragraphs(frame: Any) -> Iterator[str]:
    for paragraph in frame.paragraphs:
        text = " ".join(paragraph.text.split())
        if text:
            yield f"{'  ' * (paragraph.level - 1)}- {text}" if paragraph.level else text


def _chart(chart: Any) -> Iterator[str]:
    """The title and the figures, as they were last drawn. Read from the XML: the library knows only some kinds of chart."""
    if chart.has_title and chart.chart_title.has_text_frame:
        yield chart.chart_title.text_frame.text.strip()
    series = [(_points(each, "tx"), _points(each, "cat", "xVal"), _points(each, "val", "yVal")) for each in _named(chart.element, "ser")]
    categories = max((names for _, names, _ in series), key=len, default=[])
    longest = max((len(values) for _, _, values in series), default=0)
    rows = [
        [categories[at] if at < len(categories) else str(at + 1), *(values[at] if at < len(values) else "" for _, _, values in series)]
        for at in range(longest)
    ]
    yield table([["", *(" ".join(name) for name, _, _ in series)], *rows]) if rows else ""


def _points(series: Any, *parts: str) -> list[str]:
    values = [value.text or "" for part in series if _local(part) in parts for value in _named(part, "v")]
    return [value.removesuffix(".0") for value in values]


def _named(tree: Any, name: str) -> Iterator[Any]:
    return (node for node in tree.iter() if _local(node) == name)


def _local(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]
