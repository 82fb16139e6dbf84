"""The OpenAPI document and its page."""

import re
from html.parser import HTMLParser

import pytest
import schemathesis


@pytest.fixture(scope="module")
def described(api):
    return api.get("/schema/openapi.json", key=None).json


class Links(HTMLParser):
    """What a page makes a browser load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_page_asks_nothing_of_other_hosts(api):
    page = api.get("/schema", key=None)
    assert page.status == 200
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", page.text.split("<body")[0]) == []
    assert Links(page.text).urls
    for url in Links(page.text).urls:
        assert url.startswith("/"), url
        assert not url.startswith("//")
        assert api.get(url, key=None).status == 200


def test_the_style_sheet_asks_nothing_of_other_hosts_either(api):
    css = next(url for url in Links(api.get("/schema", key=None).text).urls if url.endswith(".css"))
    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//", api.get(css, key=None).text) == []


@pytest.mark.parametrize("path", ["/schema/nothing", "/schema/openapi.yaml", "/schema/nothing/at/all"])
def test_a_page_that_is_not_there_is_a_problem_as_elsewhere(api, path):
    reply = api.get(path, key=None)
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
    assert reply.json["detail"] == f"nothing is at {path}; /schema lists what there is"


def test_the_document_is_valid_openapi(described):
    assert described["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(described).validate()


def test_each_operation_says_what_it_does(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            assert operation["tags"][0] in [tag["name"] for tag in described["tags"]]
            assert operation["operationId"].islower()
    ids = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_the_bodies_of_documents_are_described(described):
    put = described["paths"]["/v1/documents/{doc_id}"]["put"]["requestBody"]["content"]
    assert {"application/json", "text/plain", "text/markdown", "text/html"} <= set(put)
    assert set(described["paths"]["/v1/documents"]["post"]["requestBody"]["content"]) == {"application/x-ndjson", "multipart/form-data"}


def test_keys_are_described_as_bearer_tokens(described):
    assert described["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    assert described["security"] == [{"key": []}]


def test_the_examples_of_a_search_work_as_they_are_on_the_sample(api, described):
    """`page` stands for the sample here: it has the fields of its documents."""
    api.put("page", "Lance keeps versions of a table.", metadata={"kind": "package", "name": "lance", "version": "1.0"})
    examples = described["paths"]["/v1/search"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    taken = {name for example in examples.values() for name in example["value"]}
    assert taken >= {"filter", "neighbours", "one_per_document", "explain", "min_release"}
    for name, example in examples.items():
        reply = api.post("/v1/search", example["value"])
        assert reply.status == 200, (name, reply.text)


def test_what_a_search_takes_that_no_example_could_have_is_described(described):
    """A cursor is that of a page before, and a reranker is there where one is named."""
    fields = described["components"]["schemas"]["SearchRequest"]["properties"]
    assert "`next` of the page before" in fields["cursor"]["description"]
    assert "reranker" in fields["rerank"]["description"]


def test_each_refusal_is_described_as_it_is(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            refusals = {status: reply for status, reply in operation["responses"].items() if status >= "400"}
            assert {"400", "500", "504"} <= set(refusals), (method, path)
            assert {"414", "431", "503"} <= set(refusals), (method, path)
            assert ("429" in refusals) == (not path.startswith(("/health", "/metrics"))), (method, path)
            for status, reply in refusals.items():
                own_words = (path, status) == ("/health", "503")
                assert list(reply["content"]) == ["application/json" if own_words else "application/problem+json"], (method, path, status)
            assert ("401" in refusals) == (not path.startswith("/health")), (method, path)


@pytest.mark.parametrize(
    ("method", "path", "status", "body", "key"),
    [
        ("post", "/v1/search", 400, {"query": " "}, "reader"),
        ("post", "/v1/search", 401, {"query": "copper"}, None),
        ("post", "/v1/rollback", 403, {}, "reader"),
        ("post", "/v1/rollback", 404, {"to": 999}, "admin"),
        ("get", "/v1/releases/{number}", 404, None, "reader"),
        ("post", "/v1/chat/completions", 400, {"model": "groundwork", "messages": []}, "reader"),
        ("get", "/v1/models/{identifier}", 404, None, "reader"),
    ],
)
def test_a_refusal_is_what_the_document_says(api, described, method, path, status, body, key):
    reply = api.call(method.upper(), path.replace("{number}", "999999").replace("{identifier}", "none"), body, key=key and api.key(key))
    assert reply.status == status
    said = described["paths"][path][method]["responses"][str(status)]["content"][reply.headers["content-type"]]
    schema = described["components"]["schemas"][said["schema"]["$ref"].rsplit("/", 1)[1]]
    assert set(schema["required"]) <= set(reply.json) <= set(schema["properties"])
    assert set(next(iter(said["examples"].values()))["value"]) == set(reply.json)


def replies_of(described, method, path):
    """What the document says of each status of a route: the schema, by media type."""
    said = described["paths"][path][method]["responses"]
    return {int(status): {kind: content["schema"] for kind, content in reply.get("content", {}).items()} for status, reply in said.items()}


def fields_of(described, schema):
    found = described["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return set(found.get("required", ())), set(found["properties"])


@pytest.mark.parametrize(
    ("method", "path", "ask", "body", "status"),
    [
        ("put", "/v1/documents/{doc_id}", "", {"text": "Told at once."}, 202),
        ("put", "/v1/documents/{doc_id}", "?wait=30", {"text": "Told when it is there."}, 200),
        ("delete", "/v1/documents/{doc_id}", "", None, 202),
        ("delete", "/v1/documents/{doc_id}", "?wait=30", None, 200),
        ("post", "/v1/rebuilds", "", {"dry_run": True, "dimensions": 32}, 200),
        ("get", "/health/live", "", None, 200),
        ("get", "/health/ready", "", None, 200),
        ("get", "/health", "", None, 200),
        ("get", "/metrics", "", None, 200),
        ("post", "/v1/feedback", "", {"answer_id": "ANSWER", "useful": True}, 201),
    ],
)
def test_a_reply_has_a_status_that_the_document_has_and_its_fields(api, described, method, path, ask, body, status):
    if method == "delete":
        api.put("told", "It goes again.")
    if body and "answer_id" in body:
        body = body | {"answer_id": api.post("/v1/answers", {"question": "Where is the mine?"}).json["id"]}
    reply = api.call(method.upper(), path.replace("{doc_id}", "told") + ask, body)
    assert reply.status == status
    kinds = replies_of(described, method, path)[status]
    schema = kinds[reply.headers["content-type"].removesuffix("; charset=utf-8")]
    if "$ref" in schema:
        required, known = fields_of(described, schema)
        assert required <= set(reply.json) <= known


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_a_part_that_is_down_is_told_as_the_document_says(own, described, path):
    reply = own.get(path, key=None)
    assert reply.status == 503
    required, known = fields_of(described, replies_of(described, "get", path)[503][reply.headers["content-type"]])
    assert required <= set(reply.json) <= known


def test_a_rebuild_is_begun_or_planned_and_each_has_its_status(described):
    said = replies_of(described, "post", "/v1/rebuilds")
    assert fields_of(described, said[200]["application/json"])[1] >= {"chunks", "seconds", "disk_bytes"}
    assert fields_of(described, said[202]["application/json"])[1] >= {"id", "state"}


@pytest.mark.parametrize("path", ["/v1/answers", "/v1/chat/completions"])
def test_answers_are_described_whole_and_as_a_stream(described, path):
    assert set(replies_of(described, "post", path)[200]) == {"application/json", "text/event-stream"}


def test_what_has_other_forms_than_json_is_described_in_each(described):
    assert set(replies_of(described, "get", "/v1/pictures/{name}")[200]) == {"image/svg+xml", "image/png", "application/json"}
    assert set(replies_of(described, "get", "/v1/golden/{name}")[200]) == {"application/json", "application/x-ndjson"}


def test_a_release_that_was_reclaimed_can_be_asked_for_and_refused(described):
    assert 409 in replies_of(described, "get", "/v1/golden/{name}/check")
