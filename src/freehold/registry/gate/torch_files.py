"""torch's zip form: one pickle, and the raw bytes of each storage it names.

Invariant: a member that is no storage of the right size is looked at like any file.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.registry.gate import pickles, zips
from freehold.registry.gate.byte_reader import ByteReader
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.pickle_machine import Machine
from freehold.registry.gate.types import Format, Reason, Source, Walk

_MARKS = frozenset({"byteorder", "version", ".format_version", ".storage_alignment", ".data/serialization_id"})
_SCRIPT = frozenset({"constants.pkl", "bytecode.pkl"})


def known(source: Source) -> bool:
    """A zip archive with a `data.pkl` in its one top folder, which is what torch looks for, in any case of letters."""
    return any(name.count("/") == 1 and name.lower().endswith("/data.pkl") for name in zips.names(source))


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """The pickle by the machine, storages by their sizes, the rest by content. Raises Malformed."""
    yield from zips.reasons(source)
    inside = list(zips.members(source, walk))
    roots = {entry.name.partition("/")[0] for entry, _ in inside}
    if len(roots) != 1:
        raise Malformed("torch's archive has members outside its one folder")
    root = f"{roots.pop()}/"
    parts = {entry.name.removeprefix(root): member for entry, member in inside}
    if "data.pkl" not in parts:
        raise Malformed("torch's archive spells its members otherwise")
    main = parts.pop("data.pkl")
    machine = Machine(ByteReader(main.data))
    found: list[Reason] = []
    ended = pickles.run(main, 0, machine, found)
    yield from found
    if ended and ended[1] != len(main.data):
        yield Reason("block", "pickle.trailing", main.name, f"{len(main.data) - ended[1]} bytes follow the pickle")
    if machine.foreign_ids:
        yield Reason("review", "pickle.persistent", main.name, "refers to objects torch knows nothing of")
    if ended:
        yield from _storages(source, machine.storages, parts)
    yield from _rest(parts, machine.storages, walk)


def _storages(source: Source, named: dict[str, tuple[str, int]], parts: dict[str, Source]) -> Iterator[Reason]:
    for key, (kind, count) in sorted(named.items()):
        member = parts.get(f"data/{key}")
        width = pickles.STORAGE_ITEMS.get(kind.removesuffix("Storage"))
        if member is None:
            yield Reason("block", "torch.storage", source.name, f"storage {key!r:.40} is not in the archive")
        elif width is None or len(member.data) < count * width:
            yield Reason("block", "torch.storage", member.name, "smaller than the tensors in it")


def _rest(parts: dict[str, Source], named: dict[str, tuple[str, int]], walk: Walk) -> Iterator[Reason]:
    for name, member in sorted(parts.items()):
        if name.startswith("data/") and name.removeprefix("data/") in named:
            continue
        if name in _MARKS and len(member.data) <= 64 and bytes(member.data).strip().isalnum():
            continue
        if name in _SCRIPT or name.startswith("code/"):
            yield Reason("review", "torch.script", member.name, "TorchScript: a program of its own")
        found = walk.inside(member)
        spare = name.startswith("data/") and name.removeprefix("data/").isdecimal()
        # torch keeps storages that nothing names any more, and never opens them
        yield from (one for one in found if not (spare and one.code == "format.unknown"))


FORMAT = Format("torch", known, look)
