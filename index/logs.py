"""How lines of the log look: text for people or JSON for machines, with the request and the trace that they belong to."""

import logging
import time
from contextvars import ContextVar
from typing import Literal

from index import spans
from index.repeats import Counting

Format = Literal["text", "json"]
TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
# So many document ids are named by one line, however many a batch has.
MOST_IDS = 20
# Of the request that is being answered; threads that work for it have it too.
request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
# They tell of each call, in sentences that quote what was asked.
CHATTY = ("httpx", "httpx2", "mcp", "openai")


def set_up(form: Format) -> None:
    """The log of this process goes to its standard error, as text or as a JSON object a line; trouble that repeats is counted."""
    handler = Counting()
    handler.addFilter(_belonging)
    handler.setFormatter(_json() if form == "json" else _Text(TEXT))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def named(doc_ids: list[str]) -> list[str]:
    """The ids that a line tells: the first ones, without a character that could end the line or steer a terminal."""
    return [doc_id if doc_id.isprintable() else ascii(doc_id)[1:-1] for doc_id in doc_ids[:MOST_IDS]]


class _Text(logging.Formatter):
    """One line a message, whatever is quoted in it, with the request at its end where there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that the library calls
        """The line without its traceback."""
        line = super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")
        told = getattr(record, "request_id", None)
        return f"{line} [{told}]" if told else line


def _belonging(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id") and (told := request_id.get()):
        record.request_id = told
    if trace := spans.trace_id():
        record.trace_id = trace
    return True


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    form = JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        datefmt="%Y-%m-%dT%H:%M:%SZ",
    )
    form.converter = time.gmtime
    return form
