"""What is told of each request: its id, its line in the log, its count."""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from index import logs
from tests.api.running import document


@pytest.fixture
def lines(api, caplog):
    """The lines of the access log."""
    caplog.set_level(logging.INFO, logger="groundwork.access")
    return lambda: [record for record in caplog.records if record.name == "groundwork.access"]


def test_the_id_that_a_caller_gives_comes_back_and_is_in_problems(api):
    found = api.call("POST", "/v1/search", {"query": "copper"}, headers={"X-Request-Id": "order-66.a_B"})
    refused = api.call("GET", "/v1/nothing", headers={"X-Request-Id": "order-67"})
    assert found.headers["x-request-id"] == "order-66.a_B"
    assert (refused.headers["x-request-id"], refused.json["request_id"]) == ("order-67", "order-67")


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\tb", 'quote"', "\xe9", "<script>"])
def test_an_id_that_could_do_harm_is_replaced(api, given):
    told = api.call("GET", "/health/live", headers={"X-Request-Id": given.encode("latin-1")}).headers["x-request-id"]
    assert len(told) == 32
    assert told.isalnum()


def test_a_request_is_a_line_with_its_route_and_nothing_that_people_write(api, lines):
    api.call("GET", document("a secret name"), params={"secret": "in the query"}, headers={"X-Request-Id": "one"})
    api.until(lambda: len(lines()) == 1)
    [line] = lines()
    assert (line.method, line.route, line.status) == ("GET", "/v1/documents/{doc_id}", 404)
    assert "secret" not in line.getMessage()


def test_probes_that_are_well_and_scrapes_write_no_line(api, lines):
    for path in ("/health/live", "/metrics"):
        api.get(path)
    api.get("/v1/keys")
    api.until(lambda: bool(lines()))
    assert [line.route for line in lines()] == ["/v1/keys"]


def test_refusals_are_counted_by_route_status_and_kind(api):
    api.get("/v1/releases/98765")
    api.get("/v1/releases/98765", key=None)
    api.get("/no such route")
    text = api.get("/metrics").text
    assert 'groundwork_errors_total{kind="NotFound",route="/v1/releases/{number}",status="404"}' in text
    assert 'groundwork_errors_total{kind="NotAuthorizedException",route="/v1/releases/{number}",status="401"}' in text
    assert 'groundwork_errors_total{kind="NotFoundException",route="none",status="404"}' in text
    assert "no such" not in text


def record(message: str, *values: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("groundwork.api", logging.INFO, "file", 1, message, values, None)
    vars(made).update(extra)
    return made


@contextmanager
def logging_as(form: logs.Format) -> Iterator[logging.Logger]:
    """The log as a process has it; that of the tests is put back."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.set_up(form)
        yield root
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers, root.level = before, level


def written(form: logs.Format, line: logging.LogRecord, capsys: pytest.CaptureFixture[str]) -> str:
    """What a process with such a log writes."""
    with logging_as(form) as root:
        root.handle(line)
    return capsys.readouterr().err


def test_a_line_for_machines_is_json_with_the_request_and_what_it_is_about(capsys):
    token = logs.request_id.set("one")
    try:
        line = json.loads(written("json", record("release %d", 7, release=7, doc_ids=["a"]), capsys))
    finally:
        logs.request_id.reset(token)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "groundwork.api",
        "message": "release 7",
        "release": 7,
        "doc_ids": ["a"],
        "request_id": "one",
    }


def test_a_line_for_people_ends_with_the_request_and_can_not_be_forged(capsys):
    token = logs.request_id.set("one")
    try:
        text = written("text", record("no document %s", "a\n2026-01-01 INFO all is well"), capsys)
    finally:
        logs.request_id.reset(token)
    assert text.endswith("INFO groundwork.api no document a\\n2026-01-01 INFO all is well [one]\n")
    assert text.count("\n") == 1


def test_names_of_documents_can_not_steer_a_terminal_and_are_few():
    assert logs.named(["mine/Åre", "a\u2028b", "\u202egnp"]) == ["mine/Åre", "a\\u2028b", "\\u202egnp"]
    assert len(logs.named(["a"] * 1000)) == 20


@pytest.mark.thorough
def test_searches_that_all_fail_are_told_whole_once_and_counted_in_the_log_and_in_the_metrics(own, capsys):
    own.start_ingester().put("mine", "The great copper mine is in Falun.")
    own.stop_ingester()
    capsys.readouterr()
    with logging_as("text"):
        shutil.rmtree(own.store.folder)
        replies = [own.post("/v1/search", {"query": f"copper {number}"}).status for number in range(20)]
    lines = [line for line in capsys.readouterr().err.splitlines() if "groundwork.access" not in line and "httpx" not in line]
    assert set(replies) == {503}
    assert len([line for line in lines if line.startswith("Traceback")]) < 5, lines
    assert len(lines) < 400
    assert [line for line in lines if "POST /v1/search failed" in line and "times more in" in line], lines
    told = own.get("/metrics").text.splitlines()
    counted = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in told if not line.startswith("#")}
    failed = [name for name in counted if name.startswith("groundwork_errors_total") and 'route="/v1/search",status="503"' in name]
    assert sum(counted[name] for name in failed) >= 20
    assert counted['groundwork_metrics_unreadable{part="index"}'] == 1
