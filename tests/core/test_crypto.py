"""Sealed bytes open only unchanged, and only for what they were bound to."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.crypto import Identity, Sealer, Verifier
from freehold.core.errors import BadSignature

SEALER = Sealer(b"k" * 32)


@settings(max_examples=50)
@given(st.binary(max_size=200), st.binary(max_size=30), st.data())
def test_sealed_bytes_open_unchanged_or_not_at_all(data: bytes, bound: bytes, draw) -> None:
    sealed = SEALER.seal(data, bound)
    assert SEALER.open(sealed, bound) == data
    changed = bytearray(sealed)
    changed[draw.draw(st.integers(0, len(sealed) - 1))] ^= draw.draw(st.integers(1, 255))
    for blob, to in ((bytes(changed), bound), (sealed, bound + b"x")):
        with pytest.raises(BadSignature):
            SEALER.open(blob, to)


def test_sealing_twice_shows_nothing() -> None:
    assert SEALER.seal(b"same") != SEALER.seal(b"same")
    assert SEALER.digest(b"p", b"same") == SEALER.digest(b"p", b"same")
    assert SEALER.digest(b"p", b"same") != SEALER.digest(b"q", b"same")
    assert SEALER.digest(b"p", b"same") != Sealer(b"l" * 32).digest(b"p", b"same")


def test_identity_and_data_key_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    first, again = Identity.load(tmp_path / "i" / "identity.key"), Identity.load(tmp_path / "i" / "identity.key")
    assert first.public == again.public
    Verifier(first.public).verify(again.sign(b"x"), b"x")
    Sealer.load(tmp_path / "data.key")
    for path in (tmp_path / "i" / "identity.key", tmp_path / "data.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_all_who_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    for number in range(20):
        path = tmp_path / str(number) / "data.key"
        start = threading.Barrier(4)

        def first(path: Path = path, start: threading.Barrier = start) -> bytes:
            start.wait()
            return Identity.load(path).public

        with ThreadPoolExecutor(4) as pool:
            found = {one.result() for one in [pool.submit(first) for _ in range(4)]}
        assert found == {Identity.load(path).public}
        assert [one.name for one in path.parent.iterdir()] == ["data.key"]
