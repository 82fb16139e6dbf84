import socket
from contextlib import closing

import pytest

from deployments.ports import require_free
from deployments.refusal import CannotStart


@pytest.fixture
def busy_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_a_free_port_passes(busy_port):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        free = server.getsockname()[1]
    require_free("127.0.0.1", free, "GROUNDWORK_PORT")


def test_a_port_in_use_names_the_setting_to_change(busy_port):
    with pytest.raises(CannotStart, match=f"port {busy_port} on 127.0.0.1 is in use: .* set GROUNDWORK_PORT"):
        require_free("127.0.0.1", busy_port, "GROUNDWORK_PORT")


def test_a_port_in_use_on_one_address_is_in_use_for_all_addresses(busy_port):
    with pytest.raises(CannotStart, match="is in use"):
        require_free("0.0.0.0", busy_port, "GROUNDWORK_PORT")


def test_a_connection_that_is_closing_does_not_occupy_its_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        address = server.getsockname()
        client = socket.create_connection(address)
        accepted, _ = server.accept()
        accepted.close()
        client.close()
    require_free("127.0.0.1", address[1], "GROUNDWORK_PORT")


def test_an_address_of_another_machine_names_the_host_setting():
    with pytest.raises(CannotStart, match=r"GROUNDWORK_HOST=192\.0\.2\.1 is not an address of this machine"):
        require_free("192.0.2.1", 8000, "GROUNDWORK_PORT", "GROUNDWORK_HOST")
