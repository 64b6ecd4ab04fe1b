"""Pickles: plain ones, several in a row, joblib's with arrays between, torch's old form with storages after.

Invariant: every byte belongs to a stream the machine ran to its end, or to an array or storage of known size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

from freehold.registry.gate import naming
from freehold.registry.gate.byte_reader import ByteReader
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.pickle_calls import Made, Refused, holds_objects, item_size
from freehold.registry.gate.pickle_machine import BROKEN, Machine
from freehold.registry.gate.pickle_sniff import looks
from freehold.registry.gate.types import Format, Reason, Source, Walk

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle of torch's old form (torch/serialization.py)."""
STORAGE_ITEMS = {
    "BFloat16": 2, "Bool": 1, "Byte": 1, "Char": 1, "ComplexDouble": 16, "ComplexFloat": 8, "Double": 8, "Float": 4,
    "Half": 2, "Int": 4, "Long": 8, "QInt32": 4, "QInt8": 1, "QUInt2x4": 1, "QUInt4x2": 1, "QUInt8": 1, "Short": 2,
    "Untyped": 1,
}  # fmt: skip
"""Bytes of one item, by the type's name without `Storage`."""
_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_MOST_STREAMS = 1000
_ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"


class JoblibMachine(Machine):
    """Steps over the arrays that joblib writes between opcodes, and runs the pickles of objects among them."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(Machine.dispatch)
    arrays = 0


def _joblib_build(machine: JoblibMachine) -> None:
    Machine.dispatch[b"b"[0]](machine)
    made = machine.stack[-1]
    if not isinstance(made, Made) or made.maker != _ARRAY:
        return
    state = made.state[0] if isinstance(made.state, tuple) else made.state
    if not isinstance(state, dict) or not isinstance(state.get("shape"), tuple):
        raise Refused("joblib.array", "an array without a shape")
    machine.arrays += 1
    kind = state.get("dtype")
    if holds_objects(kind):
        nested = Machine(machine.file, strict=machine.strict)  # joblib takes a plain unpickler for them
        nested.load()
        machine.reviewed |= nested.reviewed
        machine.imports += nested.imports
        return
    width = item_size(kind)
    if width is None or not all(isinstance(one, int) and one >= 0 for one in state["shape"]):
        raise Refused("joblib.array", "an array of a dtype or shape that is not known")
    if state.get("numpy_array_alignment_bytes") is not None:
        padding = machine.file.read(1)
        machine.file.skip(padding[0] if padding else 1)
    machine.file.skip(width * math.prod(state["shape"]))


JoblibMachine.dispatch[b"b"[0]] = _joblib_build


def run(source: Source, start: int, machine: Machine, found: list[Reason]) -> tuple[object, int] | None:
    """Run one stream from `start`: what it makes, and where it ends; None and a reason where it must not be loaded."""
    where = source.name
    try:
        made = machine.load()
    except Refused as refused:
        found.append(Reason("block", refused.code, where, naming.quoted(str(refused))))
    except BROKEN as broken:
        said = naming.quoted(str(broken) or type(broken).__name__, 80)
        found.append(Reason("block", "pickle.broken", where, f"breaks off at byte {machine.file.at}: {said}"))
    else:
        named = sorted(machine.reviewed)
        found.extend(Reason("review", "pickle.class", where, f"makes {naming.quoted(one)}") for one in named)
        return made, machine.file.at
    return None


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Every stream there is; a person decides about bytes that are none."""
    found: list[Reason] = []
    at = count = 0
    while at < len(source.data):
        walk.spend(0)
        count += 1
        machine = Machine(ByteReader(source.data, at))
        ended = run(source, at, machine, found)
        if ended is None:
            if count > 1 and not looks(Source(source.name, source.data[at:])):
                found[-1] = Reason("review", "pickle.trailing", source.name, f"{len(source.data) - at} bytes follow")
            break
        made, at = ended
        if _WRAPPER in machine.imports:  # joblib would step over bytes that were taken for opcodes here
            found.append(Reason("block", "pickle.joblib", source.name, "an array of joblib's in a plain pickle"))
        if machine.storages or machine.foreign_ids:
            found.append(Reason("review", "pickle.persistent", source.name, "refers to objects outside the file"))
        if count == 1 and made == TORCH_MAGIC:
            yield Reason("block", "torch.legacy", source.name, "begins as torch's old form and does not go on as it")
        if count > _MOST_STREAMS:
            found.append(Reason("block", "pickle.many", source.name, f"more than {_MOST_STREAMS} pickles in a row"))
            break
    yield from found


def known_joblib(source: Source) -> bool:
    """A pickle that names joblib's wrapper of arrays near an opcode that imports."""
    if not looks(source) or not _mentions(source.data, b"NumpyArrayWrapper"):
        return False
    machine = JoblibMachine(ByteReader(source.data), strict=False)
    with suppress(Refused, *BROKEN):
        machine.load()
    return machine.arrays > 0


def _mentions(data: memoryview, word: bytes) -> bool:
    step = 1 << 20
    return any(word in bytes(data[at : at + step + len(word)]) for at in range(0, len(data), step))


def look_joblib(source: Source, walk: Walk) -> Iterator[Reason]:
    """As joblib reads it, and as a plain unpickler would, which takes the arrays for opcodes."""
    found: list[Reason] = []
    ended = run(source, 0, JoblibMachine(ByteReader(source.data)), found)
    yield from found
    if ended and ended[1] != len(source.data):
        yield Reason("block", "pickle.trailing", source.name, f"{len(source.data) - ended[1]} bytes follow")
    plain = Machine(ByteReader(source.data))
    try:
        plain.load()
    except Refused as refused:
        yield Reason("block", refused.code, source.name, f"read without joblib: {naming.quoted(str(refused))}")
    except BROKEN:
        return


def known_legacy(source: Source) -> bool:
    """Begins with the number torch's old form begins with."""
    if len(source.data) < 16 or source.data[0] != 0x80:
        return False
    machine = Machine(ByteReader(source.data[:64]))
    try:
        return bool(machine.load() == TORCH_MAGIC)
    except (Refused, *BROKEN):
        return False


def look_legacy(source: Source, walk: Walk) -> Iterator[Reason]:
    """Number, protocol, the machine it was made on, the object, keys; then each storage: its count and its bytes."""
    found: list[Reason] = []
    made: list[Any] = []
    at = 0
    storages: dict[str, tuple[str, int]] = {}
    for _ in range(5):
        machine = Machine(ByteReader(source.data, at))
        ended = run(source, at, machine, found)
        if ended is None:
            break
        made.append(ended[0])
        at = ended[1]
        storages |= machine.storages
        if machine.foreign_ids:
            found.append(Reason("review", "pickle.persistent", source.name, "refers to objects torch knows nothing of"))
    yield from found
    if len(made) < 5:
        return
    _, protocol, _, _, keys = made
    if protocol != 1001 or not isinstance(keys, list) or set(keys) != set(storages) or len(set(keys)) != len(keys):
        raise Malformed("the keys of torch's old form are not those of its tensors")
    for key in keys:
        kind, least = storages[key]
        count = int.from_bytes(bytes(source.data[at : at + 8]), "little")
        width = STORAGE_ITEMS.get(kind.removesuffix("Storage"))
        if width is None or count < least:
            raise Malformed("a storage of torch's old form is smaller than its tensors")
        at += 8 + count * width
    if at != len(source.data):
        raise Malformed("torch's old form does not end with its last storage")


PICKLE = Format("pickle", looks, look)
JOBLIB = Format("joblib", known_joblib, look_joblib)
LEGACY = Format("torch_legacy", known_legacy, look_legacy)
