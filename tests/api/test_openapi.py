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


def test_each_thing_that_a_search_takes_has_an_example_that_the_api_takes(api, described):
    examples = described["paths"]["/v1/search"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    taken = {name for example in examples.values() for name in example["value"]}
    assert taken >= {"filter", "cursor", "neighbours", "one_per_document", "rerank", "explain", "min_release"}
    for name in ("plain", "one_hit_per_document_with_neighbours", "read_your_writes", "explained"):
        assert api.post("/v1/search", examples[name]["value"]).status == 200


def test_each_refusal_is_described_as_it_is(described):
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            refusals = {status: reply for status, reply in operation["responses"].items() if status >= "400"}
            assert {"400", "500", "504"} <= set(refusals), (method, path)
            assert ("429" in refusals) == (not path.startswith(("/health", "/metrics"))), (method, path)
            for status, reply in refusals.items():
                assert list(reply["content"]) == ["application/problem+json"], (method, path, status)
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
