"""A model taken along: its files under their own names, its papers, and this installation's signature over them."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

from freehold.core.crypto import Identity
from freehold.core.errors import Conflict
from freehold.registry.artefacts import Store, digest_of
from freehold.registry.errors import NotAdmitted
from freehold.registry.papers import signing
from freehold.registry.types import Manifest

PAPERS = "papers"
_ENDINGS = {"bom": "cdx.json", "lineage": "dsse.json", "review": "dsse.json", "signature": "sigstore.json"}


def export(store: Store, name: str, folder: Path) -> Manifest:
    """Write a model, every byte checked before and after, into a new folder; `model.sig` is OpenSSF's format.

    Raises Conflict where the folder holds something, else as `Store.verify` does.
    """
    manifest = store.verify(name)
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty", hint="name a new folder")
    record = store.record(name)
    for one in manifest.files:
        target = folder / one.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store.blob(one.sha256), target)
        if digest_of(target) != one.sha256:
            raise NotAdmitted(f"{one.name} was changed on its way out", param=str(target))
    papers = folder.parent / f"{folder.name}.{PAPERS}"
    papers.mkdir(parents=True, exist_ok=True)
    (papers / "record.json").write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    for each in manifest.papers.statements if manifest.papers else ():
        shutil.copyfile(store.blob(each.sha256), papers / f"{each.kind}.{_ENDINGS.get(each.kind, 'json')}")
    identity = store.verifier
    if isinstance(identity, Identity):
        files = {one.name: one.sha256 for one in manifest.files}
        (folder / signing.FILE_NAME).write_bytes(signing.sign(name, files, signing.by_identity(identity)))
        (papers / "signer.pem").write_text(signing.public_pem(identity))
    return manifest
