"""The archives that office documents and e-books are: looked through before a library opens them.

Nothing is ever written to disk, so names that point outside the archive do no harm.
"""

import zipfile
import zlib
from io import BytesIO
from xml.parsers import expat

from index.errors import Rejected

MAX_MEMBERS = 20_000
MAX_INFLATED = 512 * 1024**2
MAX_XML_DEPTH = 500
_ENCRYPTED = 0x1
_CHUNK = 1024 * 1024
_XML = (".xml", ".rels", ".opf", ".ncx")


def opened(content: bytes, most: int = MAX_INFLATED) -> zipfile.ZipFile:
    """The archive, after every member was inflated once and counted: at most `most` bytes.

    Raises `Rejected` with corrupt, encrypted, too_large (by what it says and by what it is), unsafe (it declares XML entities)
    or too_deep.
    """
    try:
        archive = zipfile.ZipFile(BytesIO(content))
        members = archive.infolist()
        _check_declared(members, most)
        left = most
        for member in members:
            left = _inflate(archive, member, left)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Rejected("corrupt", f"the archive can't be read: {error}") from None
    return archive


def _check_declared(members: list[zipfile.ZipInfo], most: int) -> None:
    if len(members) > MAX_MEMBERS:
        raise Rejected("too_large", f"the archive has {len(members)} members; at most {MAX_MEMBERS} are taken")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise Rejected("encrypted", "the archive needs a password; send it without one")
    if sum(member.file_size for member in members) > most:
        raise Rejected("too_large", f"the archive holds more than {most} bytes")


def _inflate(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> int:
    """Reads a member to its end, and if it is XML, looks at it; gives how many bytes may still come."""
    parser = _watching_parser() if member.filename.lower().endswith(_XML) else None
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise Rejected("too_large", "the archive holds more bytes than are taken")
            if parser is not None:
                parser = _fed(parser, chunk)
    return left


def _fed(parser: expat.XMLParserType, chunk: bytes) -> expat.XMLParserType | None:
    """The parser after a chunk; None once the XML is broken: what can still be read of it is the library's business."""
    try:
        parser.Parse(chunk)
    except expat.ExpatError:
        return None
    return parser


def _watching_parser() -> expat.XMLParserType:
    parser = expat.ParserCreate()
    depth = 0

    def opens(_name: str, _attributes: list[str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_XML_DEPTH:
            raise Rejected("too_deep", f"the XML is nested more than {MAX_XML_DEPTH} elements deep")

    def closes(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def declares(*_entity: object) -> None:
        raise Rejected("unsafe", "the XML declares entities, which no document needs")

    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = opens, closes, declares
    return parser
