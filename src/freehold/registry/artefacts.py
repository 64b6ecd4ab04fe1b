"""The store of owned models: blobs addressed by SHA-256, images that name them, and this installation's word for them.

Nothing reaches an engine but through `open_verified`, which checks the signature, the image and every byte. The folder
is an OCI image layout (`layout.py`): `blobs/sha256/<hex>` (read-only), `index.json`; and `models/<name>.json`, the
signed record of each model, which pins its image.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Collection, Iterable, Mapping, MutableSequence
from contextlib import suppress
from pathlib import Path

import msgspec

from freehold.core.canonical import canonical
from freehold.core.clock import Clock
from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact, Conflict, NotFound
from freehold.core.lock import locked
from freehold.registry import layout, releases
from freehold.registry.errors import ReviewNeeded
from freehold.registry.staging import bring, digest_of, sweep
from freehold.registry.types import Blob, Kind, Lineage, Making, Manifest, Origin, expired

__all__ = ["Blob", "Kind", "Lineage", "Making", "Manifest", "Origin", "Record", "Store", "digest_of"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What this installation signed of a model."""

    manifest: Manifest
    key_id: str
    signature: str
    image: str = ""
    """SHA-256 of its OCI image manifest, in hex; empty where it was admitted before there were images."""


class Store:
    """The store at `root`. A `Verifier` may read it; admitting takes the `Identity`."""

    def __init__(self, root: Path, identity: Verifier, clock: Clock = time.time) -> None:
        self.root = root
        self._clock = clock
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

    def admit(
        self,
        manifest: Manifest,
        sources: Mapping[str, Path],
        *,
        link: bool = False,
        staged: bool = False,
        beside: Iterable[bytes] = (),
    ) -> Manifest:
        """Take in `sources` (file name to path) as the manifest's files and sign the manifest.

        `link` shares the bytes with the source where the file system can: only for sources nobody edits in place.
        `staged` moves files that `staging.stage` made in this store and has just digested. `beside` are the
        statements that the manifest's papers name. Raises BadArtefact where a source is not what the manifest says,
        or there is no source; nothing is then listed.
        """
        identity = self._identity
        if not isinstance(identity, Identity):
            raise TypeError("admitting takes the identity, not only its public half")
        path = self._manifest_path(manifest.name)
        brought: MutableSequence[tuple[Path, Path]] = []
        try:
            for one in manifest.files:
                self._take(one, sources[one.name], brought, link=link, staged=staged)
            image = layout.image_of(manifest)
            with locked(self.root):
                for temporary, target in brought:
                    temporary.replace(target)
                for data in (layout.config_of(manifest), image, *beside):
                    self._keep(data)
                self._sign(manifest, image, path, identity)
        finally:
            for temporary, _ in brought:
                temporary.unlink(missing_ok=True)
        return manifest

    def list(self) -> tuple[Manifest, ...]:
        """Every model's manifest, by name, signatures checked. Raises BadSignature or BadArtefact."""
        folder = self.root / "models"
        names = sorted(one.stem for one in folder.glob("*.json")) if folder.is_dir() else []
        return tuple(self.show(name) for name in names)

    def show(self, name: str) -> Manifest:
        """One manifest, signature checked. Raises NotFound, BadSignature or BadArtefact."""
        return self.record(name).manifest

    def record(self, name: str) -> Record:
        """What was signed of a model, signature checked. Raises NotFound, BadSignature or BadArtefact.

        `NAME@IMAGE` is that very image of the model, also where the name has come to mean another since `keep`.
        """
        plain, _, image = name.partition("@")
        path = self._manifest_path(plain)
        if "@" not in name:
            return self._read(path, plain)
        found = self._read(path, plain) if path.exists() else None
        if found is None or found.image != image:
            found = self._read(releases.path_of(self.root, self.blob(image).name), plain)
        if found.image != image:
            raise BadArtefact(f"what is kept as {name[:80]} is another image", param=name)
        return msgspec.structs.replace(found, manifest=msgspec.structs.replace(found.manifest, name=name))

    def keep(self, name: str) -> str:
        """Keep what a name means now, and its base, for as long as `gc` is told to; its image, which goes behind an @.

        Every byte is checked first. Raises as `verify` does.
        """
        manifest = self.verify(name)
        with locked(self.root):
            record = self.record(name)
            if not record.image or record.manifest.files != manifest.files:
                raise Conflict(f"{name} was changed meanwhile", hint="try again")
            if "@" not in name:
                releases.write(self.root, record.image, msgspec.json.encode(record))
            line = manifest.lineage
            if line is not None and line.base and line.base_sha256:
                base = self._base(line)
                if "@" not in base:
                    made = self.record(base)
                    releases.write(self.root, made.image, msgspec.json.encode(made))
            return record.image

    def kept(self) -> tuple[Manifest, ...]:
        """What is kept and is no more what its name means, as `NAME@IMAGE`. Raises BadSignature or BadArtefact."""
        now = {self.record(one.name).image for one in self.list()}
        return tuple(one.manifest for one in self._kept() if one.image not in now)

    def _kept(self) -> tuple[Record, ...]:
        found = []
        for image, path in releases.found(self.root):
            name = releases.name_in(path)
            found.append(self.record(f"{name}@{image}"))
        return tuple(found)

    def _base(self, line: Lineage) -> str:
        """What to open for a base: its name, or where that means other bytes now, the image that was kept."""
        with suppress(NotFound):
            if self.show(line.base).files[0].sha256 == line.base_sha256:
                return line.base
        for one in self._kept():
            if one.manifest.name.partition("@")[0] == line.base and one.manifest.files[0].sha256 == line.base_sha256:
                return one.manifest.name
        return line.base

    def _read(self, path: Path, name: str) -> Record:
        try:
            signed = msgspec.json.decode(path.read_bytes(), type=Record)
        except FileNotFoundError:
            raise NotFound(f"the store holds no model {name!r}", hint="see them: freehold models list") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadArtefact(f"the manifest of {name} cannot be read: {error}", param=str(path)) from None
        try:
            signature = bytes.fromhex(signed.signature)
        except ValueError:
            raise BadArtefact(f"the manifest of {name} carries no signature", param=str(path)) from None
        self._identity.verify(signature, _signable(signed.manifest, signed.image))
        if signed.manifest.name != name or not signed.manifest.files:
            raise BadArtefact(f"the manifest of {name} names {signed.manifest.name!r}", param=str(path))
        return signed

    def verify(self, name: str) -> Manifest:
        """Check the signature, the image and every byte of a model. Raises NotFound, BadSignature or BadArtefact."""
        record = self.record(name)
        manifest = record.manifest
        if record.image:
            self._check_image(record)
        for one in manifest.files:
            _check(self.blob(one.sha256), one)
        for statement in manifest.papers.statements if manifest.papers else ():
            _check(self.blob(statement.sha256), Blob(statement.kind, statement.sha256, statement.size))
        return manifest

    def open_verified(self, name: str) -> Path:
        """The file an engine may open, all bytes just checked. Raises as `verify` does.

        Raises ReviewNeeded where a person's word for it has run out.
        """
        return self.blob(self._loadable(name).files[0].sha256)

    def open_with_base(self, name: str) -> tuple[Path, Path]:
        """The base's file and the adapter's, all bytes just checked. Raises as `open_verified` does.

        Raises BadArtefact also where the store's base is not, byte for byte, what the adapter was trained on.
        """
        manifest = self._loadable(name)
        lineage = manifest.lineage
        if lineage is None or not lineage.base_sha256:
            raise BadArtefact(f"{name} names no base it was trained on", hint="admit it with its lineage")
        base = self._loadable(self._base(lineage))
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
        with locked(self.root):
            record = self.record(name)
            others = [self.record(one.name) for one in self.list() if one.name != name]
            needed = [
                one.manifest.name
                for one in others
                if one.manifest.lineage is not None and one.manifest.lineage.base == name
            ]
            if needed:
                raise Conflict(f"{', '.join(needed)} cannot be served without {name}", hint="remove them first")
            self._manifest_path(name).unlink()
            entries = layout.read_index(self.root).manifests
            layout.write_index(self.root, (one for one in entries if one.annotations.get(layout.NAME) != name))
            kept = {sha256 for one in (*others, *self._kept()) for sha256 in self._named(one)}
            for sha256 in self._named(record) - kept:
                self.blob(sha256).unlink(missing_ok=True)
        return record.manifest

    def settle(self) -> None:
        """Give the models of an older store their images, so that the folder is a whole OCI layout.

        What cannot be read stays as it is: whoever opens it is told.
        """
        identity = self._identity
        folder = self.root / "models"
        if not isinstance(identity, Identity) or not folder.is_dir():
            return
        with locked(self.root):
            for path in sorted(folder.glob("*.json")):
                with suppress(BadArtefact, NotFound):
                    record = self.record(path.stem)
                    if not record.image:
                        image = layout.image_of(record.manifest)
                        self._keep(layout.config_of(record.manifest))
                        self._keep(image)
                        self._sign(record.manifest, image, path, identity)

    def gc(self, needed: Collection[str] | None = None) -> tuple[tuple[str, int], ...]:
        """Remove the blobs no model names; each one's SHA-256 and size. Raises BadSignature or BadArtefact.

        A model whose record cannot be read keeps everything: nothing is removed then. Of what `keep` kept, `needed`
        are the images that stay, with their bases; all of them without it.
        """
        with locked(self.root):
            held = self._kept()
            stay = releases.staying([(one.image, one.manifest) for one in held], needed)
            kept = {sha256 for one in self.list() for sha256 in self._named(self.record(one.name))}
            kept |= {sha256 for one in held if one.image in stay for sha256 in self._named(one)}
            for one in held:
                if one.image not in stay:
                    releases.path_of(self.root, one.image).unlink()
            found = []
            folder = self.root / "blobs" / "sha256"
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                # Files with a dot are on their way in, of an admission that is not here yet.
                if _DIGEST.match(path.name) and path.name not in kept:
                    found.append((path.name, path.stat().st_size))
                    path.unlink()
        sweep(self.root, self._clock())
        return tuple(found)

    def _loadable(self, name: str) -> Manifest:
        manifest = self.verify(name)
        if expired(manifest, self._clock()):
            papers = manifest.papers
            said = f"the word of {papers.reviewed_by} for {name} ran out on {papers.reviewed_until}" if papers else ""
            raise ReviewNeeded(said, hint=f"vouch for it anew: freehold models review {name} --expires 90d", param=name)
        return manifest

    def _manifest_path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise BadArtefact(f"{name[:80]!r} is no model name", hint="use a-z, 0-9, dot, dash and underscore")
        return self.root / "models" / f"{name}.json"

    def _take(
        self, blob: Blob, source: Path, brought: MutableSequence[tuple[Path, Path]], *, link: bool, staged: bool
    ) -> None:
        """Bring a source beside its place, checked; it is moved there when all are."""
        target = self.blob(blob.sha256)
        if target.exists():
            _check(target, blob)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{blob.sha256}.{os.getpid()}.{os.urandom(4).hex()}")
        brought.append((temporary, target))
        if staged:
            source.replace(temporary)
        else:
            bring(source, temporary, link=link)
            _check(temporary, blob)
        temporary.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)

    def _keep(self, data: bytes) -> None:
        """A small blob of our own making."""
        target = self.blob(hashlib.sha256(data).hexdigest())
        with suppress(FileNotFoundError):
            if target.read_bytes() == data:
                return
        target.parent.mkdir(parents=True, exist_ok=True)
        layout.replace_file(target, data)
        target.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)

    def _sign(self, manifest: Manifest, image: bytes, path: Path, identity: Identity) -> None:
        """Index, record, index: whoever reads meanwhile finds the image of the record they read."""
        mine = layout.entry(manifest.name, image)
        entries = [one for one in layout.read_index(self.root).manifests if one != mine]
        layout.write_index(self.root, (*entries, mine))
        signature = identity.sign(_signable(manifest, mine.sha256))
        record = Record(manifest, identity.key_id, signature.hex(), mine.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        layout.replace_file(path, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
        rest = [one for one in entries if one.annotations.get(layout.NAME) != manifest.name]
        if rest != entries:
            layout.write_index(self.root, (*rest, mine))

    def _named(self, record: Record) -> set[str]:
        """Every blob that is there for this model."""
        manifest = record.manifest
        found = {one.sha256 for one in manifest.files}
        found |= {one.sha256 for one in manifest.papers.statements} if manifest.papers else set()
        if record.image:
            found.add(record.image)
            with suppress(FileNotFoundError, BadArtefact):
                found.add(layout.read_image(self.blob(record.image).read_bytes()).config.sha256)
        return found

    def _check_image(self, record: Record) -> None:
        """The layout says of the model what was signed: no other image, no further file."""
        name = record.manifest.name
        path = self.blob(record.image)
        entries = [one for one in layout.read_index(self.root).manifests if one.annotations.get(layout.NAME) == name]
        if "@" not in name and not any(one.digest == f"sha256:{record.image}" for one in entries):
            raise BadArtefact(f"the index of the store names another image of {name} than was signed", param=name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise BadArtefact(f"the store lacks the image of {name} ({record.image[:16]})", param=str(path)) from None
        if hashlib.sha256(data).hexdigest() != record.image:
            raise BadArtefact(f"the image of {name} was changed", param=str(path))
        image = layout.read_image(data)
        if image.files != record.manifest.files:
            raise BadArtefact(f"the image of {name} names other files than were signed", param=str(path))
        _check(self.blob(image.config.sha256), Blob("config", image.config.sha256, image.config.size))


def _signable(manifest: Manifest, image: str) -> bytes:
    content = msgspec.to_builtins(manifest)
    for later in ("lineage", "papers"):
        if content[later] is None:
            del content[later]  # what was signed before there were these still verifies
    if image:
        content["image"] = image
    return b"freehold model manifest\n" + canonical(content)


def _check(path: Path, blob: Blob) -> None:
    try:
        size = path.lstat().st_size
        plain = stat.S_ISREG(path.lstat().st_mode)
        found = digest_of(path) if plain and size == blob.size else ""
    except FileNotFoundError:
        raise BadArtefact(f"the store lacks the bytes of {blob.name} ({blob.sha256[:16]})", param=str(path)) from None
    if not plain:
        raise BadArtefact(f"{blob.name} is a link or no file in the store", param=str(path))
    if size != blob.size:
        raise BadArtefact(f"{blob.name} has {size} bytes where {blob.size} are signed", param=str(path))
    if found != blob.sha256:
        raise BadArtefact(f"{blob.name} is {found[:16]} where {blob.sha256[:16]} is signed", param=str(path))
