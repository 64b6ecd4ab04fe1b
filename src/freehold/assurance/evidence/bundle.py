"""Evidence as a folder: JSON, a page for people and OSCAL, each listed with its digest in a signed manifest.

Invariant: the same document gives the same bytes. Whoever checks a folder computes every result of it anew.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from freehold import __version__
from freehold.assurance.evidence import oscal, report
from freehold.assurance.evidence.judge import FORM, RULES, controls, document
from freehold.assurance.evidence.types import Check, Document, Entry, Manifest
from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact, BadSignature, Conflict

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.ed25519"
JSON, PAGE, OSCAL = "evidence.json", "evidence.html", "oscal-assessment-results.json"


def told(found: Document) -> bytes:
    """The document as it is written."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def files(found: Document) -> dict[str, bytes]:
    """Every file by name."""
    return {
        JSON: told(found),
        PAGE: report.page(found).encode(),
        OSCAL: oscal.assessment_results(found),
    }


def write(found: Document, identity: Identity, folder: Path) -> Manifest:
    """Write a new folder. Raises Conflict where it has content."""
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty", hint="name a new folder: --out FOLDER")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = files(found)
    manifest = Manifest(
        form=FORM,
        framework=found.framework,
        made_at=found.made_at,
        freehold=found.freehold,
        files=tuple(Entry(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in sorted(made.items())),
        public_key=identity.public.hex(),
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    for name, data in made.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST).write_bytes(text)
    (folder / SIGNATURE).write_text(identity.sign(text).hex() + "\n")
    return manifest


def read(folder: Path, public_key: str = "") -> tuple[Manifest, Document]:
    """A folder that is whole and signed: by `public_key` (hex) where one is given, else by the key it names.

    Raises BadArtefact or BadSignature.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
        signature = bytes.fromhex((folder / SIGNATURE).read_text().strip())
        manifest = msgspec.json.decode(text, type=Manifest)
        Verifier(bytes.fromhex(public_key or manifest.public_key)).verify(signature, text)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise BadArtefact(f"{folder} holds no evidence: {error}", param=str(folder)) from None
    entries = {one.name: one for one in manifest.files}
    there = {one.name for one in folder.iterdir()} - {MANIFEST, SIGNATURE}
    if there != entries.keys() or JSON not in entries:
        odd = ", ".join(sorted(there ^ entries.keys())) or JSON
        raise BadSignature(f"{folder} holds other files than are signed: {odd}", param=str(folder))
    content = {name: (folder / name).read_bytes() for name in entries}
    for name, data in content.items():
        if hashlib.sha256(data).hexdigest() != entries[name].sha256:
            raise BadSignature(f"{name} in {folder} is not what is signed", param=str(folder))
    try:
        return manifest, msgspec.json.decode(content[JSON], type=Document)
    except msgspec.MsgspecError as error:
        raise BadArtefact(f"{JSON} in {folder} cannot be read: {error}", param=str(folder)) from None


def verify(folder: Path, public_key: str = "") -> list[Check]:
    """Every check of a folder whose files are what was signed. Raises as `read` does."""
    manifest, found = read(folder, public_key)
    signer = "the key that was asked for" if public_key else "the key it names; compare it with one you trust"
    checks = [Check("signed", ok=True, detail=f"by {manifest.public_key}: {signer}")]
    checks.append(Check("the files are what was signed", ok=True, detail=f"{len(manifest.files)} files"))
    whose = Verifier(bytes.fromhex(manifest.public_key)).key_id
    checks.append(Check("it is about the instance that signed it", found.instance == whose, found.instance))
    if (found.form, found.rules) != (FORM, RULES):
        detail = f"made by rules {found.rules} of form {found.form}; this version has {RULES} of {FORM}"
        return [*checks, Check("results computed anew", ok=False, detail=detail)]
    rows = tuple(one.control for one in found.results)
    known = rows == controls(found.framework)
    by = "" if known else f"made by Freehold {found.freehold}, this is {__version__}"
    checks.append(Check("its controls are those of this version", known, by))
    anew = document(found.framework, rows, found.facts, found.freehold, found.instance)
    differing = [
        one.control.reference
        for one, other in zip(found.results, anew.results, strict=True)
        if msgspec.to_builtins(one) != msgspec.to_builtins(other)
    ]
    same = told(anew) == told(found)
    detail = f"{len(rows)} controls" if same else f"other results for {', '.join(differing) or 'its answers'}"
    checks.append(Check("results computed anew from its facts", same, detail))
    page = (folder / PAGE).read_bytes() == report.page(found).encode()
    return [*checks, Check("the page says what the document says", page)]
