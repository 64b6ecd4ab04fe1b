"""The audit tree as it is stored: tiles of 256 hashes, and only every eighth level of the tree.

Pure. A `Tree` is a value: its size and the tiles that are not full yet; `grow` gives a new one and the tiles to write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from freehold.ledger.audit.merkle import EMPTY_ROOT, Nodes, fold, node_hash, split_of

WIDTH = 256
_STEP = 8

Tiles = Callable[[int, int], bytes]
"""`tiles(level, number)`: the hashes of one stored tile, joined."""


class Tree(msgspec.Struct, frozen=True):
    """How far the log has grown."""

    size: int = 0
    edges: tuple[tuple[bytes, ...], ...] = ()
    """Per tile level, from the leaves up: the hashes of its last tile, where that is not full."""


class Tile(msgspec.Struct, frozen=True):
    """One tile to store (again, where it has grown)."""

    level: int
    number: int
    hashes: bytes


def grow(tree: Tree, leaves: Sequence[bytes]) -> tuple[Tree, list[Tile]]:
    """The tree with `leaves` (leaf hashes) appended, and the tiles that changed."""
    tiles: list[Tile] = []
    edges: list[tuple[bytes, ...]] = []
    fresh = list(leaves)
    level, before = 0, tree.size
    while fresh or level < len(tree.edges):
        edge = tree.edges[level] if level < len(tree.edges) else ()
        row = [*edge, *fresh]
        number = before // WIDTH
        if fresh:
            tiles.extend(
                Tile(level, number + at // WIDTH, b"".join(row[at : at + WIDTH])) for at in range(0, len(row), WIDTH)
            )
        full = len(row) // WIDTH
        fresh = [fold(row[at * WIDTH : (at + 1) * WIDTH]) for at in range(full)]
        edges.append(tuple(row[full * WIDTH :]))
        level, before = level + 1, number
    return Tree(tree.size + len(leaves), tuple(edges)), tiles


def load(size: int, tiles: Tiles) -> Tree:
    """The tree of that size out of its stored tiles."""
    edges: list[tuple[bytes, ...]] = []
    count = size
    while count:
        number, rest = divmod(count, WIDTH)
        blob = tiles(len(edges), number) if rest else b""
        edges.append(tuple(blob[at * 32 : at * 32 + 32] for at in range(rest)))
        count = number
    return Tree(size, tuple(edges))


def root(tree: Tree) -> bytes:
    """The root, out of the edges alone: their perfect subtrees, largest first, folded from the right."""
    peaks: list[bytes] = []
    for edge in reversed(tree.edges):
        row = edge
        while row:
            take = len(row) if len(row) & (len(row) - 1) == 0 else split_of(len(row))
            peaks.append(fold(row[:take]))
            row = row[take:]
    if not peaks:
        return EMPTY_ROOT
    found = peaks.pop()
    while peaks:
        found = node_hash(peaks.pop(), found)
    return found


def nodes_of(tiles: Tiles) -> Nodes:
    """Any perfect subtree's hash, from the one tile that holds it."""

    def nodes(level: int, number: int) -> bytes:
        tile_level, inside = divmod(level, _STEP)
        first = number << inside
        blob = tiles(tile_level, first // WIDTH)
        at = first % WIDTH
        return fold([blob[one * 32 : one * 32 + 32] for one in range(at, at + (1 << inside))])

    return nodes
