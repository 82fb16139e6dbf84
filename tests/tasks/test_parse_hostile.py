"""Hostile documents: each ends as text or with a reason, within its limits."""

import time
import zipfile
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import pytest

from index.documents import Draft
from index.errors import Rejected
from tasks.formats import archive, kinds
from tasks.parse import Limits, Parsed, parse
from tasks.parsers import Parsers
from tests.tasks import papers

LAUGHS = '<!DOCTYPE w [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
OUTSIDE = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
NESTED_MAIL = b"Subject: a\nContent-Type: message/rfc822\n\n"


def outcome(content: bytes, kind: str = "application/octet-stream", limits: Limits | None = None) -> str:
    """The reason code, or the text."""
    try:
        return parse(Draft("a", media_type=kind, content=content), limits or Limits()).text
    except Rejected as rejection:
        return rejection.code


def compound(*streams: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"".join(name.encode("utf-16-le") + b"\0\0" for name in streams)


def locked(content: bytes) -> bytes:
    """The archive with all its members marked as encrypted."""
    content = content.replace(b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00\x01\x00")
    return content.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (papers.docx("&i;", LAUGHS + "]>"), "unsafe"),
        (papers.docx(papers.paragraph("&x;"), OUTSIDE), "unsafe"),
        (papers.docx("<w:p>" * 600), "too_deep"),
        (papers.docx("")[:200], "corrupt"),
        (locked(papers.docx(papers.paragraph("text"))), "encrypted"),
        (papers.docx(""), "empty"),
        (papers.archive({"inner.zip": papers.archive({"a.txt": "text"})}), "unsupported"),
        (compound("EncryptionInfo", "EncryptedPackage"), "encrypted"),
        (compound("WordDocument"), "corrupt"),
        (compound("Thumbs"), "unsupported"),
        (papers.epub([]), "empty"),
        (papers.archive({"mimetype": "application/epub+zip"}), "corrupt"),
    ],
)
def test_an_archive_ends_with_its_reason(content: bytes, expected: str):
    assert outcome(content) == expected


def test_an_archive_is_measured_by_what_it_says_and_by_what_it_is():
    honest = papers.docx(papers.paragraph("text"), more={"word/media.bin": bytes(8 * 1024**2)})
    with pytest.raises(Rejected, match="too_large"):
        archive.opened(honest, most=4 * 1024**2)
    # The library stops reading where a member should end, and finds that it does not.
    with pytest.raises(Rejected, match="corrupt"):
        archive.opened(papers.deflated_zeros(8), most=4 * 1024**2)


@pytest.mark.thorough
def test_an_archive_of_very_many_members_is_refused():
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for number in range(archive.MAX_MEMBERS + 1):
            made.writestr(f"word/{number}", b"")
    assert outcome(out.getvalue()) == "too_large"


def test_names_that_leave_the_archive_write_nothing(tmp_path: Path):
    content = papers.docx(papers.paragraph("text"), more={f"../../../..{tmp_path}/evil": b"x", f"{tmp_path}/evil": b"x"})
    assert outcome(content) == "text"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b"[" * 100_000, kinds.JSON, "too_deep"),
        (b"[" * 500 + b"]" * 500, kinds.JSON, "too_deep"),
        (b'{"a":' * 100_000, kinds.JSON, "too_deep"),
        (b'{"a": }', kinds.JSON, "corrupt"),
        (b"<div>" * 50_000, kinds.HTML, "too_deep"),
        (rb"{\rtf1 " + b"{" * 100_000, kinds.RTF, "too_deep"),
        (b'a,"b\n' * 100_000, kinds.CSV, "| a | b"),
        (NESTED_MAIL * 50 + b"Subject: b\n\ntext", kinds.MAIL, "too_deep"),
        (NESTED_MAIL * 5_000 + b"Subject: b\n\ntext", kinds.MAIL, "too_deep"),
        (b"no header at all", kinds.MAIL, "corrupt"),
        (papers.pdf([papers.drawn((50, 700, 12, "Apples"))], kids="2 0 R"), kinds.PDF, "corrupt"),
        (papers.pdf([papers.drawn((50, 700, 12, "Apples"))], kids="5 0 R 2 0 R 5 0 R"), kinds.PDF, "Apples"),
        (papers.pdf([""] * 3)[:300], kinds.PDF, "corrupt"),
    ],
)
@pytest.mark.thorough
def test_nesting_and_loops_end_with_text_or_their_reason(content: bytes, kind: str, expected: str):
    began = time.perf_counter()
    found = outcome(content, kind)
    assert found.startswith(expected) or found in ("empty", expected)
    assert time.perf_counter() - began < 5


def test_a_number_of_a_million_digits_stays_text():
    assert outcome(b'{"n": ' + b"9" * 1_000_000 + b"}", kinds.JSON) == "- n: " + "9" * 1_000_000


def test_a_huge_cell_is_within_the_limit_of_text_or_too_large():
    assert outcome(b'a\n"' + b"x" * 3_000_000 + b'"', kinds.CSV, Limits(characters_out=2_000_000)) == "too_large"
    assert outcome(b'a\n"' + b"x" * 100 * 1024**2 + b'"', kinds.CSV) == "too_large"


def test_a_wide_header_over_short_rows_is_not_blown_up():
    assert len(outcome(b"," * 100_000 + b"\n" + b"1\n" * 100_000, kinds.CSV)) < 5_000_000


@pytest.mark.parametrize("charset", ["no-such-charset", "utf-16", "idna", "unicode_escape", "zlib"])
def test_an_e_mail_with_a_malformed_charset_is_read(charset: str):
    message = f"Subject: =?{charset}?B?//8=?=\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n\nYXBwbGVz\n"
    assert "Subject" not in outcome(message.encode(), kinds.MAIL)


def test_an_attachment_can_not_bring_a_page_that_is_nested_too_deeply():
    message = EmailMessage()
    message["Subject"] = "a"
    message.add_attachment("<b>" * 2_000, subtype="html", filename="a.html")
    assert outcome(message.as_bytes(), kinds.MAIL) == "too_deep"


def test_whitespace_and_comments_do_not_stall_the_look_at_the_first_bytes():
    began = time.perf_counter()
    outcome(b" " * 60_000 + b"x")
    outcome(b"<!--a-->" * 8_000 + b"x")
    assert time.perf_counter() - began < 2


@pytest.mark.thorough
def test_a_bomb_in_memory_costs_only_its_document():
    rows = b"<tr>" + b"<td>x</td>" * 500 + b"</tr>"
    bomb = Draft("bomb", media_type=kinds.HTML, content=b"<table>" + rows * 2_000 + b"</table>")
    good = Draft("good", media_type=kinds.HTML, content=b"<p>Apples")
    with Parsers(Limits(seconds=20, memory_bytes=128 * 1024**2), processes=2) as parsers:
        found = parsers.parse_all([bomb, good])
    assert isinstance(found["bomb"], Rejected)
    assert found["bomb"].code == "out_of_memory"
    assert isinstance(found["good"], Parsed)
