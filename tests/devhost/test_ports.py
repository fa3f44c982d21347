"""A free port is one that nobody gets before the server it was chosen for."""

import socket

import pytest

from devhost import ports
from devhost.errors import DevhostError
from devhost.ports import free_port


def test_it_can_be_listened_on():
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
        server.listen()


def test_the_system_gives_it_to_no_outgoing_connection():
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        assert free_port() < 32_768 <= given.getsockname()[1]


def test_a_port_somebody_holds_is_not_chosen(monkeypatch):
    with socket.socket() as held:
        held.bind(("127.0.0.1", free_port()))
        held.listen()
        port = held.getsockname()[1]
        monkeypatch.setattr(ports, "_OURS", range(port, port + 1))
        monkeypatch.setattr(ports, "_TRIES", 1)
        with pytest.raises(DevhostError, match=f"no free port of 127.0.0.1 from {port} to {port}"):
            free_port()
