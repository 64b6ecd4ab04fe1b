"""Pushing models to an OCI registry and pulling them from one, with their papers beside them.

Source: OCI distribution specification 1.1; where a registry has no referrers API, its tag `sha256-<digest>` is used.
Invariant: nothing pulled is taken for more than bytes: digests are checked here, everything else by admission.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from freehold.core.canonical import canonical
from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, NotFound
from freehold.registry import layout, wire
from freehold.registry.artefacts import Record, Store
from freehold.registry.errors import RegistryFailed
from freehold.registry.layout import Descriptor, Image
from freehold.registry.papers import signing
from freehold.registry.types import Blob, Manifest

SCHEME = "oci://"
PAPERS = "application/vnd.freehold.papers.v1+json"
TITLE = "org.opencontainers.image.title"
RECORD = "application/vnd.freehold.record.v1+json"
_REFERENCE = re.compile(
    r"oci://(?P<host>[A-Za-z0-9.-]+(:\d{1,5})?)/(?P<repository>[a-z0-9]+([._/-]+[a-z0-9]+)*)"
    r"(:(?P<tag>\w[\w.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))?\Z"
)
_TYPES = f"{layout.MANIFEST}, {layout.INDEX}"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Reference(msgspec.Struct, frozen=True):
    """A place in a registry; `version` is a tag or a digest."""

    host: str
    repository: str
    version: str

    @property
    def root(self) -> str:
        """Address of the repository; in clear on this machine alone."""
        scheme = "http" if wire.local(self.host.partition(":")[0]) else "https"
        return f"{scheme}://{self.host}/v2/{self.repository}"


class Pushed(msgspec.Struct, frozen=True):
    """Where a model lies now."""

    reference: str
    digest: str
    papers: str
    """Digest of the image that holds its papers."""
    signer: str
    """Public key, in PEM, of the signature that lies beside it: others name it in [models] signers."""


class Pulled(msgspec.Struct, frozen=True):
    """What was pulled; everything in it is a claim until admission has looked."""

    digest: str
    files: tuple[Blob, ...]
    told: Manifest | None
    signature: bytes
    licences: tuple[str, ...]


def parsed(reference: str) -> Reference:
    """A reference as written; the tag is `latest` where none is. Raises BadArtefact."""
    found = _REFERENCE.match(reference)
    if found is None:
        hint = "write oci://registry.example/team/model:tag"
        raise BadArtefact(f"{reference[:120]!r} is no place in a registry", hint=hint)
    return Reference(found["host"], found["repository"], found["digest"] or found["tag"] or "latest")


class Registry:
    """One repository of a registry. `credential` is `user:password`, or empty."""

    def __init__(self, reference: Reference, credential: str = "") -> None:
        self._at = reference
        self._credential = credential
        self._authorization = ""

    def push(self, store: Store, name: str) -> Pushed:
        """Push a model, every byte checked, with its signed record and statements. Raises RegistryFailed."""
        identity = store.verifier
        if not isinstance(identity, Identity):
            raise TypeError("pushing signs, which takes the identity")
        store.open_verified(name)
        record = store.record(name)
        if not record.image:
            raise BadArtefact(f"{name} has no image yet", hint="start the instance once: freehold up")
        self._enter("pull,push")
        data = store.blob(record.image).read_bytes()
        image = layout.read_image(data)
        for one in (*image.layers, image.config):
            self._upload(one, store.blob(one.sha256))
        subject = layout.described(data, layout.MANIFEST)
        version = self._at.version
        if version.startswith("sha256:") and version != subject.digest:
            raise BadArtefact(f"{name} is {subject.digest[:23]} and cannot be pushed as {version[:23]}")
        self._put_manifest(version, data)
        papers = self._papers(store, record, subject, identity)
        digest, known = self._put_manifest("", papers)
        if not known:
            self._tag_referrer(subject, papers)
        key = signing.public_pem(identity)
        at = f"{SCHEME}{self._at.host}/{self._at.repository}@{subject.digest}"
        return Pushed(at, subject.digest, digest, key)

    def pull(self, into: Path) -> Pulled:
        """Download a model's files into the folder `into`.

        Raises NotFound, RegistryFailed, and BadArtefact for what is no model of plain files or not what it says.
        """
        self._enter("pull")
        data, image = self._image(self._at.version)
        for one, layer in zip(image.files, image.layers, strict=True):
            if not layer.media_type.endswith(".raw") or not _inside(one.name):
                raise BadArtefact(f"the layer {one.name[:80]!r} is no plain file ({layer.media_type[:80]})")
            url = f"{self._at.root}/blobs/{layer.digest}"
            wire.download(url, into / one.name, self._headers(), size=one.size, sha256=one.sha256)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        told, signature = self._beside(digest)
        return Pulled(digest, image.files, told, signature, self._licences(image.config))

    def push_documents(self, found: Mapping[str, bytes], kind: str) -> str:
        """Push documents by name as one artefact of the type `kind`; its digest. Raises RegistryFailed."""
        self._enter("pull,push")
        layers = []
        for name, data in sorted(found.items()):
            layers.append(layout.described(data, "application/json", {TITLE: name}))
            self._upload(layers[-1], data)
        config = layout.described(b"{}", layout.EMPTY)
        self._upload(config, b"{}")
        image = Image(2, layout.MANIFEST, config, tuple(layers), artifact_type=kind)
        return self._put_manifest(self._at.version, canonical(msgspec.to_builtins(image)))[0]

    def documents(self, kind: str) -> dict[str, bytes]:
        """The documents of an artefact of the type `kind`, by name, each held to its digest.

        Raises NotFound, RegistryFailed, and BadArtefact for another type or a name that is none.
        """
        self._enter("pull")
        _, image = self._image(self._at.version)
        if image.artifact_type != kind:
            raise BadArtefact(f"{self._at.repository} holds {image.artifact_type[:80] or 'a model'!r}, not {kind}")
        names = [one.annotations.get(TITLE, "") for one in image.layers]
        if len(set(names)) != len(names) or not all("/" not in one and _inside(one) for one in names):
            raise BadArtefact(f"{self._at.repository} holds documents without names of their own")
        return {name: self._small(one) for name, one in zip(names, image.layers, strict=True)}

    def _papers(self, store: Store, record: Record, subject: Descriptor, identity: Identity) -> bytes:
        """The image of what lies beside a model: its blobs are pushed, its bytes given."""
        manifest = record.manifest
        files = {one.name: one.sha256 for one in manifest.files}
        bundle = signing.sign(manifest.name, files, signing.by_identity(identity))
        small = [(RECORD, msgspec.json.encode(record)), (signing.BUNDLE, bundle)]
        statements = manifest.papers.statements if manifest.papers else ()
        small += [(one.media_type.partition(";")[0], store.blob(one.sha256).read_bytes()) for one in statements]
        layers = []
        for media_type, data in small:
            layers.append(layout.described(data, media_type))
            self._upload(layers[-1], data)
        empty = layout.described(b"{}", layout.EMPTY)
        self._upload(empty, b"{}")
        image = Image(2, layout.MANIFEST, empty, tuple(layers), PAPERS, subject)
        return canonical(msgspec.to_builtins(image))

    def _beside(self, digest: str) -> tuple[Manifest | None, bytes]:
        """The record and signature of whoever pushed it; neither is trusted here."""
        for entry in self._referrers(digest):
            _, image = self._image(entry.digest)
            if image.artifact_type != PAPERS or image.subject is None or image.subject.digest != digest:
                continue
            found = {
                one.media_type: self._small(one) for one in image.layers if one.media_type in (RECORD, signing.BUNDLE)
            }
            try:
                told = msgspec.json.decode(found.get(RECORD, b""), type=Record).manifest
            except (msgspec.DecodeError, UnicodeDecodeError):
                told = None
            return told, found.get(signing.BUNDLE, b"")
        return None, b""

    def _referrers(self, digest: str) -> tuple[Descriptor, ...]:
        for url in (f"{self._at.root}/referrers/{digest}", f"{self._at.root}/manifests/{digest.replace(':', '-')}"):
            with wire.asked("GET", url, {**self._headers(), "accept": layout.INDEX}) as answer:
                if answer.status != 200:
                    continue
                try:
                    found = msgspec.json.decode(answer.small(), type=layout.Index).manifests
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                if found:
                    return tuple(one for one in found if one.artifact_type in ("", PAPERS))
        return ()

    def _tag_referrer(self, subject: Descriptor, papers: bytes) -> None:
        """The tag that stands in for the referrers API: the papers of today, and what others tagged there."""
        entry = msgspec.structs.replace(layout.described(papers, layout.MANIFEST), artifact_type=PAPERS)
        others = [one for one in self._referrers(subject.digest) if one.digest != entry.digest]
        index = layout.Index(manifests=(entry, *others))
        self._put_manifest(subject.digest.replace(":", "-"), msgspec.json.encode(index), layout.INDEX)

    def _image(self, version: str) -> tuple[bytes, Image]:
        """An image by tag or digest, its bytes held to the digest; of an index, the model in it."""
        with wire.asked("GET", f"{self._at.root}/manifests/{version}", {**self._headers(), "accept": _TYPES}) as answer:
            data, kind = wire.good(answer).small(), answer.headers.get("content-type", "").partition(";")[0]
        if version.startswith("sha256:") and f"sha256:{hashlib.sha256(data).hexdigest()}" != version:
            raise BadArtefact(f"the registry answered another image than {version[:23]}")
        if kind != layout.INDEX:
            return data, layout.read_image(data)
        try:
            inside = msgspec.json.decode(data, type=layout.Index).manifests
        except (msgspec.DecodeError, UnicodeDecodeError):
            inside = ()
        models = [
            one for one in inside if one.media_type == layout.MANIFEST and one.artifact_type in ("", layout.MODEL)
        ]
        if len(models) != 1:
            raise BadArtefact(
                f"{version} is an index of {len(inside)} images, and not of one model", hint="name the digest"
            )
        return self._image(models[0].digest)

    def _licences(self, config: Descriptor) -> tuple[str, ...]:
        try:
            found = msgspec.json.decode(self._small(config), type=dict[str, msgspec.Raw])
            said = msgspec.json.decode(found["descriptor"], type=dict[str, object]).get("licenses", ())
        except (msgspec.DecodeError, KeyError, NotFound):
            return ()
        return tuple(one[:200] for one in said if isinstance(one, str)) if isinstance(said, list) else ()

    def _small(self, one: Descriptor) -> bytes:
        with wire.asked("GET", f"{self._at.root}/blobs/{one.digest}", self._headers()) as answer:
            data = wire.good(answer).small()
        if hashlib.sha256(data).hexdigest() != one.sha256:
            raise BadArtefact(f"the registry answered other bytes than {one.digest[:23]}")
        return data

    def _upload(self, one: Descriptor, content: Path | bytes) -> None:
        with wire.asked("HEAD", f"{self._at.root}/blobs/{one.digest}", self._headers()) as answer:
            if answer.status == 200:
                return
        begin = f"{self._at.root}/blobs/uploads/"
        with wire.asked("POST", begin, {**self._headers(), "content-length": "0"}) as answer:
            where = urljoin(begin, wire.good(answer).headers.get("location", ""))
        url = where + ("&" if urlsplit(where).query else "?") + urlencode({"digest": one.digest})
        headers = {"content-type": "application/octet-stream", "content-length": str(one.size)}
        if urlsplit(url).netloc == urlsplit(begin).netloc:
            headers |= self._headers()
        if isinstance(content, bytes):
            with wire.asked("PUT", url, headers, content) as answer:
                wire.good(answer)
            return
        with content.open("rb") as file, wire.asked("PUT", url, headers, file) as answer:
            wire.good(answer)

    def _put_manifest(self, version: str, data: bytes, media_type: str = layout.MANIFEST) -> tuple[str, bool]:
        """Under a tag, or its own digest; that digest, and whether the registry files it under its subject."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        headers = {**self._headers(), "content-type": media_type}
        with wire.asked("PUT", f"{self._at.root}/manifests/{version or digest}", headers, data) as answer:
            known = "oci-subject" in wire.good(answer).headers
        return digest, known

    def _headers(self) -> dict[str, str]:
        return {"authorization": self._authorization} if self._authorization else {}

    def _enter(self, actions: str) -> None:
        """Learn how the registry wants to be asked."""
        root = self._at.root.partition("/v2/")[0] + "/v2/"
        basic = f"Basic {base64.b64encode(self._credential.encode()).decode()}" if self._credential else ""
        with wire.asked("GET", root) as answer:
            status, challenge = answer.status, answer.headers.get("www-authenticate", "")
        if status != 401:
            return
        self._authorization = basic
        if not challenge.lower().startswith("bearer"):
            return
        told = dict(_CHALLENGE.findall(challenge))
        query = {"service": told.get("service", ""), "scope": f"repository:{self._at.repository}:{actions}"}
        realm = told.get("realm", "")
        headers = {"authorization": basic} if basic else {}
        with wire.asked("GET", f"{realm}?{urlencode(query)}", headers) as answer:
            found = wire.good(answer).json()
        token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
        if not isinstance(token, str):
            raise RegistryFailed(f"{self._at.host} gave no token")
        self._authorization = f"Bearer {token}"


def origin_of(reference: Reference) -> str:
    """What a manifest's origin says of a place."""
    return f"{SCHEME}{reference.host}/{reference.repository}"


def _inside(name: str) -> bool:
    parts = name.split("/")
    return "\\" not in name and "\0" not in name and all(one not in ("", ".", "..") for one in parts)
