"""Snapshots: only what this identity signed, whole, of the kind asked for, and never an older one again."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature
from freehold.core.log import Log
from freehold.core.snapshot import read_snapshot, write_snapshot


class Content(msgspec.Struct, frozen=True):
    names: tuple[str, ...] = ()


IDENTITY = Identity(bytes(32))
WRITTEN = Content(("a", "b"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("snapshots")


@pytest.fixture(scope="module")
def blob(folder: Path) -> bytes:
    write_snapshot(folder, "keys", 7, 1.0, WRITTEN, IDENTITY)
    return (folder / "keys.snapshot").read_bytes()


def test_what_was_written_is_read(folder: Path, blob: bytes) -> None:
    (folder / "keys.snapshot").write_bytes(blob)
    assert read_snapshot(folder, "keys", Content, IDENTITY) == (7, WRITTEN)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_refused(folder: Path, blob: bytes, data) -> None:
    at = data.draw(st.integers(0, len(blob) - 1))
    changed = bytearray(blob)
    changed[at] ^= data.draw(st.integers(1, 255))
    (folder / "keys.snapshot").write_bytes(bytes(changed))
    with pytest.raises(BadSignature):
        read_snapshot(folder, "keys", Content, IDENTITY)


@settings(max_examples=30)
@given(st.integers(0, 200))
def test_any_cut_is_refused(folder: Path, blob: bytes, length: int) -> None:
    (folder / "keys.snapshot").write_bytes(blob[: min(length, len(blob) - 1)])
    with pytest.raises(BadSignature):
        read_snapshot(folder, "keys", Content, IDENTITY)


def test_another_identity_is_refused(folder: Path, blob: bytes) -> None:
    (folder / "keys.snapshot").write_bytes(blob)
    with pytest.raises(BadSignature):
        read_snapshot(folder, "keys", Content, Identity(b"\x01" * 32))


def test_one_kind_does_not_pass_for_another(folder: Path, blob: bytes) -> None:
    (folder / "routes.snapshot").write_bytes(blob)
    with pytest.raises(BadSignature, match="holds keys"):
        read_snapshot(folder, "routes", Content, IDENTITY)


@pytest.mark.parametrize("content", [{"names": 5}, ["names"], "text", None])
def test_signed_but_of_another_form_is_refused_as_such(tmp_path: Path, content: object) -> None:
    write_snapshot(tmp_path, "keys", 1, 0.0, content, IDENTITY)
    with pytest.raises(BadArtefact):
        read_snapshot(tmp_path, "keys", Content, IDENTITY)


def test_a_signed_envelope_that_is_none_is_refused(tmp_path: Path) -> None:
    data = msgspec.msgpack.encode({"kind": "keys"})
    (tmp_path / "keys.snapshot").write_bytes(IDENTITY.sign(data) + data)
    with pytest.raises(BadArtefact):
        read_snapshot(tmp_path, "keys", Content, IDENTITY)


def test_a_log_line_masks_what_looks_like_a_secret() -> None:
    out = io.StringIO()
    Log("test", out, lambda: 0.0).info("x", reason="key fh-abcdef0123456789 and Bearer tok-tok", password="p", count=3)
    line = out.getvalue()
    assert "fh-abcdef" not in line and "tok-tok" not in line and '"p"' not in line
    assert '"count": 3' in line
