"""Problems as clients of other protocols know them: on their routes, with an `error` beside what a problem says."""

from typing import Any

OPENAI = ("/v1/chat/completions", "/v1/models")
MCP = ("/mcp",)
MEDIA_TYPE = "application/problem+json"
# Clients of MCP look for an error in nothing else.
MCP_MEDIA_TYPE = "application/json"
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
NO_MODEL = "there is no model"
# JSON-RPC's numbers.
INVALID_REQUEST, INTERNAL_ERROR = -32600, -32603


def openai_error(status: int, message: str) -> dict[str, Any]:
    """The `error` of a reply, as OpenAI's clients raise it."""
    kind = KINDS.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    code = "model_not_found" if message.startswith(NO_MODEL) else CODES.get(status)
    return {"message": message, "type": kind, "param": None, "code": code}


def told(path: str, problem: dict[str, Any]) -> dict[str, Any]:
    """A problem as it is told on this path."""
    status, detail = int(problem["status"]), str(problem["detail"])
    if _is_one_of(OPENAI, path):
        return problem | {"error": openai_error(status, detail)}
    if _is_one_of(MCP, path):
        code = INVALID_REQUEST if status < 500 else INTERNAL_ERROR
        return problem | {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": detail}}
    return problem


def media_type(path: str) -> str:
    """That of a problem on this path."""
    return MCP_MEDIA_TYPE if _is_one_of(MCP, path) else MEDIA_TYPE


def _is_one_of(paths: tuple[str, ...], path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in paths)
