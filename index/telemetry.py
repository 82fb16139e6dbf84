"""Sends spans to a collector where the environment names one, in the standard variables of OpenTelemetry."""

from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Literal

from opentelemetry import trace

from index.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

Service = Literal["api", "ingester", "flows"]
# A collector that is gone must not hold up the end of a process.
LAST_SENT_WITHIN_S = 1.5


def start(service: Service, settings: Settings) -> Callable[[], None]:
    """Begins to send the spans of this process, if that is asked for; what is returned sends the last ones, within 1.5 seconds."""
    if not settings.traces:
        return _nothing
    # Not before they are needed: they take 100 ms to import.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    if isinstance(trace.get_tracer_provider(), TracerProvider):  # a second run in the same process
        return _nothing
    resource = Resource.create({"service.name": f"groundwork-{service}", "service.namespace": "groundwork"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_sender(settings))
    trace.set_tracer_provider(provider)

    def stop() -> None:
        last = Thread(target=provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(LAST_SENT_WITHIN_S)

    return stop


def _sender(settings: Settings) -> "SpanProcessor":
    """What the variables ask for; addresses, headers, time-outs and sampling are read by the library itself."""
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    if settings.traces == "console":
        return BatchSpanProcessor(ConsoleSpanExporter())
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return BatchSpanProcessor(OTLPSpanExporter())


def _nothing() -> None:
    """There is nothing to send."""
