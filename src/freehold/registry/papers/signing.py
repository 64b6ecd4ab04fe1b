"""Signatures of makers over the files of a model: the OpenSSF Model Signing format, by key and by certificate.

Offline, and held to the format's own library in the tests. Invariant: a signature counts for exactly the files it
names, each with its digest; one file more, less or changed is refused.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from freehold.core.crypto import Identity
from freehold.core.errors import BadArtefact, BadSignature
from freehold.registry.papers import dsse
from freehold.registry.papers.chains import subject_of, trusted_leaf
from freehold.registry.papers.types import Signature

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE = "https://model_signing/signature/v1.0"
STATEMENT = "https://in-toto.io/Statement/v1"
FILE_NAME = "model.sig"
LEFT_OUT = (".git", ".gitattributes", ".github", ".gitignore", FILE_NAME)
"""What the format leaves out at the top of a folder. None of it is part of a model, so none of it may be admitted."""
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
"""By curve, as the format pairs them."""

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Whose signatures count; each is the text of a PEM file."""

    keys: tuple[bytes, ...] = ()
    authorities: tuple[bytes, ...] = ()


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Who signs."""

    sign: Callable[[bytes], bytes]
    hint: str = ""
    """SHA-256 of the public key's PEM; empty where there are certificates."""
    chain: tuple[bytes, ...] = ()
    """Certificates in DER, the signer's first."""


class _Certificate(msgspec.Struct, frozen=True, rename="camel"):
    raw_bytes: str


class _Chain(msgspec.Struct, frozen=True):
    certificates: tuple[_Certificate, ...]


class _Key(msgspec.Struct, frozen=True):
    hint: str | None = ""


class _Material(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    public_key: _Key | None = None
    x509_certificate_chain: _Chain | None = msgspec.field(default=None, name="x509CertificateChain")
    tlog_entries: tuple[msgspec.Raw, ...] | None = None


class _Bundle(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str
    verification_material: _Material
    dsse_envelope: dsse.Envelope


class _Resource(msgspec.Struct, frozen=True):
    name: str
    algorithm: str
    digest: str


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Predicate(msgspec.Struct, frozen=True):
    serialization: dict[str, Any]
    resources: tuple[_Resource, ...]


class _Statement(msgspec.Struct, frozen=True, rename={"type": "_type", "predicate_type": "predicateType"}):
    type: str
    subject: tuple[_Subject, ...]
    predicate_type: str
    predicate: _Predicate


def digests(root: Path) -> dict[str, str]:
    """SHA-256 in hex of every file a signature is about, by its path in the folder; of one file, by its name.

    Raises BadArtefact for links and for what is no file.
    """
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        name = path.relative_to(root).as_posix() if path != root else path.name
        if path != root and name.split("/")[0] in LEFT_OUT:
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BadArtefact(f"{name} is a link or no file", param=str(path))
        if path.is_file():
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def sign(name: str, files: Mapping[str, str], signer: Signer) -> bytes:
    """The bundle over `files` (path to SHA-256 in hex), as the format's library writes and reads it."""
    resources = [{"name": one, "algorithm": "sha256", "digest": files[one]} for one in sorted(files)]
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": _root(files[one] for one in sorted(files))}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": list(LEFT_OUT),
            },
            "resources": resources,
        },
    }
    payload = msgspec.json.encode(statement)
    signature = signer.sign(dsse.encoded(dsse.IN_TOTO, payload))
    chain = _Chain(tuple(_Certificate(_text(one)) for one in signer.chain)) if signer.chain else None
    material = _Material(None if chain else _Key(signer.hint), chain, ())
    envelope = dsse.Envelope(_text(payload), dsse.IN_TOTO, (dsse.Mark(_text(signature)),))
    return msgspec.json.encode(_Bundle(BUNDLE, material, envelope))


def by_key(private: bytes, chain: bytes = b"") -> Signer:
    """Sign with a private key in PEM, unencrypted: P-256, P-384, P-521 or Ed25519; `chain` are its certificates.

    Raises BadArtefact for other keys, and where the first certificate is not the key's.
    """
    try:
        key = serialization.load_pem_private_key(private, None)
        certificates = x509.load_pem_x509_certificates(chain) if chain else []
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadArtefact(f"the key or its certificates cannot be read: {error}") from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        made: Callable[[bytes], bytes] = key.sign
    elif isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _HASHES:
        algorithm = ec.ECDSA(_HASHES[key.curve.name])
        made = lambda data: key.sign(data, algorithm)  # noqa: E731 -- one expression of two names
    else:
        raise BadArtefact("only keys on P-256, P-384, P-521 and Ed25519 sign models")
    if certificates and certificates[0].public_key() != key.public_key():
        raise BadArtefact("the first certificate is not of this key")
    encoded = tuple(one.public_bytes(serialization.Encoding.DER) for one in certificates)
    return Signer(sign=made, hint=fingerprint(key.public_key()), chain=encoded)


def by_identity(identity: Identity) -> Signer:
    """Sign as this installation: Ed25519, read by this project; other readers of the format know ECDSA alone."""
    return Signer(sign=identity.sign, hint=fingerprint(ed25519.Ed25519PublicKey.from_public_bytes(identity.public)))


def check(bundle: bytes, files: Mapping[str, str], trust: Trust) -> Signature:
    """Whose signature this is over exactly `files` (path to SHA-256 in hex).

    Raises BadSignature where nobody in `trust` made it, BadArtefact where it cannot be read or is about other files.
    """
    try:
        found = msgspec.json.decode(bundle, type=_Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArtefact(f"this is no signature over a model: {error}") from None
    envelope = found.dsse_envelope
    if found.media_type != BUNDLE or envelope.payload_type != dsse.IN_TOTO or len(envelope.signatures) != 1:
        raise BadArtefact("this signature is of a form that is not known here")
    payload = dsse.raw(envelope.payload)
    signed = dsse.encoded(envelope.payload_type, payload)
    signature = dsse.raw(envelope.signatures[0].sig)
    material = found.verification_material
    if material.x509_certificate_chain is not None:
        chain = [dsse.raw(one.raw_bytes) for one in material.x509_certificate_chain.certificates]
        leaf = trusted_leaf(chain, trust.authorities)
        _verify(leaf.public_key(), signature, signed)
        who = Signature("certificate", subject_of(leaf))
    else:
        who = Signature("key", _key_of(material.public_key, trust.keys, signature, signed))
    _same(_resources(payload), files)
    return who


def public_pem(identity: Identity) -> str:
    """The installation's public key as others name it in [models] signers."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(identity.public)
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


def fingerprint(key: object) -> str:
    """How the format names a public key: SHA-256 of its PEM, in hex."""
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise BadArtefact("only keys on P-256, P-384, P-521 and Ed25519 sign models")
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def _key_of(named: _Key | None, keys: Iterable[bytes], signature: bytes, signed: bytes) -> str:
    hint = (named.hint if named else "") or ""
    for pem in keys:
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise BadArtefact(f"a signer's public key cannot be read: {error}") from None
        if hint in ("", fingerprint(key)):
            try:
                _verify(key, signature, signed)
            except BadSignature:
                if hint:
                    raise
                continue
            return fingerprint(key)
    raise BadSignature(
        f"signed by the key {hint[:16] or 'of nobody we know'}, which is none of those that count",
        hint="where you trust it, name its public key in [models] signers",
    )


def _verify(key: object, signature: bytes, signed: bytes) -> None:
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _HASHES:
            key.verify(signature, signed, ec.ECDSA(_HASHES[key.curve.name]))
        else:
            raise BadSignature("signed with a key of a kind that does not count")
    except InvalidSignature:
        raise BadSignature("the signature over the model does not fit: it or what it says was changed") from None


def _resources(payload: bytes) -> dict[str, str]:
    """What the statement names, its own sum checked."""
    try:
        found = msgspec.json.decode(payload, type=_Statement)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadArtefact(f"the signed statement cannot be read: {error}") from None
    named = found.predicate.resources
    if (found.type, found.predicate_type) != (STATEMENT, PREDICATE) or len(found.subject) != 1:
        raise BadArtefact(f"the signed statement is of a form that is not known here: {found.predicate_type[:80]}")
    if any(one.algorithm != "sha256" for one in named) or found.predicate.serialization.get("method") != "files":
        raise BadArtefact("the signature names parts of files, or digests other than SHA-256: only whole files count")
    if len({one.name for one in named}) != len(named) or found.subject[0].digest != {
        "sha256": _root(one.digest for one in named)
    }:
        raise BadArtefact("the signed statement contradicts itself")
    return {one.name: one.digest for one in named}


def _same(signed: Mapping[str, str], files: Mapping[str, str]) -> None:
    if len(files) == len(signed) == 1 and "." in signed:
        signed = dict(zip(files, signed.values(), strict=True))  # the format's name for a model of one file
    wrong = [
        *(f"{one} is not signed" for one in sorted(files.keys() - signed.keys())),
        *(f"{one} is missing" for one in sorted(signed.keys() - files.keys())),
        *(f"{one} was changed" for one in sorted(files.keys() & signed.keys()) if files[one] != signed[one]),
    ]
    if wrong or not files:
        raise BadArtefact(f"the signature is about other files: {'; '.join(wrong[:5]) or 'there are none'}")


def _root(found: Iterable[str]) -> str:
    """The format's one digest of a model: over its files' digests, in the order they are named."""
    try:
        return hashlib.sha256(b"".join(bytes.fromhex(one) for one in found)).hexdigest()
    except ValueError:
        raise BadArtefact("a digest is no hex") from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
