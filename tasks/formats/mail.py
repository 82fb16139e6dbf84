"""E-mail to Markdown: who wrote what to whom, the body, attached text; other attachments by name."""

import email
import email.policy
from collections.abc import Iterator
from email.message import MIMEPart

from index.errors import Rejected
from tasks.formats.decode import decode
from tasks.formats.kinds import CSV, HTML, MAIL, TEXT
from tasks.formats.markup import html, tidy
from tasks.formats.parsed import Parsed
from tasks.formats.records import read_csv

MAX_DEPTH = 10
_SHOWN = ("From", "To", "Cc", "Date")


def read_mail(content: bytes, _charset: str | None) -> Parsed:
    """A message; raises `Rejected` with too_deep, or corrupt for what has no header."""
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        if not message.keys():
            raise Rejected("corrupt", "the e-mail has no header")
        lines = list(_message(message, 0))
    except RecursionError:
        raise Rejected("too_deep", "the e-mail is nested too deeply") from None
    return Parsed(_header(message, "Subject"), tidy("\n\n".join(lines)), "markdown")


def _message(message: "MIMEPart[str, str]", depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise Rejected("too_deep", f"more than {MAX_DEPTH} e-mails within each other")
    subject = _header(message, "Subject")
    if subject:
        yield f"{'#' * min(6, depth + 1)} {subject}"
    yield "  \n".join(f"{name}: {value}" for name in _SHOWN if (value := _header(message, name)))
    body = message.get_body(("plain", "html"))
    if body is not None:
        yield _text(body)
    for part in message.walk() if body is None else message.iter_attachments():
        if not part.is_multipart() or part.get_content_type() == MAIL:
            yield from _attachment(part, depth)


def _attachment(part: "MIMEPart[str, str]", depth: int) -> Iterator[str]:
    name = " ".join((part.get_filename() or "").split())
    if part.get_content_type() == MAIL:
        for inner in part.iter_parts():
            yield from _message(inner, depth + 1)
    elif part.get_content_maintype() == "text":
        yield f"{'#' * min(6, depth + 2)} {name or 'Attachment'}"
        yield _text(part)
    elif name:
        yield f"Attachment: {name} ({part.get_content_type()})"


def _text(part: "MIMEPart[str, str]") -> str:
    """The text of a part, whatever it says its charset is."""
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    kind, charset = part.get_content_type(), part.get_content_charset()
    if kind == HTML:
        return html(decode(content, charset)).text
    return read_csv(content, charset).text if kind == CSV else decode(content, charset) if kind.startswith(TEXT[:5]) else ""


def _header(message: "MIMEPart[str, str]", name: str) -> str | None:
    try:
        value = message[name]
    except (ValueError, IndexError, AttributeError):  # the library parses headers when asked, and stumbles over some
        return None
    return " ".join(str(value).split()).encode("utf-8", "replace").decode() or None if value else None
