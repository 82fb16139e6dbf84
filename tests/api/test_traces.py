"""Spans as a collector gets them: OTLP over HTTP, from the API and the ingester."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from index import spans, telemetry
from index.settings import Settings

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ITS_TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.spans: list[Span] = []
        self.services: set[str] = set()


class Receiver(BaseHTTPRequestHandler):
    """Takes OTLP as protobuf."""

    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            raise AssertionError("not asked for")
        sent = ExportTraceServiceRequest.FromString(body)
        for resource in sent.resource_spans:
            self.server.services |= {value.value.string_value for value in resource.resource.attributes if value.key == "service.name"}
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


@pytest.mark.thorough
def test_a_request_and_the_batch_that_it_causes_are_one_story(collector, own):
    stop = telemetry.start("api", Settings())
    own.start_ingester()
    headers = {"traceparent": CALLER}
    own.call("PUT", "/v1/documents/a", {"text": "A secret: copper is in Falun."}, params={"wait": 20}, headers=headers)
    own.call("POST", "/v1/search", {"query": "secret copper"}, headers=headers)
    own.call("POST", "/v1/answers", {"question": "Where is the secret copper?"}, headers=headers)
    own.call("GET", "/v1/releases/98765", headers=headers)
    own.stop_ingester()
    stop()
    mine = {span.name: span for span in collector.spans if span.trace_id == ITS_TRACE}
    assert {"PUT /v1/documents/{doc_id}", "POST /v1/search", "POST /v1/answers", "embed", "search", "generate"} <= set(mine)
    requests = {span.span_id: span.name for span in collector.spans}
    assert requests[mine["generate"].parent_span_id] == "POST /v1/answers"
    batches = [span for span in collector.spans if span.name == "batch"]
    assert [link.trace_id for batch in batches for link in batch.links] == [ITS_TRACE]
    steps = {span.name for span in collector.spans if span.parent_span_id == batches[0].span_id}
    assert {"parse", "chunk", "embed", "publish", "release"} <= steps
    assert collector.services == {"groundwork-api"}
    assert "secret" not in " ".join(map(str, collector.spans))
    assert own.admin not in " ".join(map(str, collector.spans))


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_the_standard_variables_say_where_spans_go(monkeypatch, variables, where):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings().traces == where


def test_outside_of_a_span_there_is_nothing_to_hand_on():
    assert (spans.traceparent(), spans.trace_id()) == (None, None)
    assert trace.get_current_span().is_recording() is False
