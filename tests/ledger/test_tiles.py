"""Stored tiles give the same tree as the plain definition, however the log grew."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.ledger.audit import merkle, tiles

GROWTHS = st.lists(st.integers(0, 300), min_size=1, max_size=6)


class Stored:
    def __init__(self) -> None:
        self.blobs: dict[tuple[int, int], bytes] = {}

    def write(self, changed: list[tiles.Tile]) -> None:
        for one in changed:
            before = self.blobs.get((one.level, one.number), b"")
            assert one.hashes.startswith(before)  # a tile only ever grows
            self.blobs[one.level, one.number] = one.hashes

    def __call__(self, level: int, number: int) -> bytes:
        return self.blobs[level, number]


def leaf(number: int) -> bytes:
    return merkle.leaf_hash(number.to_bytes(4, "big"))


def grown(growths: list[int]) -> tuple[tiles.Tree, Stored, list[bytes]]:
    tree, stored, leaves = tiles.Tree(), Stored(), []
    for count in growths:
        fresh = [leaf(len(leaves) + one) for one in range(count)]
        tree, changed = tiles.grow(tree, fresh)
        stored.write(changed)
        leaves += fresh
    return tree, stored, leaves


@given(GROWTHS)
@settings(max_examples=40)
def test_root_and_reloaded_tree_do_not_depend_on_how_it_grew(growths: list[int]) -> None:
    tree, stored, leaves = grown(growths)
    expected = merkle.fold(leaves) if leaves else merkle.EMPTY_ROOT
    assert tiles.root(tree) == expected
    again = tiles.load(len(leaves), stored)
    assert tiles.root(again) == expected
    assert merkle.root(tiles.nodes_of(stored), len(leaves)) == expected
    more = [leaf(10_000 + one) for one in range(5)]
    assert tiles.root(tiles.grow(again, more)[0]) == merkle.fold([*leaves, *more])


@given(GROWTHS, st.data())
@settings(max_examples=40)
def test_proofs_out_of_tiles_verify_also_for_an_older_size(growths: list[int], data: st.DataObject) -> None:
    _, stored, leaves = grown(growths)
    if not leaves:
        return
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    nodes = tiles.nodes_of(stored)
    path = merkle.inclusion(nodes, index, size)
    merkle.check_inclusion(leaves[index], index, size, path, merkle.fold(leaves[:size]))


def test_three_levels() -> None:
    tree, stored, leaves = grown([65_000, 536, 300])
    assert len(tree.edges) == 3
    assert tiles.root(tree) == merkle.fold(leaves)
    assert tiles.root(tiles.load(len(leaves), stored)) == merkle.fold(leaves)
    path = merkle.inclusion(tiles.nodes_of(stored), 65_700, len(leaves))
    merkle.check_inclusion(leaves[65_700], 65_700, len(leaves), path, merkle.fold(leaves))
