"""HTTP/1.1 over a socket, with an end to the patience with clients that don't send a whole head, or don't read their replies."""

import asyncio
from contextlib import suppress
from fcntl import ioctl
from sys import byteorder
from termios import TIOCOUTQ
from typing import Any, cast

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.problems import body_of

# From the connection, or from the first byte of the next request, until the end of the headers.
HEAD_S = 15.0
# A client that says nothing more has gone, unless a reply comes as quickly as this: some close their half when they have said all.
LISTENS_S = 0.1
# In which a client that has a reply to read takes none of it: that long at least, and twice that at most.
READS_S = 60.0


class Counted:
    """A transport that counts the bytes that are written to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self.written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Sends as much as the client takes now, and the rest later."""
        self.written += len(data)
        self._transport.write(data)

    def unread(self) -> int:
        """Bytes that the client has not taken yet: those that wait here, and those that wait in the system."""
        waiting: int = self._transport.get_write_buffer_size()
        with suppress(OSError):  # of this kind of socket the system does not tell
            waiting += int.from_bytes(ioctl(self._socket.fileno(), TIOCOUTQ, bytes(4)), byteorder)
        return waiting


class PatientProtocol(H11Protocol):
    """Closes a connection whose request has no whole head in time, or whose reply is not read: uvicorn's clock runs between requests."""

    head_s = HEAD_S
    reads_s = READS_S
    _head_timer: asyncio.TimerHandle | None = None
    _read_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its parent's
        """A client is there."""
        counted = Counted(transport)
        super().connection_made(cast(asyncio.Transport, counted))
        self._wait_for_head()
        self._look_whether_it_reads(counted, 0, 0)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._stop_waiting()
        if self._read_timer is not None:
            self._read_timer.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # what asyncio asks for
        """The client says nothing more, and has most likely gone; whether the connection stays open for now."""
        is_working = self.cycle is not None and not self.cycle.response_complete
        if is_working:
            self.loop.call_later(LISTENS_S, self.transport.close)
        return is_working

    def handle_events(self) -> None:
        """Bytes have come, or a reply is complete: whether the head of a request is still to come is looked at anew."""
        super().handle_events()
        if self._answered_too_early() and not self.transport.is_closing():
            if self._head_timer is None:
                self._wait_for_head()
        elif self.transport.is_closing() or self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head_timer is None and (self.timeout_keep_alive_task is None or self._has_begun()):
            self._wait_for_head()  # bytes have stopped uvicorn's clock: those of a head, or the rest of a body whose reply was early

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP: said as all that is wrong is said, and nothing after it."""
        if self.cycle is not None:
            self.cycle.disconnected = True
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._say_what_is_wrong(msg)
        self.transport.close()

    def _say_what_is_wrong(self, msg: str) -> None:
        body = msgspec.json.encode(body_of("", 400, f"{msg.rstrip('.')}: RFC 9112 says what one looks like"))
        headers = [("content-type", "application/problem+json"), ("content-length", str(len(body))), ("connection", "close")]
        for event in (h11.Response(status_code=400, headers=headers, reason=b"Bad Request"), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))

    def _should_upgrade(self) -> bool:
        """Never: no route is a WebSocket, and one that has begun would have neither bounds nor a clock."""
        return False

    def _answered_too_early(self) -> bool:
        """Whether the reply is complete and the body is not: uvicorn's clock has stopped at the first byte that came after the reply."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _has_begun(self) -> bool:
        return bool(self.conn.trailing_data[0])

    def _look_whether_it_reads(self, transport: Counted, unread_before: int, taken_before: int) -> None:
        """A reply that nobody takes would keep its place among the requests, and closing waits for it without an end."""
        unread = transport.unread()
        taken = transport.written - unread
        if unread and unread_before and taken <= taken_before:
            transport.abort()
        else:
            self._read_timer = self.loop.call_later(self.reads_s, self._look_whether_it_reads, transport, unread, taken)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            if not self._answered_too_early():  # who has a reply gets no second
                self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()


def patient(seconds: float) -> type[Any]:
    """The protocol with another patience, with what is sent and what is read."""
    return type("Patient", (PatientProtocol,), {"head_s": seconds, "reads_s": seconds})
