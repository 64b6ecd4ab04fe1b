"""What an artefact was made of: in-toto statements for each step, and the walk back to everything it comes from.

Invariant: whatever binds or harms an ancestor counts for what was made of it; a way that cannot be followed is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from freehold.core.canonical import canonical
from freehold.core.crypto import Identity, Verifier
from freehold.core.errors import BadArtefact
from freehold.registry.artefacts import Manifest
from freehold.registry.papers import dsse

How = Literal["admit", "convert", "quantise", "fine-tune", "adapt", "merge"]
Role = Literal["source", "base", "adapter", "merged", "teacher", "dataset"]

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:freehold:make:"
MEDIA_TYPE = "application/vnd.in-toto+json"
_HOW: Mapping[str, How] = {
    "none": "admit",
    "convert": "convert",
    "merge": "merge",
    "quantise": "quantise",
    "requantise": "quantise",
    "train": "fine-tune",
}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a step took in or gave out."""

    name: str
    sha256: str = ""
    """Of the file, in hex; empty where only the name is known."""
    role: Role = "source"
    licence: str = ""
    """As an SPDX expression, where somebody says."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """How an artefact was made."""

    how: How
    made: tuple[Part, ...]
    """Its files."""
    of: tuple[Part, ...] = ()
    detail: str = ""
    made_at: str = ""
    """RFC 3339, UTC."""


class Ancestor(msgspec.Struct, frozen=True, kw_only=True):
    """Something an artefact comes from."""

    name: str
    """In the store, else as whoever made it called it: a hub's `owner/name`, a package."""
    digests: tuple[str, ...]
    """SHA-256 of its files, in hex; none where only its name is known."""
    role: Role
    licence: str
    here: bool
    """It stands in the store, byte for byte what was made use of."""
    via: tuple[str, ...]
    """The way: from the artefact's own name to this one's."""


def statement(step: Step) -> dict[str, Any]:
    """The step as an in-toto statement with SLSA's provenance (version 1 of both)."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": one.name, "digest": {"sha256": one.sha256}} for one in step.made],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD + step.how,
                "externalParameters": {"detail": step.detail},
                "resolvedDependencies": [_described(one) for one in step.of],
            },
            "runDetails": {
                "builder": {"id": "urn:freehold:instance"},
                "metadata": {"finishedOn": step.made_at},
            },
        },
    }


def signed(step: Step, identity: Identity) -> bytes:
    """The step's statement in an envelope that this installation signed."""
    return dsse.sealed(canonical(statement(step)), identity)


def read(envelope: bytes, verifier: Verifier) -> Step:
    """The step of a signed statement. Raises BadSignature, or BadArtefact for what is none of ours."""
    payload = dsse.opened(envelope, verifier)
    try:
        return _step(msgspec.json.decode(payload))
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        raise BadArtefact(f"this is no statement of a step: {error!r}") from None


def step_of(manifest: Manifest) -> Step:
    """The step that a manifest tells of."""
    made = tuple(Part(name=one.name, sha256=one.sha256) for one in manifest.files)
    how = _HOW.get(manifest.making.how, "convert")
    of: list[Part] = []
    line = manifest.lineage
    if line is not None:
        how = "adapt" if manifest.kind == "adapter" else "fine-tune" if line.base and how == "admit" else how
        if line.base:
            # A classifier's own licence says nothing of the encoder it asks.
            licence = "" if manifest.kind == "classifier" else manifest.licence
            of.append(Part(name=line.base, sha256=line.base_sha256, role="base", licence=licence))
        if line.dataset_sha256:
            name = f"dataset of {line.workflow or line.recipe}"
            of.append(Part(name=name, sha256=line.dataset_sha256, role="dataset"))
    else:
        name = f"{manifest.origin.package} {manifest.origin.version}".strip()
        sources = dict.fromkeys((manifest.making.from_sha256, manifest.origin.sha256))
        of += [Part(name=name, sha256=one, licence=manifest.licence) for one in sources if one]
    return Step(how=how, made=made, of=tuple(of), detail=manifest.making.detail, made_at=manifest.made_at)


def walk(
    name: str, manifests: Mapping[str, Manifest], steps: Mapping[str, tuple[Step, ...]] | None = None
) -> tuple[Ancestor, ...]:
    """Everything the artefact `name` comes from, nearest first, each once; datasets are left out.

    `manifests` are the store's, by name; `steps` what signed statements add, by the artefact's name: the parts of a
    merge, the base a card names. Raises KeyError where `name` is not in the store.
    """
    return _walk(name, _Held(manifests, _by_digest(manifests), steps or {}))


def walk_all(
    manifests: Mapping[str, Manifest], steps: Mapping[str, tuple[Step, ...]] | None = None
) -> dict[str, tuple[Ancestor, ...]]:
    """The same of every artefact, by name."""
    held = _Held(manifests, _by_digest(manifests), steps or {})
    return {name: _walk(name, held) for name in manifests}


class _Held(msgspec.Struct, frozen=True):
    manifests: Mapping[str, Manifest]
    by_digest: Mapping[str, Manifest]
    steps: Mapping[str, tuple[Step, ...]]


def _by_digest(manifests: Mapping[str, Manifest]) -> dict[str, Manifest]:
    return {file.sha256: one for one in manifests.values() for file in one.files}


def _walk(name: str, held: _Held) -> tuple[Ancestor, ...]:
    found: dict[tuple[str, tuple[str, ...]], Ancestor] = {}
    queue: deque[tuple[Manifest, tuple[str, ...]]] = deque([(held.manifests[name], (name,))])
    seen = {name}
    while queue:
        manifest, way = queue.popleft()
        own = {file.sha256 for file in manifest.files}
        for part in _parts(manifest, held.steps.get(manifest.name, ())):
            one, parent = _ancestor(part, way, held)
            if one.digests and {*one.digests} <= own:
                continue  # taken in as it was: the source is the artefact
            found.setdefault((one.name, one.digests), one)
            if parent is not None and parent.name not in seen:
                seen.add(parent.name)
                queue.append((parent, one.via))
    return tuple(found.values())


def _parts(manifest: Manifest, steps: tuple[Step, ...]) -> Iterator[Part]:
    yielded: set[tuple[str, str]] = set()
    for step in (step_of(manifest), *steps):
        for part in step.of:
            if part.role != "dataset" and (part.name, part.sha256) not in yielded:
                yielded.add((part.name, part.sha256))
                yield part


def _ancestor(part: Part, way: tuple[str, ...], held: _Held) -> tuple[Ancestor, Manifest | None]:
    """The part with what the store knows of it: by its bytes first, by its name only where no bytes are named."""
    known = held.by_digest.get(part.sha256) if part.sha256 else held.manifests.get(part.name)
    if known is not None:
        digests = tuple(dict.fromkeys(one.sha256 for one in known.files))
        via = (*way, known.name)
        return Ancestor(
            name=known.name, digests=digests, role=part.role, licence=known.licence, here=True, via=via
        ), known
    digests = (part.sha256,) if part.sha256 else ()
    via = (*way, part.name)
    one = Ancestor(name=part.name, digests=digests, role=part.role, licence=part.licence, here=False, via=via)
    # The store may hold that name with other bytes: those are not what was used, yet what came before them counts.
    return one, held.manifests.get(part.name)


def _described(part: Part) -> dict[str, Any]:
    """A ResourceDescriptor of in-toto."""
    digest = {"digest": {"sha256": part.sha256}} if part.sha256 else {}
    return {"name": part.name, **digest, "annotations": {"role": part.role, "licence": part.licence}}


def _step(found: dict[str, Any]) -> Step:
    made = found["predicate"]["buildDefinition"]
    if found["_type"] != STATEMENT or found["predicateType"] != PREDICATE or not made["buildType"].startswith(BUILD):
        raise TypeError(made["buildType"])
    return msgspec.convert(
        {
            "how": made["buildType"].removeprefix(BUILD),
            "made": [{"name": one["name"], "sha256": one["digest"]["sha256"]} for one in found["subject"]],
            "of": [
                {"name": one["name"], "sha256": one.get("digest", {}).get("sha256", ""), **one["annotations"]}
                for one in made["resolvedDependencies"]
            ],
            "detail": made["externalParameters"]["detail"],
            "made_at": found["predicate"]["runDetails"]["metadata"]["finishedOn"],
        },
        Step,
    )
