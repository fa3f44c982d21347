"""Azurite of our own: an outage keeps the data and the address; a missing installation is named."""

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.storage.queue import QueueClient

from devhost import azurite
from devhost.azurite import Azurite
from devhost.errors import DevhostError


def test_an_outage_keeps_data_and_address(tmp_path):
    with Azurite(tmp_path) as storage:
        before = storage.connection_string
        with QueueClient.from_connection_string(before, "kept", retry_total=0) as queue:
            queue.create_queue()
            queue.send_message("still here")
            storage.stop()
            with pytest.raises(ServiceRequestError):
                queue.peek_messages()
            storage.start()
            assert storage.connection_string == before
            assert queue.peek_messages()[0].content == "still here"


def test_a_missing_node_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DevhostError, match=r"Node\.js is not installed.*make setup"):
        Azurite().start()


def test_a_missing_azurite_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(azurite, "_SCRIPT", tmp_path / "main.js")
    with pytest.raises(DevhostError, match=r"Azurite is not installed.*make setup"):
        Azurite().start()


def test_a_taken_port_is_told(tmp_path):
    with Azurite() as first, pytest.raises(DevhostError, match="Azurite did not start"):
        Azurite(port=first.port).start()
