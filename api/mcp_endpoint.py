"""`/mcp`: the tools of `api.mcp_tools` over the Model Context Protocol (streamable HTTP), for the same keys as everything else.

Each request stands for itself: there are no sessions, so that any worker can answer any request. A tool that is not done shortly before the
deadline of its request is given up, and says so as an error that a model can read.
"""

import asyncio
import logging
from collections.abc import Awaitable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException, MethodNotAllowedException, PermissionDeniedException
from litestar.handlers import asgi
from litestar.types import Message, Receive, Scope, Send

from api import deadlines
from api.auth import requires
from api.faults import told
from api.keys import Key
from api.mcp_tools import INSTRUCTIONS, TOOLS, Tool, schema_of
from api.platform import Platform
from api.presence import Shared, while_there
from api.problems import unexpected
from index import spans
from index.errors import GroundworkError, Unavailable

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

MAX_BODY = 1024 * 1024
THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")
# Of the time that a request has, what is kept to tell that its tool was late; less than `tasks.answer` keeps to answer without a model.
RESERVE = 0.02
LONGEST_RESERVE_S = 0.5
LATE = "the deadline passed while this was worked on, and it was given up; ask for less, or name a longer Request-Timeout"
ADD_IT = "add it to mcp_hosts in the file of GROUNDWORK_SERVING"
_log = logging.getLogger("groundwork.api")


@asgi("/mcp", name="mcp", guards=[requires("reader")], copy_scope=True)
async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
    """One request of the protocol: asked by POST, answered by JSON."""
    request = Request[Any, Key, Any](scope)
    platform: Platform = request.app.state["platform"]
    if request.method != "POST":
        raise MethodNotAllowedException(headers={"Allow": "POST"})
    _check_address(request, (*THIS_MACHINE, *platform.serving.mcp_hosts))
    # In a thread, the first time: it takes a second to import.
    server = await asyncio.to_thread(_server, platform, request.auth)
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True, max_request_body_size=MAX_BODY)
    sent, reply = Shared(receive), list[Message]()

    async def keep(message: Any) -> None:
        reply.append(message)

    async with manager.run():
        # The same ASGI in the words of another library.
        await while_there(sent.rest, manager.handle_request(scope, sent.body, keep))  # type: ignore[arg-type]
    for message in reply:  # not before: once a client has its reply it counts as gone
        await send(message)


def _check_address(request: Request[Any, Any, Any], hosts: tuple[str, ...]) -> None:
    """A page in somebody's browser must not reach this under a name of its own (DNS rebinding): the names are known.

    Those of this machine are known with any port, others as they are set.
    """
    host = request.headers.get("host", "")
    if host not in hosts and _without_port(host) not in THIS_MACHINE:
        raise HTTPException(
            "this is not known here under that name: add it to mcp_hosts in the file of GROUNDWORK_SERVING", status_code=421
        )
    origin = request.headers.get("origin")
    if origin and (place := urlsplit(origin).netloc) not in hosts and _without_port(place) not in THIS_MACHINE:
        raise PermissionDeniedException(f"pages of other places may not use this: {ADD_IT}")


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() else host


async def _in_time(work: Awaitable[msgspec.Struct]) -> msgspec.Struct:
    """What comes of it; raises `Unavailable` when it is not done shortly before the deadline of the request in hand."""
    left = deadlines.remaining()
    allowed = asyncio.timeout(None if left is None else left - min(LONGEST_RESERVE_S, RESERVE * left))
    try:
        async with allowed:
            return await work
    except TimeoutError:
        if allowed.expired():
            raise Unavailable(LATE) from None
        raise


def _server(platform: Platform, key: Key) -> "Server[Any]":
    """The tools as one key may use them."""
    import mcp_types as types
    from mcp.server.lowlevel import Server
    from mcp.shared.exceptions import MCPError

    async def list_tools(_: object, __: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[described(tool) for tool in TOOLS.values()])

    async def call_tool(_: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no such tool; there are: {', '.join(TOOLS)}")
        try:
            arguments = msgspec.convert(params.arguments or {}, tool.takes)
            with spans.span("mcp.tool", tool=tool.name):
                reply = await _in_time(tool.call(platform, key, arguments))
        except msgspec.ValidationError as error:
            return refused(told(error, tool.takes))
        except GroundworkError as error:
            return refused(str(error))
        except Exception as error:  # noqa: BLE001 - whatever a tool trips over is told as the other routes tell it
            _log.error("the tool %s failed", tool.name, exc_info=error)
            return refused(unexpected(error)[1])
        said = types.TextContent(type="text", text=msgspec.json.encode(reply).decode())
        return types.CallToolResult(content=[said], structured_content=msgspec.to_builtins(reply))

    def refused(detail: str) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text=detail)], is_error=True)

    def described(tool: Tool) -> types.Tool:
        return types.Tool(
            name=tool.name,
            title=tool.title,
            description=tool.description,
            input_schema=schema_of(tool.takes),
            output_schema=schema_of(tool.gives),
            annotations=types.ToolAnnotations(read_only_hint=True, open_world_hint=False),
        )

    server = Server(
        "groundwork", version=version("groundwork"), instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )
    server.middleware.clear()  # its own spans keep texts of errors, which may quote what was asked
    return server
