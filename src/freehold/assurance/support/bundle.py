"""A support bundle: typed facts as files in an archive, looked through for secrets once more, and signed.

Invariant: the same facts give the same bytes; nothing gets in but what `types.Contents` names.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from freehold import __version__
from freehold.assurance.support.types import Contents, Entry, Manifest
from freehold.assurance.support.words import MASK, clean
from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact, BadSignature

FORM = 1
MOST_BYTES = 5 << 20
"""A bundle of more goes through no mail, and nobody reads it."""
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.ed25519"


def files(contents: Contents) -> tuple[dict[str, bytes], int]:
    """The bundle's files by name, and in how many places the last look masked something."""
    found: dict[str, bytes] = {}
    masked = 0
    for name in contents.__struct_fields__:
        text = msgspec.json.format(msgspec.json.encode(getattr(contents, name), order="sorted"), indent=1).decode()
        clear = "\n".join(_looked_through(text))
        masked += clear.count(MASK)
        found[f"{name}.json"] = clear.encode() + b"\n"
    return found, masked


def _looked_through(text: str) -> Iterator[str]:
    """Line by line: digests of what is here are no secrets, though they read like some."""
    for line in text.split("\n"):
        yield line if '"sha256": "' in line else clean(line)


def write(contents: Contents, identity: Identity, path: Path) -> Manifest:
    """Write the bundle. Raises BadArtefact where it would be too large; nothing is then written."""
    found, masked = files(contents)
    manifest = Manifest(
        form=FORM,
        made_at=contents.about.made_at,
        freehold=__version__,
        files=tuple(Entry(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in found.items()),
        masked=masked,
        public_key=identity.public.hex(),
    )
    told = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    archive = _archive({MANIFEST: told, SIGNATURE: identity.sign(told).hex().encode() + b"\n", **found})
    if len(archive) > MOST_BYTES:
        raise BadArtefact(f"the bundle would have {len(archive)} bytes, more than {MOST_BYTES}", param=str(path))
    path.write_bytes(archive)
    return manifest


def _archive(found: dict[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in found.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def read(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """A bundle that is whole and signed by the key it names. Raises BadArtefact or BadSignature."""
    try:
        with path.open("rb") as file:
            data = gzip.GzipFile(fileobj=file).read(MOST_BYTES * 20)
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            found = {one.name: _content(archive, one) for one in archive.getmembers()}
        told, signature = found.pop(MANIFEST), bytes.fromhex(found.pop(SIGNATURE).decode().strip())
        manifest = msgspec.json.decode(told, type=Manifest)
        Verifier(bytes.fromhex(manifest.public_key)).verify(signature, told)
    except (OSError, EOFError, tarfile.TarError, KeyError, ValueError, msgspec.DecodeError) as error:
        raise BadArtefact(f"{path.name} is no support bundle: {error}", param=str(path)) from None
    entries = {one.name: one for one in manifest.files}
    if entries.keys() != found.keys():
        raise BadSignature(f"{path.name} holds other files than are signed", param=str(path))
    for name, content in found.items():
        if hashlib.sha256(content).hexdigest() != entries[name].sha256:
            raise BadSignature(f"{name} in {path.name} is not what is signed", param=str(path))
    return manifest, found


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry)
    if file is None:
        raise BadArtefact(f"{entry.name} in a bundle is no file", param=entry.name)
    return file.read()
