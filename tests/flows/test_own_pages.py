"""Who gets through to the Prefect server: a table of requests as browsers and programs send them, to a real ASGI app behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from flows.own_pages import OwnPagesOnly

OWN = ("http://127.0.0.1:4200", "http://localhost:4200")
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
PICTURE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
SOCKET = {"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "empty"}
SERVED = [
    ("POST", {}),  # Prefect's client, curl, a script
    ("POST", {"Host": "localhost:4200"}),
    ("POST", {"Host": "LocalHost"}),
    ("POST", {"Host": "[::1]:4200"}),
    ("POST", {"Host": "127.0.0.1:9000"}),  # through an SSH tunnel
    ("POST", {"Origin": "http://127.0.0.1:4200", "Sec-Fetch-Site": "same-origin"}),
    ("POST", {"Origin": "http://localhost:4200", "Sec-Fetch-Site": "cross-site"}),  # the UI was opened as localhost, and asks 127.0.0.1
    ("POST", {"Origin": "http://127.0.0.1:4200"}),  # a browser that knows no Sec-Fetch-Site
    ("DELETE", {"Origin": "http://127.0.0.1:4200", "Sec-Fetch-Site": "same-origin"}),
    ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}),
    ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}),
    ("GET", LINK | {"Sec-Fetch-Site": "none"}),  # typed by somebody
    ("GET", LINK),
    ("GET", LINK | {"Sec-Fetch-Site": "same-site"}),
]
REFUSED = [
    ("POST", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}),
    ("POST", {"Origin": "https://evil.example"}),
    ("GET", {"Origin": "https://evil.example"}),
    ("OPTIONS", {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}),
    ("POST", {"Origin": "null"}),  # a sandboxed frame, a file
    ("POST", {"Origin": ""}),
    ("POST", {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"}),
    ("POST", {"Origin": "https://127.0.0.1:4200"}),
    ("POST", {"Origin": "http://127.0.0.1:4200.evil.example"}),
    ("POST", {"Origin": "http://evil.example:4200", "Host": "evil.example:4200", "Sec-Fetch-Site": "same-origin"}),  # DNS rebinding
    ("GET", {"Host": "evil.example:4200"}),
    ("GET", LINK | {"Host": "evil.example:4200"}),
    ("GET", {"Host": "127.0.0.1.evil.example"}),
    ("GET", {"Host": "localhost.evil.example:4200"}),
    ("GET", {"Host": "evil.localhost:4200"}),
    ("GET", {"Host": "localhost:4200@evil.example"}),
    ("GET", {"Host": "0.0.0.0:4200"}),
    ("GET", {"Host": ""}),
    ("GET", PICTURE),
    ("GET", PICTURE | {"Sec-Fetch-Site": "same-site"}),
    ("GET", PICTURE | {"Sec-Fetch-Site": "of a browser to come"}),
    ("GET", LINK | {"Sec-Fetch-Dest": "iframe"}),  # what is clicked in a frame is not what is seen
    ("POST", LINK),  # a form
]


@pytest.fixture
def reached():
    return []


@pytest.fixture
def client(reached):
    async def answer(request: Request) -> PlainTextResponse:
        reached.append(request.method)
        return PlainTextResponse("served")

    async def talk(websocket: WebSocket) -> None:
        reached.append("websocket")
        await websocket.accept()
        await websocket.send_text("served")
        await websocket.close()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        reached.append("start")
        yield
        reached.append("stop")

    routes = [Route("/", answer, methods=["GET", "POST", "DELETE", "OPTIONS"]), WebSocketRoute("/events", talk)]
    return TestClient(OwnPagesOnly(Starlette(routes=routes, lifespan=lifespan), OWN), base_url="http://127.0.0.1:4200")


@pytest.mark.parametrize(("method", "headers"), SERVED)
def test_programs_its_own_pages_and_links_to_it_are_served(client, reached, method, headers):
    reply = client.request(method, "/", headers=headers)
    assert (reply.status_code, reply.text, reached) == (200, "served", [method])


@pytest.mark.parametrize(("method", "headers"), REFUSED)
def test_what_a_page_of_another_place_sends_is_refused_with_the_reason_before_prefect_sees_it(client, reached, method, headers):
    reply = client.request(method, "/", headers=headers, content=b"{}")
    assert (reply.status_code, reached) == (403, [])
    assert "this server" in reply.json()["detail"]
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("headers", [{}, SOCKET | {"Origin": OWN[0]}, SOCKET | {"Origin": OWN[1], "Sec-Fetch-Site": "cross-site"}])
def test_programs_and_its_own_pages_may_open_websockets(client, headers):
    with client.websocket_connect("ws://127.0.0.1:4200/events", headers=headers) as websocket:
        assert websocket.receive_text() == "served"


@pytest.mark.parametrize(
    "headers", [SOCKET | {"Origin": "https://evil.example"}, SOCKET | {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example:4200"}]
)
def test_pages_of_other_places_open_no_websocket(client, reached, headers):
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("ws://127.0.0.1:4200/events", headers=headers):
        pass
    assert "this server" in refused.value.reason
    assert reached == []


def test_one_of_two_headers_is_not_enough(client, reached):
    for name, ours, theirs in (("Host", "127.0.0.1:4200", "evil.example"), ("Origin", OWN[0], "https://evil.example")):
        assert client.get("/", headers=[(name, ours), (name, theirs)]).status_code == 403
    assert reached == []


def test_the_app_behind_it_starts_and_stops_in_order(client, reached):
    with client:
        client.get("/")
    assert reached == ["start", "GET", "stop"]
