"""Is the log what it was signed to be? The whole tree computed anew, against tiles, checkpoints and outside copies.

Pure. A leaf's hash comes from its row; the tiles are a second copy, which tells whether a row or a tile was changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from freehold.core.crypto import Verifier
from freehold.core.errors import BadSignature
from freehold.ledger.audit import note, tiles
from freehold.ledger.audit.leaves import Erasure, Leaf, sum_of
from freehold.ledger.audit.merkle import leaf_hash
from freehold.ledger.receipts import entry_of

_UNKNOWN = bytes(32)


class Problem(msgspec.Struct, frozen=True):
    """One thing that does not hold."""

    where: str
    message: str


class Signed(msgspec.Struct, frozen=True):
    """A checkpoint as it was found: `where` names its row or file; what stands beside the note is checked with it."""

    where: str
    note: str
    size: int
    root: bytes | None = None
    at: float | None = None
    outside: bool = False


class Grown(msgspec.Struct):
    """Tree and tiles over a sequence of leaf hashes, and its root at the sizes that were asked for."""

    tiles: dict[tuple[int, int], bytes]
    roots: dict[int, bytes]


class Checked(msgspec.Struct):
    """What a check found."""

    size: int
    problems: list[Problem]
    signed: int
    """Leaves under the newest good checkpoint."""
    outside: int
    """Leaves under the newest good outside checkpoint."""
    checkpoints: int
    erased: int
    hashes: list[bytes]


def check(
    leaves: Iterable[Leaf],
    stored: Mapping[tuple[int, int], bytes],
    checkpoints: Sequence[Signed],
    erasures: Sequence[Erasure],
    verifier: Verifier,
) -> Checked:
    """Check a whole log. Every problem is named; none means that all of it holds."""
    problems: list[Problem] = []
    told = _tell(leaves, stored, problems)
    _check_erasures(told, erasures, problems)
    good = _read_notes(checkpoints, verifier, problems)
    sizes = sorted({one.size for one, _ in good})
    ours, theirs = grow(told.hashes, sizes), grow(_leaf_hashes(stored), sizes)
    _check_rows(told, (ours, theirs), sizes, [one for one, _ in good], problems)
    _check_tiles(ours, stored, problems)
    _check_roots(good, ours, told, problems)
    _check_chain(good, problems)
    return Checked(
        size=len(told.hashes),
        problems=problems,
        signed=max((one.size for one, _ in good), default=0),
        outside=max((one.size for one, from_ in good if from_.outside), default=0),
        checkpoints=len(good),
        erased=len(told.left),
        hashes=told.hashes,
    )


def grow(hashes: Sequence[bytes], sizes: Sequence[int]) -> Grown:
    """Tiles of all leaves, and the roots at `sizes` (ascending), as far as there are leaves."""
    made = Grown({}, {})
    tree = tiles.Tree()
    for size in [*(one for one in sizes if one <= len(hashes)), len(hashes)]:
        tree, changed = tiles.grow(tree, hashes[tree.size : size])
        made.tiles.update(((one.level, one.number), one.hashes) for one in changed)
        made.roots[size] = tiles.root(tree)
    return made


class _Told(msgspec.Struct):
    hashes: list[bytes]
    names: list[str]
    left: dict[int, str]
    suspect: list[int]
    """Leaves whose row does not give the hash that is stored."""


def _tell(leaves: Iterable[Leaf], stored: Mapping[tuple[int, int], bytes], problems: list[Problem]) -> _Told:
    told = _Told([], [], {}, [])
    for leaf in leaves:
        kept = stored_hash(stored, leaf.number)
        told.names.append(leaf.what)
        if leaf.problem:
            problems.append(Problem(f"leaf {leaf.number} ({leaf.what})", leaf.problem))
        if leaf.statement is not None and not leaf.problem:
            found = leaf_hash(entry_of(leaf.statement, leaf.salt))
            if found != kept:
                told.suspect.append(leaf.number)
            told.hashes.append(found)
            continue
        if leaf.left:
            told.left[leaf.number] = leaf.left
        told.hashes.append(kept or _UNKNOWN)
    return told


def _check_erasures(told: _Told, erasures: Sequence[Erasure], problems: list[Problem]) -> None:
    for one in erasures:
        where = "an erasure that waits" if one.leaf is None else f"erasure at leaf {one.leaf}"
        left = [told.left.get(leaf) for leaf in one.leaves]
        if None in left:
            problems.append(Problem(where, "names leaves that are no erased calls"))
        elif sum_of([text for text in left if text]) != one.rows:
            span = f"{one.leaves[0]} to {one.leaves[-1]}" if one.leaves else "none"
            problems.append(Problem(where, f"what is left of its rows (leaves {span}) was changed since"))


def _read_notes(
    checkpoints: Sequence[Signed], verifier: Verifier, problems: list[Problem]
) -> list[tuple[note.Checkpoint, Signed]]:
    good = []
    for one in checkpoints:
        try:
            read = note.read(one.note, verifier)
        except BadSignature as error:
            problems.append(Problem(one.where, error.message))
            continue
        good.append((read, one))
        beside = [
            name
            for name, said, signed in (("size", one.size, read.size), ("root", one.root, read.root))
            if said is not None and said != signed
        ]
        if one.at is not None and read.at is not None and one.at != read.at:
            beside.append("time")
        if beside:
            problems.append(Problem(one.where, f"{' and '.join(beside)} beside the note is not what the note says"))
    return good


def _check_rows(
    told: _Told,
    grown: tuple[Grown, Grown],
    sizes: Sequence[int],
    good: Sequence[note.Checkpoint],
    problems: list[Problem],
) -> None:
    """Say of each leaf whose row and tile differ which of them was changed: the one that leads to no signed root."""
    ours, theirs = grown
    roots = {one.size: one.root for one in good}
    signed_by_tiles = {size for size in sizes if theirs.roots.get(size) == roots[size]}
    signed_by_rows = {size for size in sizes if ours.roots.get(size) == roots[size]}
    for leaf in told.suspect:
        over = [size for size in sizes if size > leaf]
        where = f"leaf {leaf} ({told.names[leaf]})"
        if not over:
            problems.append(Problem(where, "row and tile differ, and neither is signed yet"))
        elif signed_by_rows.intersection(over):
            problems.append(Problem(where, "its hash in the tiles was changed"))
        elif signed_by_tiles.intersection(over):
            problems.append(Problem(where, "its row was changed after it was logged"))
        else:
            problems.append(Problem(where, "row and tile differ, and what was signed is something else"))


def _check_tiles(ours: Grown, stored: Mapping[tuple[int, int], bytes], problems: list[Problem]) -> None:
    for place in sorted(ours.tiles.keys() | stored.keys()):
        where = f"tile {place[0]}/{place[1]}"
        mine, kept = ours.tiles.get(place), stored.get(place)
        if kept is None:
            problems.append(Problem(where, "is missing"))
        elif mine is None:
            problems.append(Problem(where, "has no leaves under it: they were taken away, or it was put there"))
        elif mine != kept:
            problems.append(Problem(where, "is not what the leaves under it give"))


def _check_roots(
    good: Sequence[tuple[note.Checkpoint, Signed]], ours: Grown, told: _Told, problems: list[Problem]
) -> None:
    held = 0
    for read, found in sorted(good, key=lambda pair: pair[0].size):
        if read.size > len(told.hashes):
            gone = read.size - len(told.hashes)
            problems.append(Problem(found.where, f"is over {read.size} leaves: {gone} at the end of the log are gone"))
        elif ours.roots[read.size] != read.root:
            what = f"the log's first {read.size} leaves are not those that were signed"
            problems.append(
                Problem(found.where, f"{what}: something from leaf {held} on was changed, moved or taken away")
            )
        else:
            held = read.size


def _check_chain(good: Sequence[tuple[note.Checkpoint, Signed]], problems: list[Problem]) -> None:
    """Each checkpoint names the one before it that stays, so that none of them can go unseen."""
    inside = {read.size for read, found in good if not found.outside}
    for read, found in good:
        if read.previous and not found.outside and read.previous not in inside:
            problems.append(Problem(found.where, f"the checkpoint of size {read.previous} before it is gone"))
    newest, out = max(inside, default=0), max((read.size for read, found in good if found.outside), default=0)
    if out > newest:
        problems.append(Problem("checkpoints", f"the newest is of size {newest}, but one of size {out} stands outside"))


def stored_hash(stored: Mapping[tuple[int, int], bytes], leaf: int) -> bytes:
    """A leaf's hash as the tiles have it; empty where they have none."""
    number, at = divmod(leaf, tiles.WIDTH)
    blob = stored.get((0, number))
    return blob[at * 32 : at * 32 + 32] if isinstance(blob, bytes) else b""


def _leaf_hashes(stored: Mapping[tuple[int, int], bytes]) -> list[bytes]:
    found: list[bytes] = []
    number = 0
    while isinstance(blob := stored.get((0, number)), bytes):
        found += [blob[at : at + 32] for at in range(0, len(blob), 32)]
        number += 1
    return found
