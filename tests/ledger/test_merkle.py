"""The tree's maths against the definition, written down as naively as it can be."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.errors import BadSignature
from freehold.ledger.audit import merkle

SIZES = st.integers(1, 70)


def naive_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def leaves_of(size: int) -> list[bytes]:
    return [merkle.leaf_hash(bytes([one])) for one in range(size)]


def nodes_over(leaves: list[bytes]) -> merkle.Nodes:
    return lambda level, number: naive_root(leaves[number << level : (number + 1) << level])


def test_known_hashes_of_rfc_9162_test_vectors() -> None:
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@given(SIZES)
def test_root_is_the_definition(size: int) -> None:
    leaves = leaves_of(size)
    assert merkle.root(nodes_over(leaves), size) == merkle.fold(leaves) == naive_root(leaves)


@given(SIZES, st.data())
def test_inclusion_holds_for_every_leaf_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion(nodes_over(leaves), index, size)
    root = naive_root(leaves)
    merkle.check_inclusion(leaves[index], index, size, path, root)
    with pytest.raises(BadSignature):
        merkle.check_inclusion(merkle.leaf_hash(b"another"), index, size, path, root)
    for other in range(size):
        if other != index:
            with pytest.raises(BadSignature):
                merkle.check_inclusion(leaves[index], other, size, path, root)


@given(SIZES, st.data())
def test_a_changed_path_does_not_verify(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion(nodes_over(leaves), index, size)
    root = naive_root(leaves)
    broken = data.draw(st.sampled_from(["longer", "shorter", "flipped"]))
    if broken == "longer":
        path = [*path, bytes(32)]
    elif not path:
        return
    elif broken == "shorter":
        path = path[:-1]
    else:
        at = data.draw(st.integers(0, len(path) - 1))
        path[at] = bytes([path[at][0] ^ 1]) + path[at][1:]
    with pytest.raises(BadSignature):
        merkle.check_inclusion(leaves[index], index, size, path, root)


@given(SIZES, SIZES)
def test_consistency_holds_between_all_sizes(one: int, two: int) -> None:
    old, new = sorted((one, two))
    leaves = leaves_of(new)
    path = merkle.consistency(nodes_over(leaves), old, new)
    merkle.check_consistency(old, new, path, naive_root(leaves[:old]), naive_root(leaves))


@given(st.integers(1, 40), st.integers(1, 30), st.data())
def test_a_rewritten_past_is_not_consistent(old: int, more: int, data: st.DataObject) -> None:
    leaves = leaves_of(old + more)
    before = naive_root(leaves[:old])
    leaves[data.draw(st.integers(0, old - 1))] = merkle.leaf_hash(b"rewritten")
    path = merkle.consistency(nodes_over(leaves), old, old + more)
    with pytest.raises(BadSignature):
        merkle.check_consistency(old, old + more, path, before, naive_root(leaves))


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3)])
def test_no_proof_between_impossible_sizes(old: int, new: int) -> None:
    leaves = leaves_of(4)
    with pytest.raises(ValueError, match="no proof"):
        merkle.consistency(nodes_over(leaves), old, new)
    with pytest.raises(BadSignature):
        merkle.check_consistency(old, new, [], bytes(32), bytes(32))
