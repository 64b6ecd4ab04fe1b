"""The watch itself."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 9), ("10.0.0.1", 443)])
def test_a_connection_to_elsewhere_is_refused(address):
    with socket.socket() as one, pytest.raises(AssertionError):
        one.connect(address)


def test_a_connection_to_this_machine_is_not():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as one:
        one.connect(server.getsockname())
