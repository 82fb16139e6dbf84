"""Each route asks for a key of its role, whatever is sent to it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.testing import TestClient

from api.access import ACCESS
from api.auth import operation_of

NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Route:
    """A request that changes nothing, and the status that it gets with the right key."""

    method: str
    template: str
    role: str
    status: int
    path: str
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


def route(method: str, template: str, role: str, status: int, path: str | None = None, body: Any = None) -> Route:
    return Route(method, template, role, status, path or template, body)


ROUTES = [
    route("PUT", "/v1/documents/{doc_id}", "writer", 400, "/v1/documents/a", {}),
    route("GET", "/v1/documents/{doc_id}", "reader", 404, "/v1/documents/unknown"),
    route("DELETE", "/v1/documents/{doc_id}", "writer", 404, "/v1/documents/unknown"),
    route("POST", "/v1/documents/{doc_id}", "writer", 404, "/v1/documents/unknown/replay"),
    route("GET", "/v1/documents", "reader", 200),
    route("POST", "/v1/documents", "writer", 400),
    route("POST", "/v1/quarantine/replay", "writer", 202, "/v1/quarantine/replay?reason=none"),
    route("POST", "/v1/search", "reader", 200, body={"query": "copper"}),
    route("POST", "/v1/answers", "reader", 200, body={"question": "Where is the great copper mine?"}),
    route("GET", "/v1/answers/{identifier}", "reader", 404, "/v1/answers/unknown"),
    route("POST", "/v1/answers/{identifier}/replay", "reader", 404, "/v1/answers/unknown/replay"),
    route("POST", "/v1/chat/completions", "reader", 404, body={"model": "unknown", "messages": []}),
    route("GET", "/v1/models", "reader", 200),
    route("GET", "/v1/models/{identifier}", "reader", 404, "/v1/models/unknown"),
    route("POST", "/v1/feedback", "reader", 404, body={"answer_id": "unknown", "useful": True}),
    route("GET", "/v1/feedback", "writer", 200),
    route("POST", "/v1/rebuilds", "admin", 400, body={"embedder": "lost"}),
    route("GET", "/v1/rebuilds", "reader", 200),
    route("GET", "/v1/rebuilds/{number}", "reader", 404, "/v1/rebuilds/99999"),
    route("DELETE", "/v1/rebuilds/{number}", "admin", 404, "/v1/rebuilds/99999"),
    route("GET", "/v1/audit", "admin", 200),
    route("GET", "/v1/releases", "reader", 200),
    route("GET", "/v1/releases/live", "reader", 200),
    route("GET", "/v1/releases/{number}", "reader", 404, "/v1/releases/99999"),
    route("GET", "/v1/releases/{number}/shadow", "reader", 404, "/v1/releases/99999/shadow"),
    route("POST", "/v1/releases/{number}/promote", "admin", 404, "/v1/releases/99999/promote", {"reason": "test"}),
    route("POST", "/v1/rollback", "admin", 404, body={"to": 99999}),
    route("POST", "/v1/resume", "admin", 400, body={"reason": 7}),
    route("POST", "/v1/evaluations", "writer", 404, body={"release": 99999}),
    route("GET", "/v1/evaluations", "reader", 200),
    route("GET", "/v1/evaluations/{identifier}", "reader", 503, f"/v1/evaluations/{NOBODY}"),
    route("GET", "/v1/golden", "reader", 200),
    route("GET", "/v1/golden/{name}", "reader", 404, "/v1/golden/unknown"),
    route("PUT", "/v1/golden/{name}", "writer", 400, "/v1/golden/unknown"),
    route("DELETE", "/v1/golden/{name}", "admin", 404, "/v1/golden/unknown"),
    route("GET", "/v1/golden/{name}/check", "reader", 404, "/v1/golden/unknown/check"),
    route("GET", "/v1/golden/{name}/proposals", "writer", 200, "/v1/golden/unknown/proposals"),
    route("POST", "/v1/golden/{name}/proposals", "writer", 400, "/v1/golden/unknown/proposals", {"limit": 0}),
    route("POST", "/v1/golden/{name}/proposals/{identifier}", "writer", 404, "/v1/golden/unknown/proposals/p", {"decision": "reject"}),
    route("GET", "/v1/drift", "reader", 200),
    route("GET", "/v1/pictures/{name}", "reader", 404, "/v1/pictures/unknown"),
    route("GET", "/v1/judge", "reader", 200),
    route("POST", "/v1/judge/exam", "admin", 409),
    route("POST", "/v1/plans", "writer", 400, body={}),
    route("GET", "/v1/freshness", "reader", 200),
    route("GET", "/v1/duplicates", "admin", 200),
    route("GET", "/v1/capacity", "reader", 200),
    route("POST", "/v1/keys", "admin", 400, body={"role": "boss"}),
    route("GET", "/v1/keys", "admin", 200),
    route("POST", "/v1/keys/{identifier}/rotate", "admin", 404, "/v1/keys/unknown/rotate"),
    route("DELETE", "/v1/keys/{identifier}", "admin", 404, "/v1/keys/unknown"),
]
OPEN = {("GET", "/health"), ("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/metrics")}
RANKS = ("reader", "writer", "admin")
REFUSED_KEYS = ("no", "wrong", "expired", "revoked", "rotated away")


@pytest.fixture(scope="module")
def keys(api):
    """A secret for each kind of caller."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    revoked, secret = api.keys.create("admin", "revoked")
    api.keys.revoke(revoked.id)
    rotated, before = api.keys.create("admin", "rotated")
    api.keys.rotate(rotated.id, timedelta(0))
    bad = {"no": None, "wrong": "gw_wrong", "expired": api.key("admin", expires_at=yesterday), "revoked": secret, "rotated away": before}
    everything = {"doc_id": {"gte": ""}}
    filtered = {f"filtered {role}": api.key(role, everything) for role in ("reader", "writer")}
    return bad | {role: api.key(role) for role in RANKS} | filtered


def operations_of(api):
    """The operation of each route, from the app's own table."""
    found = {}
    for each in api.app.routes:
        for handler in getattr(each, "route_handlers", ()):
            if getattr(handler, "include_in_schema", None) is not False and getattr(handler, "operation_id", None):
                path = re.sub(r"{(\w+):\w+}", r"{\1}", each.path)
                found |= {(method, path): handler.operation_id for method in handler.http_methods if method != "OPTIONS"}
    return found


@pytest.mark.parametrize("who", REFUSED_KEYS)
@pytest.mark.parametrize("asked", ROUTES, ids=str)
def test_without_a_valid_key_no_route_answers(api, keys, asked, who):
    reply = api.call(asked.method, asked.path, asked.body, keys[who])
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert ("missing" if who == "no" else "wrong, expired or revoked") in reply.detail


@pytest.mark.parametrize("role", RANKS)
@pytest.mark.parametrize("asked", ROUTES, ids=str)
def test_each_route_serves_its_role_and_those_above_and_tells_the_others_which_is_needed(api, keys, asked, role):
    reply = api.call(asked.method, asked.path, asked.body, keys[role])
    if RANKS.index(role) >= RANKS.index(asked.role):
        assert reply.status == asked.status, reply
    else:
        assert (reply.status, reply.json["title"]) == (403, "Forbidden")
        assert f"needs a key of the role {asked.role}; yours has the role {role}" in reply.detail


@pytest.mark.parametrize("role", ["reader", "writer"])
@pytest.mark.parametrize("asked", ROUTES, ids=str)
def test_each_route_does_for_a_key_with_a_filter_what_the_table_of_access_says(api, keys, asked, role):
    reply = api.call(asked.method, asked.path, asked.body, keys[f"filtered {role}"])
    decision = ACCESS[operations_of(api)[(asked.method, asked.template)]]
    if RANKS.index(role) < RANKS.index(asked.role):
        assert (reply.status, f"needs a key of the role {asked.role}" in reply.detail) == (403, True)
    elif decision == "whole":
        assert (reply.status, "your key reads only some" in reply.detail) == (403, True)
    else:
        assert reply.status == asked.status, reply


def test_each_route_has_a_decision_about_keys_with_a_filter(api):
    """A new route fails here until somebody has thought about it; until then keys with a filter are refused there."""
    handlers = [handler for each in api.app.routes for handler in getattr(each, "route_handlers", None) or [each.route_handler]]
    guarded = {operation_of(handler) for handler in handlers if handler.guards}
    assert guarded | set(operations_of(api).values()) == set(ACCESS)
    assert {name for name, decision in ACCESS.items() if decision == "open"} == set(ACCESS) - guarded
    assert all(ACCESS[name] == "whole" for (method, path), name in operations_of(api).items() if role_of(method, path) == "admin")


def role_of(method: str, template: str) -> str | None:
    return next((asked.role for asked in ROUTES if (asked.method, asked.template) == (method, template)), None)


def test_the_table_above_has_every_route(api):
    described = api.get("/schema/openapi.json", key=None).json["paths"]
    operations = {(method.upper(), path) for path, methods in described.items() for method in methods}
    assert operations == {(asked.method, asked.template) for asked in ROUTES} | OPEN
    assert operations == set(operations_of(api))


@pytest.mark.parametrize(
    "header",
    ["Basic {}", "bearer", "Bearer", "{}", "Bearer {} {}", "Bearer \xe9"],
    ids=["another scheme", "only the scheme", "nothing after it", "only the key", "two keys", "not ASCII"],
)
def test_a_malformed_authorization_header_is_a_401(api, header):
    sent = header.format(api.admin, api.admin).encode("latin-1")
    assert api.call("GET", "/v1/keys", key=None, headers={"Authorization": sent}).status == 401


def test_the_scheme_may_be_written_in_lower_case(api):
    assert api.call("GET", "/v1/keys", key=None, headers={"Authorization": f"bearer {api.admin}"}).status == 200


def test_a_bad_body_without_a_key_is_told_about_the_key(api):
    assert api.call("POST", "/v1/search", key=None, content=b"{").status == 401


def test_metrics_are_open_on_this_machine_and_ask_others_for_a_key(api):
    assert api.get("/metrics", key=None).status == 200
    # Not as a context manager: the app is running already. The client says it is on a host called "testclient".
    other_host = TestClient(api.app)
    assert other_host.get("/metrics").status_code == 401
    assert other_host.get("/metrics", headers={"Authorization": f"Bearer {api.key('reader')}"}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=192.0.2.1"},
        {"X-Real-IP": "192.0.2.1"},
        {"Via": "1.1 proxy"},
        {"Host": "evil.example"},
    ],
    ids=str,
)
def test_metrics_through_a_proxy_or_by_another_name_of_this_machine_need_a_key(api, header):
    assert api.call("GET", "/metrics", key=None, headers=header).status == 401
    assert api.call("GET", "/metrics", key=api.key("reader"), headers=header).status == 200
