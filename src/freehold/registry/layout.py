"""The store's folder as an OCI image layout, with ModelPack's media types: a model's image, and the index of images.

Pure but for `read_index` and `write_index`. The same manifest gives the same image, byte for byte, on every machine.
Source: OCI image specification 1.1 and the CNCF ModelPack model specification 1.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from freehold.core.canonical import canonical
from freehold.core.errors import BadArtefact
from freehold.registry.types import Blob, Manifest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
MODEL = "application/vnd.cncf.model.manifest.v1+json"
CONFIG = "application/vnd.cncf.model.config.v1+json"
NAME = "org.opencontainers.image.ref.name"
FILE_PATH = "org.cncf.model.filepath"
_WEIGHTS = ("bin", "gguf", "h5", "keras", "npy", "npz", "onnx", "pb", "pt", "pth", "safetensors")
_TEXTS = ("md", "txt", "pdf", "png", "jpg", "jpeg", "svg")
_MARKER = '{"imageLayoutVersion":"1.0.0"}'


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A blob as OCI names it."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = {}
    artifact_type: str = ""

    @property
    def sha256(self) -> str:
        """The digest in hex. Raises BadArtefact for another algorithm."""
        algorithm, _, found = self.digest.partition(":")
        if algorithm != "sha256" or len(found) != 64 or not set(found) <= set("0123456789abcdef"):
            raise BadArtefact(f"{self.digest[:80]!r} is no SHA-256 of an image")
        return found


class Image(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An OCI image manifest."""

    schema_version: int
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}

    @property
    def files(self) -> tuple[Blob, ...]:
        """The model's files as the layers name them. Raises BadArtefact for a layer without a path."""
        if any(FILE_PATH not in one.annotations for one in self.layers):
            raise BadArtefact("a layer of the image names no file: it is no ModelPack image of plain files")
        return tuple(Blob(one.annotations[FILE_PATH], one.sha256, one.size) for one in self.layers)


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """An OCI image index; `index.json` of a layout is one."""

    schema_version: int = 2
    media_type: str = INDEX
    manifests: tuple[Descriptor, ...] = ()


def described(data: bytes, media_type: str, annotations: dict[str, str] | None = None) -> Descriptor:
    """The descriptor of these bytes."""
    return Descriptor(media_type, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), annotations or {})


def config_of(manifest: Manifest) -> bytes:
    """ModelPack's configuration of a model."""
    return canonical(
        {
            "descriptor": {
                "name": manifest.name,
                "createdAt": manifest.made_at,
                "licenses": [manifest.licence],
                "vendor": manifest.origin.package,
                "version": manifest.origin.version,
            },
            "config": {"format": manifest.format},
            "modelfs": {"type": "layers", "diffIds": [f"sha256:{one.sha256}" for one in manifest.files]},
        }
    )


def image_of(manifest: Manifest) -> bytes:
    """The image of a model: a layer for each file, raw, under the file's path."""
    config = described(config_of(manifest), CONFIG)
    layers = [
        {
            "mediaType": _media_type(one.name),
            "digest": f"sha256:{one.sha256}",
            "size": one.size,
            "annotations": {FILE_PATH: one.name},
        }
        for one in manifest.files
    ]
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": MODEL,
            "config": msgspec.to_builtins(config),
            "layers": layers,
        }
    )


def read_image(data: bytes) -> Image:
    """An image manifest. Raises BadArtefact for what is none."""
    try:
        found = msgspec.json.decode(data, type=Image)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArtefact(f"this is no image manifest: {error}") from None
    if found.schema_version != 2 or found.media_type != MANIFEST:
        raise BadArtefact(f"an image of the form {found.media_type[:80]!r} is not known here")
    return found


def read_index(root: Path) -> Index:
    """The index of a layout; empty where there is none yet. Raises BadArtefact for what is none."""
    try:
        return msgspec.json.decode((root / "index.json").read_bytes(), type=Index)
    except FileNotFoundError:
        return Index()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArtefact(f"the index of the store cannot be read: {error}", param=str(root / "index.json")) from None


def write_index(root: Path, entries: Iterable[Descriptor]) -> None:
    """Make these the images of the layout at `root`, with the file that says it is one."""
    marker = root / "oci-layout"
    if not marker.exists():
        replace_file(marker, _MARKER.encode())
    found = sorted(entries, key=lambda one: (one.annotations.get(NAME, ""), one.digest))
    replace_file(root / "index.json", msgspec.json.format(msgspec.json.encode(Index(manifests=tuple(found))), indent=2))


def entry(name: str, image: bytes) -> Descriptor:
    """How the index names a model's image."""
    return msgspec.structs.replace(described(image, MANIFEST, {NAME: name}), artifact_type=MODEL)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _media_type(name: str) -> str:
    ending = name.rpartition(".")[2].lower()
    base = name.rpartition("/")[2].lower()
    if ending in _WEIGHTS:
        return "application/vnd.cncf.model.weight.v1.raw"
    if ending in _TEXTS or base.startswith(("license", "licence", "notice", "readme")):
        return "application/vnd.cncf.model.doc.v1.raw"
    if ending == "py":
        return "application/vnd.cncf.model.code.v1.raw"
    return "application/vnd.cncf.model.weight.config.v1.raw"
