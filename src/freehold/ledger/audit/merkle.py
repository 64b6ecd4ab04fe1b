"""The audit tree's maths (RFC 9162, section 2.1): leaf and node hashes, roots, inclusion and consistency proofs.

Pure. A tree is asked for through `Nodes`, the hashes of its perfect subtrees, so no proof reads the whole log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from freehold.core.errors import BadSignature

Nodes = Callable[[int, int], bytes]
"""`nodes(level, number)`: hash of the perfect subtree over leaves `[number << level, (number + 1) << level)`."""

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry: `SHA-256(0x00 || entry)`."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: `SHA-256(0x01 || left || right)`."""
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Root over leaf (or equal-sized subtree) hashes. Raises ValueError where there are none."""
    if not hashes:
        raise ValueError("no hashes to fold")
    row = list(hashes)
    while len(row) > 1:
        # Pairing from the left and carrying the odd one up is the split at the largest power of two.
        paired = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            paired.append(row[-1])
        row = paired
    return row[0]


def split_of(count: int) -> int:
    """The largest power of two below `count` (two or more)."""
    return 1 << (count - 1).bit_length() - 1


def range_hash(nodes: Nodes, start: int, end: int) -> bytes:
    """Root over leaves `[start, end)`, where `start` is a multiple of the range's size rounded up to a power of two."""
    count = end - start
    level = count.bit_length() - 1
    if count == 1 << level:
        return nodes(level, start >> level)
    middle = start + split_of(count)
    return node_hash(range_hash(nodes, start, middle), range_hash(nodes, middle, end))


def root(nodes: Nodes, size: int) -> bytes:
    """Root of the tree of the first `size` leaves."""
    return range_hash(nodes, 0, size) if size else EMPTY_ROOT


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """`PATH(index, D[size])` of RFC 9162, section 2.1.3.1. Raises ValueError where the tree has no such leaf."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split_of(end - start)
        if index < middle:
            path.append(range_hash(nodes, middle, end))
            end = middle
        else:
            path.append(range_hash(nodes, start, middle))
            start = middle
    return path[::-1]


def consistency(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """`PROOF(old, D[new])` of RFC 9162, section 2.1.4.1. Raises ValueError unless `0 < old <= new`."""
    if not 0 < old <= new:
        raise ValueError(f"no proof leads from a tree of {old} to one of {new}")
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + split_of(end - start)
        if old <= middle:
            path.append(range_hash(nodes, middle, end))
            end = middle
        else:
            path.append(range_hash(nodes, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(range_hash(nodes, start, end))
    return path[::-1]


def check_inclusion(entry_hash: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Verify as in RFC 9162, section 2.1.3.2. Raises BadSignature where the leaf is not in that tree."""
    if not 0 <= index < size:
        raise BadSignature(f"a tree of {size} has no leaf {index}")
    number, last, found = index, size - 1, entry_hash
    for one in path:
        if last == 0:
            raise BadSignature("the inclusion proof is too long")
        if number & 1 or number == last:
            found = node_hash(one, found)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            found = node_hash(found, one)
        number, last = number >> 1, last >> 1
    if last != 0 or found != expected:
        raise BadSignature("the inclusion proof does not lead to the checkpoint's root")


def check_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Verify as in RFC 9162, section 2.1.4.2. Raises BadSignature where the old tree is no beginning of the new."""
    if not 0 < old <= new:
        raise BadSignature(f"no proof leads from a tree of {old} to one of {new}")
    if old == new:
        if path or old_root != new_root:
            raise BadSignature("trees of one size have different roots")
        return
    proof = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not proof:
        raise BadSignature("the consistency proof is empty")
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    first = second = proof[0]
    for one in proof[1:]:
        if last == 0:
            raise BadSignature("the consistency proof is too long")
        if number & 1 or number == last:
            first, second = node_hash(one, first), node_hash(one, second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            second = node_hash(second, one)
        number, last = number >> 1, last >> 1
    if last != 0 or first != old_root or second != new_root:
        raise BadSignature("the old tree is not the beginning of the new one")
