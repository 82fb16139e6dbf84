"""Parsing: bytes in many encodings to text, and a clear reason for what is not text."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from index.documents import Draft
from index.errors import Rejected
from tasks.parse import MAX_BYTES, SUFFIXES, Parsed, media_type, parse


def parsed(content: bytes | str, kind: str = "text/plain", title: str | None = None) -> Parsed:
    return parse(Draft("a", media_type=kind, content=content if isinstance(content, bytes) else content.encode(), title=title))


def rejection(content: bytes, kind: str = "text/plain") -> Rejected:
    with pytest.raises(Rejected) as caught:
        parsed(content, kind)
    return caught.value


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("Zoë's café".encode(), "text/plain"),
        ("Zoë's café".encode("utf-8-sig"), "text/plain"),
        ("Zoë's café".encode("latin-1"), "text/plain; charset=iso-8859-1"),
        ("Zoë's café".encode("utf-16"), "text/plain; charset=utf-16"),
        ("Zoë's café".encode("utf-16-le"), 'text/plain; charset="UTF-16LE"'),
        ("Zoë's café".encode("utf-8-sig"), "text/plain; charset=utf-8"),
        ("Zoë's café".encode(), "text/plain; charset=no-such-charset"),
    ],
)
def test_text_is_decoded_as_declared_or_as_utf8(content: bytes, kind: str):
    assert parsed(content, kind).text == "Zoë's café"


def test_an_undeclared_encoding_is_guessed():
    text = "Die Straße führt über die Brücke, größer als die Häuser. " * 5
    assert parsed(text.encode("cp1252")).text == text


def test_a_wrong_declaration_is_no_reason_to_give_up():
    text = "Der Kuchen schmeckt süß und köstlich, die Äpfel sind früh reif. " * 5
    assert parsed(text.encode("cp1252"), "text/plain; charset=utf-8").text == text


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\n"])
def test_line_ends_become_those_of_unix(line_end: str):
    assert parsed(f"one{line_end}two{line_end}").text == "one\ntwo\n"


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"", "text/plain", "empty"),
        (b" \n\t ", "text/markdown", "empty"),
        (b"\xef\xbb\xbf", "text/plain", "empty"),
        (b"<html><head><title>T</title></head><body><script>x()</script></body></html>", "text/html", "empty"),
        (b"\x89PNG\x00\x00\x01", "text/plain", "corrupt"),
        (b"text with a \x00 in it", "text/html", "corrupt"),
        (b"+2AA-", "text/plain; charset=utf-7", "corrupt"),
        (b"no PDF", "application/pdf", "corrupt"),
        (b"%PDF-1.7", "application/pdf", "corrupt"),
        (b"x", "image/png", "unsupported"),
        (b"x" * (MAX_BYTES + 1), "text/plain", "too_large"),
    ],
)
def test_what_is_no_text_is_rejected_with_a_stable_reason(content: bytes, kind: str, code: str):
    assert rejection(content, kind).code == code


def test_a_rejection_says_what_to_do():
    assert "send one of csv, doc, docx, eml" in rejection(b"x", "image/png").detail
    assert str(rejection(b"")) == "empty: the document holds no text"


def test_other_text_types_are_taken_as_plain_text():
    assert parsed("a = b\n", "text/x-python") == Parsed(None, "a = b\n", "text")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("text/html", ("text/html", None)),
        ("Text/HTML; Charset=UTF-8", ("text/html", "utf-8")),
        ('text/plain; format=flowed; charset="latin-1"', ("text/plain", "latin-1")),
        ("", ("text/plain", None)),
        ("nonsense", ("text/plain", None)),
    ],
)
def test_a_content_type_is_read_with_its_charset(header: str, expected: tuple[str, str | None]):
    assert media_type(header) == expected


def test_markdown_is_kept_as_it_is_and_named_by_its_first_heading():
    text = "intro\n\n# The *orchard*\n\n## Trees\n"
    assert parsed(text, "text/markdown") == Parsed("The orchard", text, "markdown")
    assert parsed("no heading", "text/markdown").title is None
    assert parsed("```\n# code\n```\n", "text/x-markdown").title is None


def test_a_given_title_wins():
    assert parsed("# Heading", "text/markdown", title="Given").title == "Given"
    assert parsed("<title>Page</title>text", "text/html", title="Given").title == "Given"


PAGE = """<!DOCTYPE html><html><head><title>The
 orchard</title><style>p {color: red}</style></head>
<body><nav>Home</nav><h1>Apples</h1><p>They <b>grow</b> on <a href="/trees">trees</a>.</p>
<script>var hidden = "never shown";</script><noscript>enable it</noscript><style>.x{}</style>
<table><tr><th>kind</th><th>month</th></tr><tr><td>Cox</td><td>October</td></tr></table>
<ul><li>sweet</li><li>sour</li></ul><pre>code  here</pre></body></html>"""


def test_a_page_becomes_markdown_with_its_title():
    page = parsed(PAGE, "text/html")
    assert (page.title, page.form) == ("The orchard", "markdown")
    assert "# Apples" in page.text
    assert "They **grow** on [trees](/trees)." in page.text
    assert "sweet" in page.text


def test_scripts_and_styles_are_dropped():
    text = parsed(PAGE, "text/html").text
    assert not [word for word in ("hidden", "never shown", "enable it", "color", ".x", "The\n orchard") if word in text]


def test_a_table_stays_a_table():
    text = parsed(PAGE, "text/html").text
    assert "| kind | month |" in text
    assert "| Cox | October |" in text


def test_a_page_without_title_is_named_by_its_first_heading():
    assert parsed("<body><h2>Pears</h2><p>text", "text/html").title == "Pears"
    assert parsed("<p>text", "text/html").title is None


def test_broken_html_is_read_as_far_as_it_goes():
    assert parsed("<p>one<div>two</p><b>three", "text/html").text.split() == ["one", "two", "**three**"]


def test_xhtml_with_its_declaration_is_read():
    page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>text</p></body></html>'
    assert parsed(page, "application/xhtml+xml").text.endswith("text")


def test_a_page_that_is_only_an_address_is_text():
    assert parsed("http://example.org/page", "text/html").text == "http://example.org/page"


def test_nesting_of_real_pages_is_read():
    assert parsed("<div>" * 80 + "<p>deep text" + "</div>" * 80, "text/html").text == "deep text"


@pytest.mark.parametrize("tag", ["div", "b", "blockquote", "ul><li"])
def test_absurd_nesting_is_rejected(tag: str):
    assert rejection(f"<{tag}>".encode() * 3_000 + b"text", "text/html").code == "too_deep"


@pytest.mark.parametrize("broken", ["<![if !IE]>", "<!DOCTYPE [<!x", "<?", "<!--", "<", "&#x110000;a", "&#xd800;a", "</", "<!x["])
def test_broken_declarations_cost_no_text(broken: str):
    assert parsed("text " + broken, "text/html").text.startswith("text")


def test_a_declaration_that_can_not_be_read_is_rejected():
    assert rejection(b"text <![bad]>", "text/html").code == "corrupt"


def test_feeds_and_single_words_are_read_without_a_warning():
    assert parsed("<?xml version='1.0'?><rss>news</rss>", "text/html").text == "news"
    assert parsed("page.html", "text/html").text == "page.html"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, мир. Это простой текст.", "koi8_r"),
        ("Привет, мир. Это простой текст.", "cp1251"),
        ("これは日本語のテキストです。", "cp932"),
        ("这是一个测试文件，里面有文字。", "gb18030"),
        ("안녕하세요 세계 여러분", "euc_kr"),
        ("Καλημέρα κόσμε, αυτό είναι ένα κείμενο", "cp1253"),
        ("Zoë's café", "utf-16"),
        ("Zoë's café", "utf-16-le"),
        ("Zoë's café", "utf-16-be"),
        ("Zoë's café", "utf-32"),
    ],
)
def test_undeclared_encodings_are_known_by_their_marks_or_their_looks(text: str, encoding: str):
    assert parsed(text.encode(encoding)).text == text


def test_a_page_is_read_in_the_charset_it_names_itself():
    page = '<html><head><meta charset="iso-8859-2"></head><body>Zażółć gęślą jaźń</body></html>'
    assert parsed(page.encode("iso-8859-2"), "text/html").text == "Zażółć gęślą jaźń"


CHARSETS = ["utf-8", "utf-16", "utf-32", "utf-7", "idna", "punycode", "rot13", "hex", "undefined", "mbcs", "\x00", "é"]
KINDS = st.one_of(
    st.sampled_from(["text/plain", "text/markdown", "text/html", "application/xhtml+xml", "text/csv", "image/png", ""]),
    st.sampled_from([*SUFFIXES.values(), "application/octet-stream"]),
    st.builds("{}; charset={}".format, st.sampled_from(["text/plain", "text/html", "text/markdown"]), st.sampled_from(CHARSETS)),
    st.text(max_size=20),
)
TAGS = ["<table>", "<tr>", "<td colspan=x>", "<ol start='?'>", "<li>", "</p>", "<pre>", "<a href>", "text", "<img>", "<![x]>"]
CONTENT = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text("<>/!?[]-&;#x0pbdivtablercu li=\"'\n", max_size=120).map(str.encode),
    st.lists(st.sampled_from(TAGS)).map(lambda tags: "".join(tags).encode()),
)


@given(content=CONTENT, kind=KINDS)
@example(b"\\ud800", "text/plain; charset=unicode_escape")
@example(b"x", "text/plain; charset=undefined")
@example(b"x", "text/plain; charset=\x00")
@example(b"<ol start='99999999999999999999999'><li>x", "text/html")
@example(b"<td colspan='99999999999999999999'>x</td>", "text/html")
@settings(max_examples=250, deadline=None)
@pytest.mark.thorough
def test_any_bytes_of_any_type_parse_or_are_rejected(content: bytes, kind: str):
    try:
        result = parsed(content, kind)
    except Rejected:
        return
    assert result.text.strip()
    assert "\x00" not in result.text
    (result.text + (result.title or "")).encode()
