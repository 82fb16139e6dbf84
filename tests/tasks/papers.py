"""Documents of many formats, made here so that one can see what is in them."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"


def archive(members: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive with the members in this order."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return out.getvalue()


def docx(body: str, head: str = "", more: Mapping[str, bytes] | None = None) -> bytes:
    """A Word document with this inside its body; `head` comes before the root element, `more` are members besides."""
    main = f'<?xml version="1.0"?>{head}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    part = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    members = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"><Default Extension="xml" ContentType="{part}"/></Types>',
        "_rels/.rels": relations("officeDocument", "word/document.xml"),
        "word/document.xml": main,
    }
    return archive({**members, **(more or {})})


def paragraph(text: str, style: str = "") -> str:
    """A paragraph of a Word document."""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'


def word_table(rows: Sequence[Sequence[str]]) -> str:
    """A table of a Word document."""
    return "<w:tbl>" + "".join(f"<w:tr>{''.join(f'<w:tc>{paragraph(cell)}</w:tc>' for cell in row)}</w:tr>" for row in rows) + "</w:tbl>"


def xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    """A workbook with one sheet called Fruit."""
    sheet, kind = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "application/vnd.openxmlformats-officedocument.spreadsheetml"
    lines = [
        [f'<c r="{chr(65 + x)}{y}" t="inlineStr"><is><t>{text}</t></is></c>' for x, text in enumerate(row)] for y, row in enumerate(rows, 1)
    ]
    cells = "".join(f'<row r="{y}">{"".join(line)}</row>' for y, line in enumerate(lines, 1))
    types = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    for part, name in (("workbook", "sheet.main"), ("worksheets/sheet1", "worksheet")):
        types += f'<Override PartName="/xl/{part}.xml" ContentType="{kind}.{name}+xml"/>'
    book = '<sheets><sheet name="Fruit" sheetId="1" r:id="s"/></sheets>'
    return archive(
        {
            "[Content_Types].xml": f'<Types xmlns="{TYPES}">{types}</Types>',
            "_rels/.rels": relations("officeDocument", "xl/workbook.xml"),
            "xl/workbook.xml": f'<workbook xmlns="{sheet}" xmlns:r="{OFFICE}">{book}</workbook>',
            "xl/_rels/workbook.xml.rels": relations("worksheet", "worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{sheet}"><sheetData>{cells}</sheetData></worksheet>',
        }
    )


def relations(kind: str, target: str) -> str:
    """The part of an archive that names another one, as `s`."""
    return f'<Relationships xmlns="{RELATIONS}"><Relationship Id="s" Type="{OFFICE}/{kind}" Target="{target}"/></Relationships>'


def odt(body: str) -> bytes:
    """An OpenDocument text with this inside it."""
    names = 'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    content = f"<office:body><office:text>{body}</office:text></office:body>"
    content = f"<office:document-content {names}>{content}</office:document-content>"
    return archive({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


def epub(pages: Sequence[str], title: str = "The orchard") -> bytes:
    """An e-book whose pages are read in the order given, and stand in the archive in the reverse order."""
    items = "".join(f'<item id="p{at}" href="text/p%20{at}.xhtml"/>' for at in range(len(pages)))
    spine = "".join(f'<itemref idref="p{at}"/>' for at in range(len(pages)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata><title xmlns="http://purl.org/dc/elements/1.1/">'
        f"{title}</title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    texts = {f"OEBPS/text/p {at}.xhtml": f"<html><body>{page}</body></html>" for at, page in reversed(list(enumerate(pages)))}
    return archive({"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/book.opf": package, **texts})


def pdf(pages: Sequence[str], kids: str | None = None) -> bytes:
    """A PDF whose pages are drawn by these operators, with the fonts F1 and, bold, F2. `kids` replaces the list of its pages."""
    first = 5
    numbers = [first + 2 * at for at in range(len(pages))]
    objects = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Count {len(pages)} /Kids [{kids or ' '.join(f'{number} 0 R' for number in numbers)}] >>",
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        4: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>",
    }
    for number, page in zip(numbers, pages, strict=True):
        resources = "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >>"
        objects[number] = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] {resources} /Contents {number + 1} 0 R >>"
        objects[number + 1] = f"<< /Length {len(page)} >>\nstream\n{page}\nendstream"
    out, places = b"%PDF-1.4\n", []
    for number in sorted(objects):
        places.append(len(out))
        out += f"{number} 0 obj\n{objects[number]}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(places) + 1} /Root 1 0 R >>\n"
    return out + f"{end}startxref\n{len(out)}\n%%EOF\n".encode()


def drawn(*lines: tuple[int, int, int, str], font: str = "F1") -> str:
    """Operators that draw texts: (left, height on the page, size, text)."""
    return "\n".join(f"BT /{font} {size} Tf {left} {height} Td ({text}) Tj ET" for left, height, size, text in lines)


def deflated_zeros(megabytes: int) -> bytes:
    """A ZIP archive whose only member, word/document.xml, inflates to this and says that it is 10 bytes."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(squeezed.compress(bytes(1024 * 1024)) for _ in range(megabytes)) + squeezed.flush()
    name = b"word/document.xml"
    sizes = len(data).to_bytes(4, "little") + (10).to_bytes(4, "little") + len(name).to_bytes(2, "little")
    local = b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(4) + bytes(4) + sizes + b"\0\0" + name + data
    central = b"PK\x01\x02\x14\0\x14\0\0\0\x08\0" + bytes(4) + bytes(4) + sizes + bytes(16) + name
    end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0" + len(central).to_bytes(4, "little") + len(local).to_bytes(4, "little") + b"\0\0"
    return local + central + end
