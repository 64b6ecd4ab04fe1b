"""A free port for a process that binds it later, and again whenever it is restarted."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

_LOWEST = 10_000
"""Below this stand the ports of well-known services."""
_TRIES = 100
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port(host: str = "127.0.0.1") -> int:
    """A port at `host` on which nobody listens now. Raises OSError where no port can be bound there.

    It lies below the ports that the kernel hands out by itself: between this choice and the process's own bind, or
    while that is restarted, no client's connection and no listener on "any port" takes it.
    """
    for port in random.sample(_below(_ephemeral()), _TRIES):
        with contextlib.suppress(OSError):
            return _bound(host, port)
    return _bound(host, 0)


def check_port(host: str, port: int) -> None:
    """Raises OSError where nobody may listen on that port now."""
    _bound(host, port)


def _below(ephemeral: int) -> range:
    first = _LOWEST if ephemeral - _LOWEST >= 2 * _TRIES else 1024
    return range(first, max(ephemeral, first + _TRIES))


def _ephemeral() -> int:
    """The lowest port that the kernel hands out; where it does not say, the lowest of IANA's dynamic ports."""
    try:
        return int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 49_152


def _bound(host: str, port: int) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])
