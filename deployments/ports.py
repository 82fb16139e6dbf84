"""Whether a part will be able to listen where it is told to."""

import errno
import socket

from deployments.refusal import CannotStart


def require_free(host: str, port: int, port_setting: str, host_setting: str | None = None) -> None:
    """Raises `CannotStart`, naming the setting to change, unless a server can listen on host and port now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do: a connection that is still closing does not occupy a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CannotStart(_reason(error, host, port, port_setting, host_setting)) from error


def _reason(error: OSError, host: str, port: int, port_setting: str, host_setting: str | None) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: stop what listens there, or set {port_setting} to a free port"
    if error.errno == errno.EACCES:
        return f"port {port} is reserved for the system: set {port_setting} to a port above 1023"
    where = f"{host_setting}={host}" if host_setting else host
    return f"{where} is not an address of this machine ({error.strerror or error})"
