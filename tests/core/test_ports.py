"""Ports that stay free until they are bound: never one of those the kernel gives to whoever asks for any."""

from __future__ import annotations

import socket

import pytest

from freehold.core import ports
from freehold.core.ports import check_port, free_port


def given(low):
    return ports._below(low)


def test_a_port_is_free_and_below_those_the_kernel_hands_out():
    for _ in range(50):
        port = free_port()
        assert 1024 <= port < ports._ephemeral()
        with socket.create_server(("127.0.0.1", port)):
            pass


@pytest.mark.parametrize("low", [32_768, 49_152, 16_000, 10_100, 1025, 1])
def test_there_are_always_enough_to_choose_from(low):
    found = given(low)
    assert len(found) >= ports._TRIES
    assert found[0] >= 1024
    assert found[-1] < 65_536


def test_a_port_that_is_listened_on_is_refused_and_never_chosen(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError):
            check_port("127.0.0.1", port)
        monkeypatch.setattr(ports, "_below", lambda _: range(port, port + ports._TRIES))
        assert free_port() != port
    check_port("127.0.0.1", port)


def test_a_host_that_is_not_ours_raises():
    with pytest.raises(OSError):
        free_port("203.0.113.1")
