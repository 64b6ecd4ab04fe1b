"""The pickle machine once more, keeping what it makes: containers with their items, where arrays and storages lie.

Invariant: it is the gate's machine, with the gate's list and refusals; it only forgets less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from freehold.registry.gate.byte_reader import ByteReader
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.naming import quoted
from freehold.registry.gate.pickle_calls import Made, Refused
from freehold.registry.gate.pickle_machine import BROKEN, Machine
from freehold.registry.gate.pickles import JoblibMachine
from freehold.registry.gate.types import Source

WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
STORAGE = "persistent storage"


class Kept(Made):
    """An inert object with its items. `at`: where the bytes of an array that follows it end, for joblib's."""

    __slots__ = ("at", "elements", "pairs")

    def __init__(self, maker: str, given: tuple[Any, ...]) -> None:
        super().__init__(maker, given)
        self.pairs: dict[Any, Any] = {}
        self.elements: list[Any] = []
        self.at = 0

    def __setitem__(self, key: object, value: object) -> None:
        """A dictionary's item: the last of one key counts."""
        self.pairs[key] = value

    def append(self, value: object) -> None:
        """A list's item."""
        self.elements.append(value)

    def extend(self, values: Any) -> None:
        """A list's items."""
        self.elements.extend(values)

    def add(self, value: object) -> None:
        """A set's item."""
        self.elements.append(value)


class _Keeping(Machine):
    def call(self, found: object, given: object, named: object = None) -> Made:
        """As the gate's machine, kept. What is called with arguments by name is nothing this reader knows."""
        made = super().call(found, given, named)
        return Kept("" if named else made.maker, made.given)

    def persistent_load(self, pid: Any) -> Made:
        """A storage of torch's with its key. Raises Refused for other things outside, and for views of old forms."""
        foreign = self.foreign_ids
        super().persistent_load(pid)
        if self.foreign_ids != foreign or (len(pid) == 6 and pid[5] is not None):
            raise Refused("pickle.persistent", "refers to something outside that is no whole storage")
        return Kept(STORAGE, tuple(pid[:5]))


class KeepingMachine(_Keeping):
    """For torch's pickles and plain ones."""


class KeepingJoblib(_Keeping, JoblibMachine):
    """For joblib's, with the arrays between opcodes."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(JoblibMachine.dispatch)


def _build(machine: KeepingJoblib) -> None:
    JoblibMachine.dispatch[b"b"[0]](machine)
    made = machine.stack[-1]
    if isinstance(made, Kept) and made.maker == WRAPPER:
        made.at = machine.file.at


KeepingJoblib.dispatch[b"b"[0]] = _build


def ran(source: Source, start: int = 0, *, joblib: bool = False) -> tuple[Any, Machine]:
    """One stream run to its end: what it makes, and the machine. Raises Malformed for what the gate would refuse."""
    reader = ByteReader(source.data, start)
    machine = KeepingJoblib(reader) if joblib else KeepingMachine(reader)
    try:
        return machine.load(), machine
    except Refused as refused:
        raise Malformed(f"{source.name}: {quoted(str(refused))} ({refused.code})") from None
    except BROKEN as broken:
        said = quoted(str(broken) or type(broken).__name__, 80)
        raise Malformed(f"{source.name} breaks off at byte {reader.at}: {said}") from None
