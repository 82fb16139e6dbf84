"""E-books to Markdown: their pages in reading order."""

import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from index.errors import Rejected
from tasks.formats.archive import opened
from tasks.formats.decode import decode
from tasks.formats.markup import first_heading, html
from tasks.formats.parsed import Parsed

_CONTAINER = "META-INF/container.xml"


def read_epub(content: bytes, _charset: str | None) -> Parsed:
    """The text of each page in the spine; raises `Rejected` with corrupt, or what `opened` raises."""
    with opened(content) as archive:
        if "META-INF/encryption.xml" in archive.namelist() and "META-INF/rights.xml" in archive.namelist():
            raise Rejected("encrypted", "the e-book is protected by digital rights management")
        try:
            rootfile = next(_named(_tree(archive, _CONTAINER), "rootfile")).get("full-path", "")
            package = _tree(archive, rootfile)
            texts = [html(decode(archive.read(path))).text for path in _spine(package, rootfile, set(archive.namelist()))]
        except (KeyError, StopIteration, ET.ParseError) as error:
            raise Rejected("corrupt", f"the e-book does not say what is in it: {error}") from None
    text = "\n\n".join(filter(None, texts))
    title = next((node.text.strip() for node in _named(package, "title") if node.text), None)
    return Parsed(title or first_heading(text), text, "markdown")


def _spine(package: ET.Element, rootfile: str, names: set[str]) -> Iterator[str]:
    """The members that hold the pages, in reading order."""
    hrefs = {item.get("id"): item.get("href", "") for item in _named(package, "item")}
    for reference in _named(package, "itemref"):
        path = posixpath.normpath(posixpath.join(posixpath.dirname(rootfile), unquote(hrefs.get(reference.get("idref"), ""))))
        if path in names:
            yield path


def _tree(archive: zipfile.ZipFile, name: str) -> ET.Element:
    return ET.fromstring(archive.read(name))  # noqa: S314 - what declares entities was refused before


def _named(tree: ET.Element, name: str) -> Iterator[ET.Element]:
    return (node for node in tree.iter() if node.tag.rpartition("}")[2] == name)
