"""Each format: its text, headings, tables and page numbers, from documents made here."""

from email.message import EmailMessage
from importlib import import_module
from io import BytesIO
from typing import Any

import pytest
from pptx import Presentation
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from index.documents import Draft
from index.errors import Rejected
from tasks.formats import kinds
from tasks.parse import SUFFIXES, Parsed, parse
from tests.tasks import papers

CHARTS: Any = import_module("pptx.chart.data")  # has no types
BODY = [(50, 600 - 20 * at, 10, f"Line {at} tells how apples are grown and kept through the winter.") for at in range(6)]


def parsed(content: bytes, kind: str = "application/octet-stream") -> Parsed:
    return parse(Draft("a", media_type=kind, content=content))


def code(content: bytes, kind: str = "application/octet-stream") -> str:
    with pytest.raises(Rejected) as caught:
        parsed(content, kind)
    return caught.value.code


def page_of(found: Parsed, text: str) -> int:
    """The page on which a text stands."""
    return max((start, page) for start, page in found.pages if start <= found.text.index(text))[1]


def presentation() -> bytes:
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "The orchard"
    first.placeholders[1].text = "Trees\nApples"
    first.placeholders[1].text_frame.paragraphs[1].level = 1
    first.notes_slide.notes_text_frame.text = "Say that it rained."
    second = deck.slides.add_slide(deck.slide_layouts[6])
    cells = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for at, text in enumerate(["kind", "month", "Cox", "October"]):
        cells.cell(at // 2, at % 2).text = text
    third = deck.slides.add_slide(deck.slide_layouts[6])
    data = CHARTS.CategoryChartData()
    data.categories = ["2023", "2024"]
    data.add_series("tonnes", (7, 8.5))
    third.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(1), Inches(4), Inches(3), data)
    out = BytesIO()
    deck.save(out)
    return out.getvalue()


def test_a_pdf_keeps_headings_and_page_numbers():
    found = parsed(
        papers.pdf(
            [
                papers.drawn((50, 750, 18, "The orchard"), *BODY),
                papers.drawn(*BODY)
                + "\n"
                + papers.drawn((50, 400, 10, "Storage"), font="F2")
                + "\n"
                + papers.drawn((50, 380, 10, "Dark, cool.")),
            ]
        )
    )
    assert found.title == "The orchard"
    assert [line for line in found.text.split("\n") if line.startswith("#")] == ["# The orchard", "## Storage"]
    assert [page for _, page in found.pages] == [1, 2]
    assert page_of(found, "The orchard") == 1
    assert page_of(found, "Storage") == page_of(found, "Dark, cool.") == 2


def test_a_pdf_keeps_a_table_whose_cells_are_apart():
    rows = [("kind", "month", "keeps"), ("Cox", "October", "3 weeks"), ("Boskoop", "October", "5 months")]
    cells = [(50 + 150 * x, 300 - 15 * y, 10, text) for y, row in enumerate(rows) for x, text in enumerate(row)]
    text = parsed(papers.pdf([papers.drawn(*BODY, *cells)])).text
    assert "| kind | month | keeps |\n| --- | --- | --- |\n| Cox | October | 3 weeks |\n| Boskoop | October | 5 months |" in text


def test_the_running_head_of_a_pdf_is_no_heading():
    pages = [papers.drawn((50, 780, 14, f"Handbook, page {page}"), *BODY) for page in range(1, 8)]
    assert "#" not in parsed(papers.pdf(pages)).text


def test_text_of_a_pdf_that_looks_like_markdown_is_no_heading():
    text = parsed(papers.pdf([papers.drawn(*BODY, (50, 300, 10, "# of apples"), (50, 285, 10, "----"))])).text
    assert text.endswith("\\# of apples\n\\----")


def test_a_broken_page_costs_only_itself():
    content = papers.pdf([papers.drawn(*BODY)] * 2).replace(b"/Type /Page /Parent", b"/Type /Pags /Parent", 1)
    assert parsed(content).text.count("Line 5") >= 1


@pytest.mark.parametrize(("operators", "expected"), [("", "empty"), ("0 0 100 100 re f", "no_text_layer")])
def test_a_pdf_without_text_says_which_way(operators: str, expected: str):
    assert code(papers.pdf([operators])) == expected


def test_a_word_document_keeps_headings_and_tables():
    body = (
        papers.paragraph("The orchard", "Heading1")
        + papers.paragraph("Apples grow.")
        + papers.word_table([["kind", "month"], ["Cox", "October"]])
    )
    found = parsed(papers.docx(body))
    assert found.title == "The orchard"
    assert found.text == "## The orchard\n\nApples grow.\n\n| kind | month |\n| --- | --- |\n| Cox | October |"


def test_a_workbook_has_a_heading_and_a_table_for_each_sheet():
    assert (
        parsed(papers.xlsx([["kind", "month"], ["Cox", "October"]])).text
        == "## Fruit\n\n| kind | month |\n| --- | --- |\n| Cox | October |"
    )


def test_an_opendocument_text_keeps_its_headings():
    found = parsed(papers.odt('<text:h text:outline-level="1">The orchard</text:h><text:p>Apples grow.</text:p>'))
    assert (found.title, found.text) == ("The orchard", "# The orchard\n\nApples grow.")


def test_rich_text_is_read():
    assert "Zoë's **apples**" in parsed(rb"{\rtf1\ansi\ansicpg1252 {\fonttbl{\f0 Arial;}}\f0 Zo\'eb's {\b apples}\par}").text


def test_a_presentation_keeps_titles_tables_charts_notes_and_slide_numbers():
    found = parsed(presentation())
    assert found.title == "The orchard"
    assert found.text.startswith("# The orchard\n\nTrees\n- Apples\n\nNotes: Say that it rained.")
    assert "| kind | month |\n| --- | --- |\n| Cox | October |" in found.text
    assert "|  | tonnes |\n| --- | --- |\n| 2023 | 7 |\n| 2024 | 8.5 |" in found.text
    assert [page_of(found, text) for text in ("rained", "Cox", "tonnes")] == [1, 2, 3]


def test_an_e_book_is_read_in_its_own_order():
    found = parsed(papers.epub(["<h1>Winter</h1><p>one</p>", "<h1>Spring</h1><p>two</p>"]))
    assert (found.title, found.text) == ("The orchard", "# Winter\n\none\n\n# Spring\n\ntwo")


def test_an_e_mail_keeps_its_header_body_and_attached_text():
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "The harvest", "Zoë <zoe@example.org>", "all@example.org"
    message.set_content("It has begun.")
    message.add_alternative("<p>It has <b>begun</b>.</p>", subtype="html")
    message.add_attachment("kind,month\nCox,October\n", subtype="csv", filename="dates.csv")
    message.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="tree.png")
    found = parsed(message.as_bytes(), kinds.MAIL)
    assert found.title == "The harvest"
    assert found.text.startswith("# The harvest\n\nFrom: Zoë <zoe@example.org>\nTo: all@example.org\n\nIt has begun.")
    assert "## dates.csv\n\n| kind | month |" in found.text
    assert found.text.endswith("Attachment: tree.png (image/png)")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_csv_is_a_table_whatever_separates_its_cells(mark: str):
    rows = [["kind", "month"], ["Cox", "early October"], ["Boskoop", "late\nOctober"]]
    content = "\r\n".join(mark.join(f'"{cell}"' for cell in row) for row in rows).encode()
    expected = "| kind | month |\n| --- | --- |\n| Cox | early October |\n| Boskoop | late October |"
    assert parsed(content, "text/csv") == Parsed(None, expected, "markdown")


def test_a_bar_in_a_cell_stays_in_it():
    assert parsed(b"a,b\nx|y,z\n", "text/csv").text.endswith("| x\\|y | z |")


def test_json_is_an_outline_and_its_numbers_stay_as_written():
    found = parsed(
        b'{"name": "Cox", "tonnes": 1.50, "months": ["September", "October"], "sold": null, "tree": {"old": true}}', "application/json"
    )
    assert found.text == "- name: Cox\n- tonnes: 1.50\n- months:\n  - September\n  - October\n- sold: null\n- tree:\n  - old: true"


def test_json_lines_are_read():
    assert parsed(b'{"a": 1}\n{"a": 2}\n', "application/json").text == "-\n  - a: 1\n-\n  - a: 2"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<!-- x -->\n<!DOCTYPE html><html><body><p>Apples</p></body></html>", "Apples"),
        ("<html><body><p>Äpfel</p></body></html>".encode("utf-16"), "Äpfel"),
        (b'{"kind": "Cox"}', "- kind: Cox"),
        (b"From: a@example.org\nSubject: Apples\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\nripe", "ripe"),
        (b"Apples are ripe.", "Apples are ripe."),
        ("Apples are ripe.".encode("utf-16-le"), "Apples are ripe."),
    ],
)
def test_documents_of_unknown_type_are_known_by_their_bytes(content: bytes, expected: str):
    assert expected in parsed(content).text


@pytest.mark.parametrize("declared", ["text/plain", "text/html", "application/json", "image/png", SUFFIXES[".xlsx"]])
def test_a_wrong_type_does_not_hide_a_document(declared: str):
    assert parsed(papers.docx(papers.paragraph("Apples grow.")), declared).text == "Apples grow."


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00\x00", b"\x7fELF\x02\x01\x01\x00\x00", bytes(range(256))])
def test_bytes_of_no_known_kind_are_unsupported(content: bytes):
    assert code(content) == "unsupported"


def test_the_same_bytes_give_the_same_text():
    assert parsed(presentation()) == parsed(presentation())
