"""A pickle's stack machine with nothing behind it: imports and calls make inert stand-ins, all else is as it would be.

Invariant: the machine is the one loaders run (the standard library's, in Python), so what it imports and calls is what
they would; nothing of the file's is imported, called or set.
"""

from __future__ import annotations

import pickle
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from typing import Any, ClassVar

from freehold.registry.gate.pickle_calls import Imported, Made, Refused, wrong_call, wrong_state
from freehold.registry.gate.pickle_names import listed

MOST_IN_KEY = 10_000
"""Parts of a tuple that is a key: hashing one whose parts are shared takes time without end."""

_Standard: Any = pickle._Unpickler  # noqa: SLF001  its machine in C cannot be led

BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)
"""What the machine ends with on a stream that is none."""


class Machine(_Standard):  # type: ignore[misc]  # it has no types
    """One run over one stream. What it found: `imports`, `reviewed` names, torch's `storages`, `foreign_ids`.

    With `strict=False` any import is taken, to see how far a stream would run.
    """

    # What the standard machine does for each opcode; those that call, change or hash are replaced below.
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_Standard.dispatch)

    def __init__(self, file: Any, *, strict: bool = True) -> None:
        super().__init__(file, encoding="latin1")
        self.file = file
        self.strict = strict
        self.imports: list[tuple[str, str]] = []
        self.reviewed: set[str] = set()
        self.storages: dict[str, tuple[str, int]] = {}
        """Key of each torch storage, with its type's name and its number of elements."""
        self.foreign_ids = 0
        """Persistent ids that are not torch's."""
        self.calls = 0
        self._known: dict[tuple[str, str], Imported] = {}

    def load(self) -> Any:
        """What the stream makes. Raises UnpicklingError for bytes in its last frame that the loaders' machine in C goes
        on with, where a second stream is read, and this one would step over.
        """
        made = super().load()
        frame = self._unframer.current_frame
        if frame is not None and frame.read(1):
            raise pickle.UnpicklingError("bytes after the end, in the same frame")
        return made

    def find_class(self, module: str, name: str) -> Imported:
        """An import. Raises Refused for what is not listed."""
        if getattr(self, "proto", 0) < 3:
            if (module, name) in NAME_MAPPING:
                module, name = NAME_MAPPING[module, name]
            module = IMPORT_MAPPING.get(module, module)
        known = self._known.get((module, name))
        if known is not None:
            return known
        self.imports.append((module, name))
        verdict = listed(module, name)
        if verdict == "block" and self.strict:
            raise Refused("pickle.import", f"imports {module!r:.80}.{name!r:.80}")
        if verdict == "review":
            self.reviewed.add(f"{module}.{name}")
        found = self._known[module, name] = Imported(module, name)
        return found

    def persistent_load(self, pid: Any) -> Made:
        """A reference to something beside the pickle: a storage of torch's, or something nobody knows."""
        if not self.strict:
            raise Refused("pickle.persistent", "refers to something outside")
        made = Made("storage", ())
        if isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage" and isinstance(pid[1], Imported):
            kind, key, place, size = pid[1], pid[2], pid[3], pid[4]
            storage = kind.module in ("torch", "torch.storage") and kind.name.endswith("Storage")
            if not storage or not isinstance(key, str) or not isinstance(place, str) or not _count(size):
                raise Refused("pickle.storage", "names a storage without a type, a key or a size")
            if self.storages.setdefault(key, (kind.name, size)) != (kind.name, size):
                known = self.storages[key]
                self.storages[key] = (known[0], max(known[1], size)) if known[0] == kind.name else ("Untyped", 0)
            return made
        self.foreign_ids += 1
        return made

    def get_extension(self, code: int) -> None:
        """Names kept in a registry of the loader's: nobody knows what they are."""
        raise Refused("pickle.extension", f"takes number {code} of the extension registry")

    def call(self, found: object, given: object, named: object = None) -> Made:
        """What a call would make. Raises Refused for one that must not be made."""
        if not isinstance(found, Imported):
            raise Refused("pickle.call", f"calls what it made itself ({type(found).__name__})")
        self.calls += 1
        if not isinstance(given, tuple):
            raise Refused("pickle.call", "calls with arguments that are no tuple")
        if self.strict:
            why = wrong_call(found, given, named if isinstance(named, dict) else {})
            if why:
                raise Refused("pickle.call", why)
        return Made(f"{found.module}.{found.name}", given)


def _count(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 1 << 48


def _reduce(machine: Machine) -> None:
    given = machine.stack.pop()
    machine.stack[-1] = machine.call(machine.stack[-1], given)


def _newobj(machine: Machine) -> None:
    given = machine.stack.pop()
    machine.append(machine.call(machine.stack.pop(), given))


def _newobj_ex(machine: Machine) -> None:
    named = machine.stack.pop()
    given = machine.stack.pop()
    machine.append(machine.call(machine.stack.pop(), given, named))


def _inst(machine: Machine) -> None:
    module = machine.readline()[:-1].decode("ascii")
    name = machine.readline()[:-1].decode("ascii")
    given = machine.pop_mark()
    machine.append(machine.call(machine.find_class(module, name), tuple(given)))


def _obj(machine: Machine) -> None:
    given = machine.pop_mark()
    machine.append(machine.call(given[0], tuple(given[1:])))


def _build(machine: Machine) -> None:
    state = machine.stack.pop()
    made = machine.stack[-1]
    if not isinstance(made, Made):
        raise Refused("pickle.build", f"changes what it did not make ({type(made).__name__})")
    why = wrong_state(made, state)
    if why:
        raise Refused("pickle.build", why)
    made.state = state


def _bounded(key: object) -> None:
    if not isinstance(key, tuple):
        return
    waiting: list[Any] = [key]
    count = 0
    while waiting:
        part = waiting.pop()
        count += len(part)
        if count > MOST_IN_KEY:
            raise Refused("pickle.bomb", "a key that takes for ever to hash")
        waiting.extend(one for one in part if isinstance(one, tuple | frozenset))


def _hashing(opcode: bytes, keys: Callable[[Any], Any]) -> Callable[[Any], None]:
    """The standard machine's way with this opcode, after a look at what it is about to hash."""
    standard = _Standard.dispatch[opcode[0]]

    def bounded(machine: Any) -> None:
        for key in keys(machine.stack):
            _bounded(key)
        standard(machine)

    return bounded


def _memo(opcode: bytes) -> Callable[[Any], None]:
    """Memo slots are arrays in the loaders' machine: a far slot is memory taken."""
    standard = _Standard.dispatch[opcode[0]]

    def bounded(machine: Any) -> None:
        standard(machine)
        newest = next(reversed(machine.memo))
        if newest > 1 << 16 and newest > 64 * len(machine.memo):
            raise Refused("pickle.bomb", f"memo slot {newest}")

    return bounded


def _bytearray8(machine: Any) -> None:
    length = int.from_bytes(machine.read(8), "little")
    value = machine.read(length) if length < 1 << 40 else b""
    if len(value) != length:
        raise EOFError("a bytearray that reaches over the end")
    machine.append(bytearray(value))


Machine.dispatch.update(
    {
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _newobj,
        pickle.NEWOBJ_EX[0]: _newobj_ex,
        pickle.INST[0]: _inst,
        pickle.OBJ[0]: _obj,
        pickle.BUILD[0]: _build,
        pickle.SETITEM[0]: _hashing(pickle.SETITEM, lambda stack: stack[-2:-1]),
        pickle.SETITEMS[0]: _hashing(pickle.SETITEMS, lambda stack: stack[::2]),
        pickle.DICT[0]: _hashing(pickle.DICT, lambda stack: stack[::2]),
        pickle.ADDITEMS[0]: _hashing(pickle.ADDITEMS, lambda stack: stack),
        pickle.FROZENSET[0]: _hashing(pickle.FROZENSET, lambda stack: stack),
        pickle.PUT[0]: _memo(pickle.PUT),
        pickle.LONG_BINPUT[0]: _memo(pickle.LONG_BINPUT),
        pickle.BYTEARRAY8[0]: _bytearray8,
    }
)
