"""Every tensor of a checkpoint by a flat name, and its plain values beside them; nothing is unpickled.

Invariant: what is in the file is a tensor, a plain value or a refusal; nothing is left out without a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from freehold.registry.gate import numpy_files, pickle_sniff, pickles, torch_files, zips
from freehold.registry.gate.arrays import Array, Place, array_of, laid, numpy_dtype
from freehold.registry.gate.errors import Malformed, NotConverted, NoTensors, TooMuch
from freehold.registry.gate.kept import Kept, ran
from freehold.registry.gate.naming import quoted
from freehold.registry.gate.pickle_calls import Imported, Made
from freehold.registry.gate.types import Source, Walk

ALONE = "tensor"
"""Name of a tensor that stands in its file without one."""
MOST_VALUES = 1_000_000
MOST_DEPTH = 64
MOST_NOTES = 4 << 20
"""Bytes of plain values."""
_DICTS = ("builtins.dict", "collections.OrderedDict", "collections.Counter", "collections.defaultdict")
_LISTS = ("builtins.list", "builtins.tuple", "collections.deque")
_SPACES = ("argparse.Namespace", "types.SimpleNamespace")


class Tensors(msgspec.Struct, frozen=True):
    """What a file holds: `notes` are its plain values by the same kind of names, as JSON."""

    form: str
    arrays: Mapping[str, Array]
    notes: Mapping[str, Any]


def known(source: Source) -> str:
    """The form of weights that can be converted: torch, torch_legacy, npy, npz, joblib, pickle; empty for others."""
    return next((name for name, knows, _ in _READERS if knows(source)), "")


def read(source: Source, walk: Walk) -> Tensors:
    """The tensors of a file. Raises NotConverted, Malformed or TooMuch."""
    for name, knows, reader in _READERS:
        if knows(source):
            value, place = reader(source, walk)
            return _flat(name, value, place)
    raise NotConverted(f"{source.name} is no checkpoint of torch's, no joblib file and no array of numpy's")


def _torch(source: Source, walk: Walk) -> tuple[Any, Place]:
    inside = {entry.name.partition("/")[2]: member for entry, member in zips.members(source, walk)}
    roots = {name.partition("/")[0] for name in zips.names(source)}
    if len(roots) != 1 or next(zips.reasons(source), None) is not None:
        raise Malformed("torch's archive has members that do not belong together")
    if "constants.pkl" in inside or any(name.startswith("code/") for name in inside):
        raise NotConverted("TorchScript: a program, not its tensors alone")
    order = inside.get("byteorder")
    if order is not None and bytes(order.data[:16]).strip() != b"little":
        raise NotConverted("elements in big-endian order", hint="save it anew on a little-endian machine")
    main = inside["data.pkl"]
    value, machine = ran(main)
    if machine.file.at != len(main.data):
        raise Malformed("bytes follow torch's pickle")
    storages = {}
    for key, (kind, count) in machine.storages.items():
        member = inside.get(f"data/{key}")
        size = count * pickles.STORAGE_ITEMS.get(kind.removesuffix("Storage"), 0)
        if member is None or len(member.data) < size:
            raise Malformed(f"storage {quoted(key, 40)} is missing, or smaller than the tensors in it")
        storages[key] = member.data[:size]
    return value, Place(storages, source.data)


def _legacy(source: Source, walk: Walk) -> tuple[Any, Place]:
    walk.spend(0)
    made: list[Any] = []
    at = 0
    named: dict[str, tuple[str, int]] = {}
    for _ in range(5):
        value, machine = ran(source, at)
        made.append(value)
        named |= machine.storages
        at = machine.file.at
    _, protocol, system, value, keys = made
    if protocol != 1001 or not isinstance(system, dict) or not isinstance(keys, list) or set(keys) != set(named):
        raise Malformed("the keys of torch's old form are not those of its tensors")
    if system.get("little_endian") is not True:
        raise NotConverted("elements in big-endian order", hint="save it anew on a little-endian machine")
    storages = {}
    for key in keys:
        kind, count = named[key]
        size = count * pickles.STORAGE_ITEMS.get(kind.removesuffix("Storage"), 0)
        if key in storages or int.from_bytes(bytes(source.data[at : at + 8]), "little") != count:
            raise Malformed("a storage of torch's old form is of another size than its tensors say")
        storages[key] = source.data[at + 8 : at + 8 + size]
        at += 8 + size
    if at != len(source.data):
        raise Malformed("torch's old form does not end with its last storage")
    return value, Place(storages, source.data)


def _npy(source: Source, walk: Walk) -> tuple[Any, Place]:
    walk.spend(0)
    head, start, objects = numpy_files.header(source)
    if objects:
        raise NotConverted("an array of Python objects")
    array = laid(numpy_dtype(head["descr"]), head["shape"], source.data[start:], fortran=head["fortran_order"])
    if array.size != len(source.data) - start:
        raise Malformed("another number of bytes than the header says")
    return array, Place({}, source.data)


def _npz(source: Source, walk: Walk) -> tuple[Any, Place]:
    if next(zips.reasons(source), None) is not None:
        raise Malformed("an archive with odd members")
    found = {entry.name.removesuffix(".npy"): member for entry, member in zips.members(source, walk)}
    if not all(numpy_files.known(member) for member in found.values()):
        raise NotConverted("an archive that holds more than arrays")
    return {name: _npy(member, walk)[0] for name, member in found.items()}, Place({}, source.data)


def _joblib(source: Source, walk: Walk) -> tuple[Any, Place]:
    walk.spend(0)
    value, machine = ran(source, joblib=True)
    return _whole(value, machine.file.at, source)


def _pickle(source: Source, walk: Walk) -> tuple[Any, Place]:
    walk.spend(0)
    value, machine = ran(source)
    return _whole(value, machine.file.at, source)


def _whole(value: Any, end: int, source: Source) -> tuple[Any, Place]:
    if end != len(source.data):
        raise Malformed("bytes follow the pickle")
    return value, Place({}, source.data)


def _is_npz(source: Source) -> bool:
    names = zips.names(source)
    return bool(names) and all(one.endswith(".npy") for one in names)


_Reader = Callable[[Source, Walk], tuple[Any, Place]]
_READERS: tuple[tuple[str, Callable[[Source], bool], _Reader], ...] = (
    ("npy", numpy_files.known, _npy),
    ("torch", torch_files.known, _torch),
    ("npz", _is_npz, _npz),
    ("torch_legacy", pickles.known_legacy, _legacy),
    ("joblib", pickles.known_joblib, _joblib),
    ("pickle", lambda source: bytes(source.data[:1]) == b"\x80" and pickle_sniff.looks(source), _pickle),
)


def _flat(form: str, value: Any, place: Place) -> Tensors:
    arrays: dict[str, Array] = {}
    notes: dict[str, Any] = {}
    for count, (name, one) in enumerate(_leaves(value, (), place)):
        if count >= MOST_VALUES:
            raise TooMuch(f"more than {MOST_VALUES} values in one file")
        if name in arrays or name in notes:
            raise NotConverted(f"two values become {quoted(name, 80)} when names are flattened")
        if isinstance(one, Array):
            arrays[name] = one
        else:
            notes[name] = one
    if not arrays:
        raise NoTensors("no tensors in it")
    try:
        if len(json.dumps(notes)) > MOST_NOTES:
            raise TooMuch(f"more than {MOST_NOTES} bytes of plain values")
        for name in arrays:
            name.encode()
    except ValueError:
        raise NotConverted("names or values that are no text and no number one could write") from None
    return Tensors(form, arrays, notes)


def _leaves(value: Any, path: tuple[str, ...], place: Place) -> Iterator[tuple[str, Any]]:
    """Raises NotConverted for what is neither a tensor nor plain."""
    name = ".".join(path) or ALONE
    if len(path) > MOST_DEPTH:
        raise NotConverted("containers in containers without end")
    if value is None or isinstance(value, bool | int | float | str | Array):
        if name == "__metadata__" and isinstance(value, Array):
            raise NotConverted("a tensor of the name safetensors keeps for itself")
        yield name, value
        return
    try:
        array = array_of(value, place) if isinstance(value, Made) else None
    except NotConverted as why:
        raise NotConverted(f"{quoted(name, 80)} is {why.message}", hint=why.hint) from None
    if array is not None:
        yield from _leaves(array, path, place)
        return
    held = _held(value)
    if held is None:
        raise NotConverted(f"{quoted(name, 80)} is {_said(value)}: neither a tensor nor a plain value")
    if not held:
        yield name, [] if isinstance(value, list | tuple) else {}
    for key, one in held:
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise NotConverted(f"{quoted(name, 80)} has a key that is no text and no number")
        yield from _leaves(one, (*path, str(key)), place)


def _held(value: Any) -> list[tuple[Any, Any]] | None:
    """What a container holds, with keys; None for what is no container that is known."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if not isinstance(value, Kept):
        return None
    if value.maker in _DICTS:
        given = value.given[0] if value.given and not isinstance(value.given[0], Imported) else ()
        if isinstance(given, dict):
            return [*given.items(), *value.pairs.items()]
        if not isinstance(given, list | tuple) or not all(
            isinstance(one, list | tuple) and len(one) == 2 for one in given
        ):
            return None
        return [*((one[0], one[1]) for one in given), *value.pairs.items()]
    if value.maker in _LISTS and all(isinstance(one, list | tuple) for one in value.given[:1]):
        return list(enumerate([*(one for given in value.given[:1] for one in given), *value.elements]))
    if value.maker == "torch.Size":
        return list(enumerate(value.given[0] if value.given else ()))
    if value.maker in _SPACES and not value.given and isinstance(value.state, dict):
        return list(value.state.items())
    return None


def _said(value: Any) -> str:
    if isinstance(value, Imported):
        return f"{value.module}.{value.name}"
    maker = value.maker if isinstance(value, Made) else type(value).__name__
    return f"an object of {quoted(maker, 80)}"
