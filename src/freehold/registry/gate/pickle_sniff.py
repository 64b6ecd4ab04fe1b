"""Would an unpickler get anywhere with these bytes? Asked of every file, whatever else it is.

Invariant: the machine is laxer than any loader's, the one in C included: what one of them takes, it takes.
"""

from __future__ import annotations

import pickle
import re
from _compat_pickle import IMPORT_MAPPING
from collections.abc import Callable
from sys import stdlib_module_names
from typing import Any, ClassVar

from freehold.registry.gate.byte_reader import ByteReader
from freehold.registry.gate.pickle_calls import Imported, Made, Refused
from freehold.registry.gate.pickle_machine import BROKEN, Machine
from freehold.registry.gate.pickle_names import rooms
from freehold.registry.gate.types import Source

_SNIFFED = 1 << 20
_FIRST = frozenset(b"(NIJKLMGFSTUVXBCc]})lditePQ\x82\x83\x84\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x95\x96012aqrpghj")
"""Opcodes a stream without a protocol mark can begin with."""
_ENDS = frozenset({"pickle.build", "pickle.call", "pickle.extension", "pickle.persistent"})
"""Refusals of what a loader would refuse as well; the others only spare this machine work."""
_WHOLE = re.compile(rb"\s*[+-]?\d[0-9A-Fa-f_xXoO]*L?\s*")


class _Sniffing(Machine):
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(Machine.dispatch)


def _text(machine: _Sniffing) -> bytes:
    """A line up to the zero that ends texts in C."""
    line: bytes = machine.readline()
    return line[:-1].split(b"\0", 1)[0]


def _number(machine: _Sniffing) -> None:
    if not _WHOLE.fullmatch(_text(machine)):
        raise ValueError("no number")
    machine.append(0)


def _float(machine: _Sniffing) -> None:
    machine.append(float(_text(machine)))


def _put(machine: _Sniffing) -> None:
    machine.memo[int(_text(machine))] = machine.stack[-1]


def _long_put(machine: _Sniffing) -> None:
    machine.memo[int.from_bytes(machine.read(4), "little")] = machine.stack[-1]


def _get(machine: _Sniffing) -> None:
    machine.append(machine.memo[int(_text(machine))])


def _frame(machine: _Sniffing) -> None:
    machine.read(8)


def _build(machine: _Sniffing) -> None:
    state = machine.stack.pop()
    made = machine.stack[-1]
    if isinstance(made, Imported):
        machine.calls += 1
    elif state and not isinstance(made, Made):
        raise Refused("pickle.build", "changes what it did not make")


_Sniffing.dispatch.update(
    {
        pickle.INT[0]: _number,
        pickle.LONG[0]: _number,
        pickle.FLOAT[0]: _float,
        pickle.PUT[0]: _put,
        pickle.LONG_BINPUT[0]: _long_put,
        pickle.GET[0]: _get,
        pickle.FRAME[0]: _frame,
        pickle.BUILD[0]: _build,
    }
)


def looks(source: Source) -> bool:
    """An unpickler would get somewhere: a protocol mark, a whole stream, or an import that could matter."""
    data = source.data
    if len(data) < 2:
        return False
    if data[0] == 0x80:
        return data[1] <= 5
    if data[0] not in _FIRST:
        return False
    machine = _Sniffing(ByteReader(data[:_SNIFFED]), strict=False)
    try:
        machine.load()
    except Refused as refused:
        whole = refused.code not in _ENDS
    except BROKEN:
        whole = len(data) > _SNIFFED <= machine.file.at  # nothing broke it off but the end of what was sniffed
    else:
        whole = machine.file.at >= min(len(data), _SNIFFED)
    return whole or machine.calls > 0 or any(_matters(module) for module, _ in machine.imports)


def _matters(module: str) -> bool:
    first = module.partition(".")[0]
    return first in stdlib_module_names or first in rooms() or first in IMPORT_MAPPING or first == "__builtin__"
