"""The store of owned models: blobs addressed by SHA-256 and signed manifests that name them.

Nothing reaches an engine but through `open_verified`, which checks the signature and every byte.
Layout under the store's folder: `blobs/sha256/<hex>` (read-only) and `models/<name>.json`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from freehold.core.canonical import canonical
from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact, Conflict, NotFound

Kind = Literal["adapter", "chat", "classifier", "embedding", "prompt"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_CHUNK = 1 << 20


class Blob(msgspec.Struct, frozen=True):
    """One file of an artefact: its name there, its SHA-256 in hex and its size in bytes."""

    name: str
    sha256: str
    size: int


class Origin(msgspec.Struct, frozen=True):
    """Where the bytes first came from: a package and its version, or a path a person gave."""

    package: str
    version: str
    sha256: str
    """Of the file as fetched, before anything was made of it."""


class Making(msgspec.Struct, frozen=True):
    """How the artefact was made of another file: `none`, `requantise`, `convert` or `train`, and its SHA-256."""

    how: str
    from_sha256: str = ""
    detail: str = ""


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """What a trained artefact comes from; digests are SHA-256 in hex."""

    recipe: str
    dataset_sha256: str
    base: str = ""
    """Name in the store of the model it was trained on; empty where it stands alone."""
    base_sha256: str = ""
    """Of the base's first file: the artefact is served on these bytes only."""
    workflow: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one model is; the first file is what the engine opens."""

    name: str
    kind: Kind
    format: str
    files: tuple[Blob, ...]
    origin: Origin
    making: Making
    licence: str
    made_at: str
    """RFC 3339, UTC."""
    lineage: Lineage | None = None
    """Of what was trained here."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files)


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    manifest: Manifest
    key_id: str
    signature: str


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Store:
    """The store at `root`. A `Verifier` may read it; admitting takes the `Identity`."""

    def __init__(self, root: Path, identity: Verifier) -> None:
        self.root = root
        self._identity = identity

    @property
    def verifier(self) -> Verifier:
        """What checks the signatures here."""
        return self._identity

    def blob(self, sha256: str) -> Path:
        """Where a blob lies. Raises BadArtefact for what is no digest."""
        if not _DIGEST.match(sha256):
            raise BadArtefact(f"{sha256[:80]!r} is no SHA-256 in hex")
        return self.root / "blobs" / "sha256" / sha256

    def admit(self, manifest: Manifest, sources: Mapping[str, Path], *, link: bool = False) -> Manifest:
        """Take in `sources` (file name to path) as the manifest's files and sign the manifest.

        `link` shares the bytes with the source where the file system can: only for sources nobody edits in place.
        Raises BadArtefact where a source is not what the manifest says; nothing is then listed.
        """
        if not isinstance(self._identity, Identity):
            raise TypeError("admitting takes the identity, not only its public half")
        path = self._manifest_path(manifest.name)
        for one in manifest.files:
            self._take(one, sources[one.name], link=link)
        signature = self._identity.sign(_signable(manifest))
        signed = _Signed(manifest, self._identity.key_id, signature.hex())
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(signed), indent=2) + b"\n")
        os.replace(temporary, path)
        return manifest

    def list(self) -> tuple[Manifest, ...]:
        """Every model's manifest, by name, signatures checked. Raises BadSignature or BadArtefact."""
        folder = self.root / "models"
        names = sorted(one.stem for one in folder.glob("*.json")) if folder.is_dir() else []
        return tuple(self.show(name) for name in names)

    def show(self, name: str) -> Manifest:
        """One manifest, signature checked. Raises NotFound, BadSignature or BadArtefact."""
        path = self._manifest_path(name)
        try:
            signed = msgspec.json.decode(path.read_bytes(), type=_Signed)
        except FileNotFoundError:
            raise NotFound(f"the store holds no model {name!r}", hint="see them: freehold models list") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadArtefact(f"the manifest of {name} cannot be read: {error}", param=str(path)) from None
        try:
            signature = bytes.fromhex(signed.signature)
        except ValueError:
            raise BadArtefact(f"the manifest of {name} carries no signature", param=str(path)) from None
        self._identity.verify(signature, _signable(signed.manifest))
        if signed.manifest.name != name or not signed.manifest.files:
            raise BadArtefact(f"the manifest of {name} names {signed.manifest.name!r}", param=str(path))
        return signed.manifest

    def verify(self, name: str) -> Manifest:
        """Check the signature and every byte of a model. Raises NotFound, BadSignature or BadArtefact."""
        manifest = self.show(name)
        for one in manifest.files:
            _check(self.blob(one.sha256), one)
        return manifest

    def open_verified(self, name: str) -> Path:
        """The file an engine may open, all bytes just checked. Raises as `verify` does."""
        return self.blob(self.verify(name).files[0].sha256)

    def open_with_base(self, name: str) -> tuple[Path, Path]:
        """The base's file and the adapter's, all bytes just checked. Raises as `verify` does.

        Raises BadArtefact also where the store's base is not, byte for byte, what the adapter was trained on.
        """
        manifest = self.verify(name)
        lineage = manifest.lineage
        if lineage is None or not lineage.base_sha256:
            raise BadArtefact(f"{name} names no base it was trained on", hint="admit it with its lineage")
        base = self.verify(lineage.base)
        if base.files[0].sha256 != lineage.base_sha256:
            message = (
                f"{name} was trained on {lineage.base_sha256[:16]}, and {base.name} is {base.files[0].sha256[:16]}"
            )
            raise BadArtefact(message, hint="train it again on the base that is there", param=name)
        return self.blob(base.files[0].sha256), self.blob(manifest.files[0].sha256)

    def remove(self, name: str) -> Manifest:
        """Forget a model and the bytes no other model names. Raises NotFound, BadSignature or BadArtefact.

        Raises Conflict where another model was trained on it.
        """
        manifest = self.show(name)
        others = [one for one in self.list() if one.name != name]
        needed = [one.name for one in others if one.lineage is not None and one.lineage.base == name]
        if needed:
            raise Conflict(f"{', '.join(needed)} cannot be served without {name}", hint="remove them first")
        self._manifest_path(name).unlink()
        kept = {blob.sha256 for one in others for blob in one.files}
        for blob in manifest.files:
            if blob.sha256 not in kept:
                self.blob(blob.sha256).unlink(missing_ok=True)
        return manifest

    def _manifest_path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise BadArtefact(f"{name[:80]!r} is no model name", hint="use a-z, 0-9, dot, dash and underscore")
        return self.root / "models" / f"{name}.json"

    def _take(self, blob: Blob, source: Path, *, link: bool) -> None:
        target = self.blob(blob.sha256)
        if target.exists():
            _check(target, blob)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{blob.sha256}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        try:
            _bring(source, temporary, link=link)
            _check(temporary, blob)
            temporary.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _signable(manifest: Manifest) -> bytes:
    content = msgspec.to_builtins(manifest)
    if manifest.lineage is None:
        del content["lineage"]  # what was signed before there were lineages still verifies
    return b"freehold model manifest\n" + canonical(content)


def _bring(source: Path, target: Path, *, link: bool) -> None:
    if link:
        try:
            os.link(source, target)
        except OSError:  # another file system, or one without hard links
            link = False
    if not link:
        with source.open("rb") as reading, target.open("xb") as writing:
            shutil.copyfileobj(reading, writing, _CHUNK)
            writing.flush()
            os.fsync(writing.fileno())


def _check(path: Path, blob: Blob) -> None:
    try:
        size = path.stat().st_size
        found = digest_of(path) if size == blob.size else ""
    except FileNotFoundError:
        raise BadArtefact(f"the store lacks the bytes of {blob.name} ({blob.sha256[:16]})", param=str(path)) from None
    if size != blob.size:
        raise BadArtefact(f"{blob.name} has {size} bytes where {blob.size} are signed", param=str(path))
    if found != blob.sha256:
        raise BadArtefact(f"{blob.name} is {found[:16]} where {blob.sha256[:16]} is signed", param=str(path))
