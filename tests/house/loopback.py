"""No test talks to anything but this machine. Python's own audit events tell of every connection it makes."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any


def _local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a path in the file system
    host = str(address[0])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Raises where a socket is about to leave the machine."""
    if event == "socket.connect" and not _local(arguments[1]):
        raise AssertionError(f"a test wanted to connect to {arguments[1]}")


def pytest_configure() -> None:
    sys.addaudithook(watch)
