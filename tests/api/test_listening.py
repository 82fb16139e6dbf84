"""The socket that the API listens on."""

import errno
import socket

import pytest

from api.listening import listening


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def port_of(opened: socket.socket) -> int:
    return opened.getsockname()[1]


def test_nobody_else_listens_where_it_does_and_connections_wait():
    with listening("127.0.0.1", 0) as first:
        with pytest.raises(OSError, match="in use") as refused:
            listening("127.0.0.1", port_of(first))
        assert refused.value.errno == errno.EADDRINUSE
        socket.create_connection(first.getsockname(), timeout=5).close()


def test_a_name_that_has_both_kinds_of_addresses_is_listened_on_at_the_first_of_ipv4():
    with listening("localhost", 0) as opened:
        assert opened.getsockname()[0] == "127.0.0.1"


@needs_ipv6
def test_all_addresses_of_ipv6_are_no_addresses_of_ipv4():
    with listening("::", 0) as opened:
        socket.create_connection(("::1", port_of(opened)), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port_of(opened)), timeout=5)


@needs_ipv6
def test_a_name_that_has_an_address_of_ipv6_alone_is_listened_on(monkeypatch):
    resolved = [(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", 0, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: resolved)
    with listening("only-six.example", 0) as opened:
        assert opened.getsockname()[0] == "::1"
