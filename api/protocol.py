"""HTTP/1.1 over a socket, with an end to the patience with clients that don't send a whole head, or too much of one."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# From the connection, or from the first byte of the next request, until the end of the headers.
HEAD_S = 15.0
# A client that says nothing more has gone, unless a reply comes as quickly as this: some close their half when they have said all.
LISTENS_S = 0.1
# Of a head whose end has not come: the parser has no limit of its own. One that came at once is bounded by `api.edge`.
MOST_HEAD_BYTES = 64 * 1024
# The parser of URLs takes no more; what is longer than a part of this is refused by `api.edge`.
MOST_TARGET_BYTES = 64 * 1024 - 1


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request has not a whole head in time: uvicorn's own clock runs only between two requests."""

    head_s = HEAD_S

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._needs_head = True
        self._is_in_message = False
        self._head_bytes = 0
        self._cycles: list[RequestResponseCycle] = []
        self._broken = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent's
        """A client is there."""
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone; all requests that it has sent hear of it, not only the last one."""
        super().connection_lost(exc)
        self._stop_waiting()
        for cycle in self._cycles:
            cycle.disconnected = not cycle.response_complete
            cycle.message_event.set()

    def eof_received(self) -> bool:  # type: ignore[override]  # what asyncio asks for
        """The client says nothing more, and has most likely gone; whether the connection stays open for now."""
        if self._is_working():
            self.cycle.keep_alive = bool(self._broken)
            self.loop.call_later(LISTENS_S, self.transport.close)
        return self._is_working()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._broken:
            return
        needed_head = self._needs_head
        super().data_received(data)
        if needed_head and self._needs_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._hang_up(b"431 Request Header Fields Too Large")
        self._look()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._needs_head = self._is_in_message = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        super().on_url(url[: MOST_TARGET_BYTES - len(self.url)])

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. What comes after the body (a trailer) is none: whoever has looked at the headers would not have seen it."""
        if self._needs_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The whole head. Who asks for another protocol gets an answer in this one, and may not stay."""
        super().on_headers_complete()
        self._needs_head = False
        self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete] + [self.cycle]
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """The whole request."""
        super().on_message_complete()
        self._is_in_message = False
        if self.cycle.response_complete:  # uvicorn's clock for the next request has stopped at the first byte after the reply
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def on_response_complete(self) -> None:
        """The whole reply."""
        super().on_response_complete()
        if self._broken and not self._is_working():
            super().send_400_response(self._broken)
        self._look()

    def send_400_response(self, msg: str) -> None:
        """The reply to bytes that are no request; those before them that are get theirs first."""
        if self._is_working() and not self.cycle.more_body:
            self._broken = msg
        else:
            super().send_400_response(msg)

    def _should_upgrade(self) -> bool:
        """Never: no route is a WebSocket, and one that has begun would have neither bounds nor a clock."""
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever likes may ask; it is no matter for the log."""

    def _is_working(self) -> bool:
        """Whether a reply is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def _answered_too_early(self) -> bool:
        """Whether the reply is complete and the body is not."""
        return self._is_in_message and not self._needs_head and bool(self.cycle.response_complete)

    def _look(self) -> None:
        """Starts the clock, or stops it."""
        if self.transport.is_closing() or self._is_working() or not (self._needs_head or self._answered_too_early()):
            self._stop_waiting()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self._hang_up(b"" if self._answered_too_early() else b"408 Request Timeout")  # who has a reply gets no second

    def _hang_up(self, status: bytes) -> None:
        if not self.transport.is_closing():
            if status:
                self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()


def patient(head_s: float) -> type[Any]:
    """The protocol with another patience."""
    return type("Patient", (PatientProtocol,), {"head_s": head_s})
