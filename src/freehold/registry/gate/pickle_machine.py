"""A pickle's stack machine with nothing behind it: imports and calls make inert stand-ins, all else is as it would be.

Invariant: the machine is the one loaders run (the standard library's, in Python), so what it imports and calls is what
they would; nothing of the file's is imported, called or set.
"""

from __future__ import annotations

import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable
from typing import Any, ClassVar, cast

from freehold.registry.gate.pickle_names import listed, wrong

MOST_OPCODES = 5_000_000
DEEPEST = 1000


class Refused(Exception):
    """The pickle does what no pickle may; `code` is its reason's."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


class StandIn:
    """An inert object: takes state, items and attributes, and keeps what a reader of arrays must know."""

    made_by: str = ""
    given: tuple[Any, ...] = ()
    state: Any = None

    def __setitem__(self, key: object, value: object) -> None:
        """A dictionary's item, which nobody will ask for."""

    def append(self, value: object) -> None:
        """A list's item."""

    def extend(self, values: object) -> None:
        """A list's items."""

    def add(self, value: object) -> None:
        """A set's item."""


class Imported:
    """What an import gave. It can be called; it cannot be changed."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self, *given: Any, **named: Any) -> StandIn:
        """A stand-in for what the call would make. Raises Refused for arguments that must not be."""
        why = wrong(self.module, self.name, given)
        if why:
            raise Refused("pickle.call", why)
        made = StandIn()
        made.made_by, made.given = f"{self.module}.{self.name}", given
        return made


_STANDARD: Any = pickle._Unpickler  # noqa: SLF001 - the machine in Python


class Machine(_STANDARD):  # type: ignore[misc]
    """One run over one stream. `imports` and `storages` are what it found."""

    # The opcodes of the standard machine; those that call or build are replaced below.
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_STANDARD.dispatch)

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="latin1")
        self.imports: list[tuple[str, str]] = []
        self.reviewed: list[str] = []
        self.storages: dict[str, tuple[str, int]] = {}
        """Key of each torch storage, with its type's name and its number of elements."""
        self.foreign_ids = 0
        """Persistent ids that are not torch's."""
        self._known: dict[tuple[str, str], Imported] = {}

    def find_class(self, module: str, name: str) -> Imported:
        """An import. Raises Refused for what is not listed."""
        if getattr(self, "proto", 0) < 3:
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        known = self._known.get((module, name))
        if known is not None:
            return known
        verdict = listed(module, name)
        self.imports.append((module, name))
        if verdict == "block":
            raise Refused("pickle.import", f"imports {module!r:.80}.{name!r:.80}")
        if verdict == "review":
            self.reviewed.append(f"{module}.{name}")
        found = self._known[module, name] = Imported(module, name)
        return found

    def persistent_load(self, pid: Any) -> StandIn:
        """A reference to something beside the pickle: a storage of torch's, or something nobody knows."""
        made = StandIn()
        if isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and isinstance(pid[1], Imported):
            if not isinstance(pid[2], str) or not isinstance(pid[4], int) or pid[4] < 0:
                raise Refused("pickle.storage", "names a storage without a key or a size")
            self.storages[pid[2]] = (pid[1].name, pid[4])
            return made
        self.foreign_ids += 1
        return made

    def get_extension(self, code: int) -> None:
        """Names kept in a registry of the loader's: nobody knows what they are."""
        raise Refused("pickle.extension", f"takes number {code} of the extension registry")


def _callable(found: object) -> Imported:
    if not isinstance(found, Imported):
        raise Refused("pickle.call", f"calls what it made itself ({type(found).__name__})")
    return found


def _reduce(machine: Any) -> None:
    stack = machine.stack
    given = stack.pop()
    if not isinstance(given, tuple):
        raise Refused("pickle.call", "calls with arguments that are no tuple")
    stack[-1] = _callable(stack[-1])(*given)


def _newobj(machine: Any) -> None:
    given = machine.stack.pop()
    found = _callable(machine.stack.pop())
    machine.append(found(*given) if isinstance(given, tuple) else found())


def _newobj_ex(machine: Any) -> None:
    machine.stack.pop()
    _newobj(machine)


def _inst(machine: Any) -> None:
    module = machine.readline()[:-1].decode("ascii")
    name = machine.readline()[:-1].decode("ascii")
    given = machine.pop_mark()
    machine.append(machine.find_class(module, name)(*given))


def _obj(machine: Any) -> None:
    given = machine.pop_mark()
    machine.append(_callable(given[0])(*given[1:]))


def _build(machine: Any) -> None:
    state = machine.stack.pop()
    made = machine.stack[-1]
    if not isinstance(made, StandIn):
        raise Refused("pickle.build", f"changes what it did not make ({type(made).__name__})")
    made.state = state


Machine.dispatch.update(
    {
        pickle.REDUCE[0]: _reduce,
        pickle.NEWOBJ[0]: _newobj,
        pickle.NEWOBJ_EX[0]: _newobj_ex,
        pickle.INST[0]: _inst,
        pickle.OBJ[0]: _obj,
        pickle.BUILD[0]: _build,
    }
)


def run(machine: Machine) -> object:
    """What the stream makes, in stand-ins. Raises Refused, or whatever the standard machine raises for a broken one."""
    return cast(object, machine.load())
