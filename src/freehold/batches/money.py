"""Money for a whole batch, asked of the budget authority before any of it leaves.

Invariant: all of it or none; asking again for the same batch holds it once.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import msgspec

from freehold.core.errors import BudgetUnavailable
from freehold.core.money import ZERO
from freehold.policy.leases import Ask, Grant, Hello, Lease, Return

SECONDS = 10.0
EVERYTHING = Decimal(10) ** 15
_LENGTH = struct.Struct("<I")


class Holds(Protocol):
    """Who holds money."""

    def hold(self, epoch: str, needs: Mapping[str, Decimal]) -> bool:
        """Hold what is needed of each budget (`budget@period_start`); False, and nothing held, where one has less.

        Raises BudgetUnavailable.
        """


class Till:
    """The authority's socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def hold(self, epoch: str, needs: Mapping[str, Decimal]) -> bool:
        """As above. What an earlier attempt held is given back first."""
        if not needs:
            return True
        named = [(name.rpartition("@")[0], int(name.rpartition("@")[2]), need) for name, need in sorted(needs.items())]
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(SECONDS)
                line.connect(str(self._path))
                _say(line, Hello(epoch))
                for budget, start, _ in named:
                    _say(line, Return(budget, start, EVERYTHING))
                for budget, start, need in named:
                    _say(line, Lease(budget, start, need, ZERO))
                    if _grant(line).amount < need:
                        break
                else:
                    return True
                for budget, start, _ in named:
                    _say(line, Return(budget, start, EVERYTHING))
                return False
        except (OSError, msgspec.DecodeError):
            raise BudgetUnavailable("the budgets' authority does not answer", retry_after=5.0) from None


def _say(line: socket.socket, message: Ask) -> None:
    data = msgspec.msgpack.encode(message)
    line.sendall(_LENGTH.pack(len(data)) + data)


def _grant(line: socket.socket) -> Grant:
    (length,) = _LENGTH.unpack(_read(line, _LENGTH.size))
    return msgspec.msgpack.decode(_read(line, length), type=Grant)


def _read(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = line.recv(size - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data
