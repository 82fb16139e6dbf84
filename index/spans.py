"""Spans of OpenTelemetry, under the names of this platform; where nobody collects them they cost next to nothing.

What people ask, what documents say and keys never become attributes: a span tells which part took how long, on which release.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import time_ns

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Value = str | bool | int | float | tuple[str, ...]
HEADER = "traceparent"
_tracer = trace.get_tracer("groundwork")
_w3c = TraceContextTextMapPropagator()


@contextmanager
def span(
    name: str, *, parent: str | None = None, links: Iterable[str] = (), kind: SpanKind = SpanKind.INTERNAL, **attributes: Value
) -> Iterator[Span]:
    """A span around the block, within the current one or within that of the W3C `traceparent` of another process.

    `links` are the `traceparent`s of what led to it. Of an error only the name of its class is kept: its text may quote a user.
    """
    context = _w3c.extract({HEADER: parent}) if parent else None
    found = [Link(linked) for each in dict.fromkeys(links) if (linked := _context_of(each)).is_valid]
    named = {f"groundwork.{key}": value for key, value in attributes.items()}
    with _tracer.start_as_current_span(name, context, kind, named, found, record_exception=False, set_status_on_exception=False) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(Status(StatusCode.ERROR))
            raise


def past(seconds: Mapping[str, float]) -> None:
    """Spans of stages that have just ended one after the other, from how long each took."""
    if not trace.get_current_span().is_recording():
        return
    began = time_ns() - int(sum(seconds.values()) * 1e9)
    for name, took in seconds.items():
        ended = began + int(took * 1e9)
        _tracer.start_span(name, start_time=began).end(ended)
        began = ended


def note(**attributes: Value) -> None:
    """Adds to what the current span tells."""
    trace.get_current_span().set_attributes({f"groundwork.{key}": value for key, value in attributes.items()})


def traceparent() -> str | None:
    """The current span as another process is told of it; None outside of one."""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    return carrier.get(HEADER)


def trace_id() -> str | None:
    """The current trace, as lines of the log name it."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _context_of(parent: str) -> trace.SpanContext:
    return trace.get_current_span(_w3c.extract({HEADER: parent})).get_span_context()
