"""The socket that the API listens on."""

import socket

# As many connections as uvicorn lets wait.
BACKLOG = 2048


def listening(host: str, port: int) -> socket.socket:
    """It listens already: connections wait for those that will accept them, and nobody else listens there. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # A name of both kinds, such as localhost, is what most clients take it for.
    family, kind, protocol, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        # Of two that only bind, this option lets both.
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened
