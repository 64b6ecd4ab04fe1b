"""Where advisories come from: those that came along, and documents taken in, each with the key that signed it.

A folder `errata` in the instance's home holds one file a document, as it came. Invariant: a document whose signature
does not hold is refused; one without a signature comes in only where a person says so, and stays marked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from freehold.assurance.errata import csaf, osv
from freehold.assurance.errata.seeds import seeds
from freehold.assurance.errata.types import Advisory
from freehold.core.crypto import Verifier
from freehold.core.errors import BadArtefact, BadSignature, NotFound
from freehold.registry.oci import Registry, parsed

FOLDER = "errata"
KIND = "application/vnd.freehold.errata.v1+json"
"""Type of a feed in an OCI registry."""
SIGNATURE = ".ed25519"
"""Ending of a file with the hexadecimal Ed25519 signature of the document beside it."""
MOST_BYTES = 16 << 20
MOST_FILES = 10_000


class Document(msgspec.Struct, frozen=True):
    """One document taken in."""

    name: str
    sha256: str
    signer: str
    """Public key, in hex; empty where nobody signed it."""
    advisories: tuple[Advisory, ...]


class _Kept(msgspec.Struct, frozen=True):
    signer: str
    content: msgspec.Raw


def parse(data: bytes, name: str) -> tuple[Advisory, ...]:
    """The advisories of a CSAF or OSV document, or a list of OSV records. Raises BadArtefact."""
    if len(data) > MOST_BYTES:
        raise BadArtefact(f"{name} has more than {MOST_BYTES} bytes", param=name)
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadArtefact(f"{name} is no JSON: {error}", param=name) from None
    try:
        return tuple(_read(found))
    except BadArtefact as error:
        raise BadArtefact(f"{name}: {error.message}", param=name, hint="give CSAF 2.0 or OSV") from None


def _read(found: Any) -> Iterable[Advisory]:
    if isinstance(found, list):
        for one in found:
            yield from _read(one)
    elif isinstance(found, dict) and "vulnerabilities" in found:
        yield from csaf.read(found)
    elif isinstance(found, dict) and "affected" in found:
        yield from osv.read(found)
    else:
        raise BadArtefact("neither CSAF nor OSV")


def fetched(reference: str, credential: str, into: Path) -> Path:
    """The feed at an OCI reference, as files in the folder `into`. Raises what `oci.Registry` raises."""
    for name, data in Registry(parsed(reference), credential).documents(KIND).items():
        (into / name).write_bytes(data)
    return into


def pushed(reference: str, credential: str, files: Iterable[Path]) -> str:
    """Documents with their signatures, as the feed at an OCI reference; its digest."""
    found = {one.name: one.read_bytes() for path in files for one in (path, path.with_name(path.name + SIGNATURE))}
    return Registry(parsed(reference), credential).push_documents(found, KIND)


def documents(source: Path) -> tuple[Path, ...]:
    """The documents of a file or folder. Raises NotFound."""
    if source.is_file():
        return (source,)
    found = sorted(one for one in source.rglob("*.json") if one.is_file())[:MOST_FILES] if source.is_dir() else []
    if not found:
        raise NotFound(f"{source} holds no .json document", hint="name a CSAF or OSV document, or a folder of them")
    return tuple(found)


def signed_by(path: Path, data: bytes, trusted: Iterable[str]) -> tuple[str, str]:
    """The trusted key that signed the document, and its signature, in hex; empty where nothing lies beside it.

    Raises BadSignature where what lies beside it is of none of these keys.
    """
    beside = path.with_name(path.name + SIGNATURE)
    if not beside.exists():
        return "", ""
    try:
        signature = bytes.fromhex(beside.read_text().strip())
    except (ValueError, UnicodeDecodeError):
        raise BadSignature(f"{beside.name} is no signature", param=str(beside)) from None
    for key in trusted:
        try:
            Verifier(bytes.fromhex(key)).verify(signature, data)
        except (BadSignature, ValueError):
            continue
        return key, signature.hex()
    raise BadSignature(
        f"{path.name} is signed by nobody who is trusted here", param=str(path), hint="name the key: --key HEX"
    )


def take(home: Path, name: str, data: bytes, signer: str) -> Document:
    """Keep a document. The same bytes are kept once. Raises BadArtefact for what is none."""
    found = parse(data, name)
    digest = hashlib.sha256(data).hexdigest()
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = folder / f".{digest}.{os.getpid()}"
    temporary.write_bytes(msgspec.json.encode(_Kept(signer, msgspec.Raw(data))))
    os.replace(temporary, folder / f"{digest}.json")
    return Document(name, digest, signer, found)


def kept(home: Path) -> tuple[Document, ...]:
    """Every document taken in, checked against its digest. Raises BadArtefact where one was changed."""
    found = []
    for path in sorted((home / FOLDER).glob("*.json")):
        try:
            one = msgspec.json.decode(path.read_bytes(), type=_Kept)
        except msgspec.DecodeError:
            raise BadArtefact(f"{path.name} in {FOLDER} cannot be read", param=str(path)) from None
        data = bytes(one.content)
        if hashlib.sha256(data).hexdigest() != path.stem:
            raise BadArtefact(f"{path.name} in {FOLDER} was changed", param=str(path), hint="take it in again")
        found.append(Document(path.name, path.stem, one.signer, parse(data, path.name)))
    return tuple(found)


def everything(home: Path) -> tuple[Advisory, ...]:
    """What came along and what was taken in; of one id the last document's."""
    found = {one.id: one for one in seeds()}
    for document in kept(home):
        found.update({one.id: one for one in document.advisories})
    return tuple(found[key] for key in sorted(found))


def next_id(known: Iterable[Advisory], year: int) -> str:
    """The first number of the year that no advisory has."""
    taken = {one.id for one in known} | {alias for one in known for alias in one.aliases}
    number = next(number for number in range(1, 10_000) if f"FHSA-{year}-{number:04d}" not in taken)
    return f"FHSA-{year}-{number:04d}"
