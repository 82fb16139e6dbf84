"""A language model behind a real HTTP endpoint on loopback that streams by a script, well or badly, and notices when nobody reads."""

import json
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import monotonic
from typing import Any, Self

Script = Callable[[dict[str, Any]], Iterable[bytes | float]]
DONE = b"data: [DONE]\n\n"


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    """An event with a piece of a completion."""
    delta = {"content": text} if text is not None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice]} | more)


def event(data: Any) -> bytes:
    """An event with anything."""
    return b"data: %s\n\n" % json.dumps(data).encode()


def says(*texts: str, finish: str | None = "stop", usage: tuple[int, int] | None = None, ends: bool = True) -> Script:
    """Streams these texts, one a piece."""
    counted = {"choices": [], "usage": dict(zip(("prompt_tokens", "completion_tokens"), usage, strict=True))} if usage else None

    def script(_: dict[str, Any]) -> Iterable[bytes | float]:
        yield from (chunk(text) for text in texts)
        yield from [chunk(finish=finish)] * bool(finish) + [event(counted)] * bool(counted) + [DONE] * ends

    return script


class ScriptedChat:
    """Use it with `with`. A script gives the bytes to send, and seconds to wait between them.

    Attributes:
        status: of its replies, with `content_type` and other `headers`.
        asked: the requests that came, with the `keys` that came with them.
        sent: pieces that were sent.
        left_at: when a piece could not be sent any more, on the clock `monotonic`.
    """

    def __init__(self, script: Script, status: int = 200, content_type: str = "text/event-stream") -> None:
        self.script = script
        self.status, self.content_type = status, content_type
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.sent = 0
        self.left_at: float | None = None
        self.left = Event()
        self._closing = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(chat) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not body:  # who asks was told to stop
                    return
                asked = json.loads(body)
                chat.asked.append(asked)
                chat.keys.append(self.headers["Authorization"])
                self.close_connection = True
                try:
                    self.send_response(chat.status)
                    for name, value in ({"Content-Type": chat.content_type} | chat.headers).items():
                        self.send_header(name, value)
                    self.end_headers()
                    for step in chat.script(asked):
                        if chat._closing.is_set():
                            return
                        if isinstance(step, float):
                            chat._closing.wait(step)
                        else:
                            self.wfile.write(step)
                            chat.sent += 1
                except OSError:
                    chat.left_at = monotonic()
                    chat.left.set()

            def log_message(self, *_: object) -> None:
                """Stays quiet."""

        return Handler
