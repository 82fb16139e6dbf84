"""What is said once the parts are starting: how far the sample is, that it is ready, and a first question with its answer."""

import asyncio
import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from deployments import parts
from deployments.calls import call
from deployments.screen import Addresses, Screen
from deployments.supervisor import Supervisor
from index.settings import Settings

QUESTION = "Which package orchestrates and schedules workflows?"
_LOOK_S = 0.3
_STRAGGLERS_S = 60.0
_ANSWER_S = 30.0


async def announce(settings: Settings, supervisor: Supervisor, screen: Screen) -> None:
    """Follows a start until people can use the platform, then shows them how."""
    await _follow(settings.own_url, screen)
    # Searching works without Prefect, so a part that waits for somebody else's server does not keep this back for ever.
    with suppress(TimeoutError):
        await asyncio.wait_for(supervisor.all_up(), _STRAGGLERS_S)
    key_file, api = parts.shown(settings.admin_key_file), settings.own_url
    screen.ready(Addresses(api, settings.prefect_ui, key_file, parts.shown(parts.logs(settings))), supervisor.waiting_for())
    answer = await _ask(api, _key(settings.admin_key_file)) if settings.sample else None
    if answer is None:
        screen.example("Put a document in and search it:", put_command(api, key_file))
    else:
        screen.example("Ask it something:", ask_command(api, key_file))
        screen.answer(answer)
    screen.close()


def ask_command(api: str, key_file: str) -> str:
    """The first question, ready to paste."""
    return _curl("POST", f"{api}/v1/answers", key_file, {"question": QUESTION})


def put_command(api: str, key_file: str) -> str:
    """A first document, ready to paste."""
    text = "Groundwork keeps a LanceDB index fresh, fast and measurably right."
    put = _curl("PUT", f"{api}/v1/documents/hello?wait=10", key_file, {"text": text})
    return put + "\n" + _curl("POST", f"{api}/v1/search", key_file, {"query": "What stays fresh?"})


async def _follow(api: str, screen: Screen) -> None:
    """Returns once searching works."""
    while True:
        reply = await call("GET", f"{api}/health/ready", timeout_s=10.0)
        if reply.status == 200:
            return
        progress = reply.body.get("progress") if isinstance(reply.body, dict) else None
        if progress and progress.get("of"):
            screen.indexing(progress["done"], progress["of"])
        await asyncio.sleep(_LOOK_S)


async def _ask(api: str, key: str | None) -> dict[str, Any] | None:
    """The answer to the first question; None when there is none, for whatever reason."""
    reply = await call("POST", f"{api}/v1/answers", {"question": QUESTION}, key, _ANSWER_S)
    return reply.body if reply.status == 200 and isinstance(reply.body, dict) and reply.body.get("answer") else None


def _key(file: Path) -> str | None:
    with suppress(OSError):
        return file.read_text().strip()
    return None


def _curl(method: str, url: str, key_file: str, body: dict[str, str]) -> str:
    key = f'"Authorization: Bearer $(cat {shlex.quote(key_file)})"'
    return (
        f"curl -sS -X {method} {shlex.quote(url)} \\\n"
        f"  -H {key} \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(body))}"
    )
