"""An artefact's bill of materials: CycloneDX 1.6 for machine learning, as JSON.

A pure function of what is signed: the same papers give the same bytes. Invariant: what is not known is left out.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from freehold import __version__
from freehold.registry.artefacts import Manifest
from freehold.registry.papers.cards import Card
from freehold.registry.papers.licences import NOBODY_SAYS
from freehold.registry.papers.lineage import Ancestor
from freehold.registry.papers.types import Licence, Papers

MEDIA_TYPE = "application/vnd.cyclonedx+json; version=1.6"
_PREFIX = "freehold:"
_RELATED = {"adapter": "adapter of", "base": "made of", "merged": "merged from", "teacher": "taught by"}


def bom(
    manifest: Manifest,
    licence: Licence,
    line: Sequence[Ancestor] = (),
    card: Card | None = None,
    papers: Papers | None = None,
) -> dict[str, Any]:
    """The bill of a model: its files, licence and duties, what it comes from, its data, its card's facts.

    `line` are its ancestors, nearest first; `licence` is what was decided of it and them.
    """
    card = card or Card()
    ref = _ref(manifest.name, manifest.files[0].sha256)
    datasets = list(_datasets(manifest, card))
    found = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Of its bytes and the day: the same model has the same number, wherever its bill is written.
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"{ref}#{manifest.made_at}").urn,
        "version": 1,
        "metadata": {
            "timestamp": manifest.made_at,
            "tools": {"components": [{"type": "application", "name": "freehold", "version": __version__}]},
            "component": {
                **_model(manifest.name, [one.sha256 for one in manifest.files[:1]], licence.expression),
                "bom-ref": ref,
                "version": manifest.files[0].sha256[:16],
                "purl": purl(manifest),
                "components": [_file(ref, one.name, one.sha256) for one in manifest.files],
                "pedigree": {"ancestors": [_ancestor(one) for one in line], "notes": _how(manifest)},
                "modelCard": _card(manifest, card, datasets),
                "properties": list(_properties(manifest, licence, papers)),
            },
        },
        "components": [*(_related(one) for one in line), *datasets],
        "dependencies": [
            {"ref": ref, "dependsOn": [*(_ancestor_ref(one) for one in line), *(one["bom-ref"] for one in datasets)]}
        ],
    }
    if papers is not None and papers.statements:
        found["metadata"]["component"]["externalReferences"] = [  # type: ignore[index]  # made above
            {
                "type": "attestation",
                "url": f"urn:sha256:{one.sha256}",
                "comment": one.kind,
                "hashes": _hashes([one.sha256]),
            }
            for one in papers.statements
        ]
    return found


def purl(manifest: Manifest) -> str:
    """The package URL: of the package its weights came in, of a hub's `owner/name`, else of its name and bytes."""
    origin = manifest.origin
    if origin.package.count("/") == 1 and not origin.package.startswith((".", "/")):
        owner, _, name = origin.package.partition("/")
        version = f"@{quote(origin.version)}" if origin.version else ""
        return f"pkg:huggingface/{quote(owner)}/{quote(name)}{version}"
    return f"pkg:generic/{quote(manifest.name)}?checksum=sha256:{manifest.files[0].sha256}"


def _model(name: str, digests: Sequence[str], expression: str) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "name": name,
        **({"hashes": _hashes(digests)} if digests else {}),
        **_licences(expression),
    }


def _licences(expression: str) -> dict[str, Any]:
    if expression in ("", NOBODY_SAYS):
        return {}
    return {"licenses": [{"expression": expression, "acknowledgement": "concluded"}]}


def _hashes(digests: Sequence[str]) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": one} for one in digests]


def _file(ref: str, name: str, sha256: str) -> dict[str, Any]:
    return {"type": "file", "bom-ref": f"{ref}/{quote(name)}", "name": name, "hashes": _hashes([sha256])}


def _ancestor(one: Ancestor) -> dict[str, Any]:
    return _model(one.name, one.digests[:1], one.licence)


def _related(one: Ancestor) -> dict[str, Any]:
    return {
        **_ancestor(one),
        "bom-ref": _ancestor_ref(one),
        "properties": [
            _property("relation", _RELATED.get(one.role, one.role)),
            _property("way", " < ".join(one.via)),
            _property("held", "yes" if one.here else "no"),
        ],
    }


def _datasets(manifest: Manifest, card: Card) -> Iterator[dict[str, Any]]:
    line = manifest.lineage
    if line is not None and line.dataset_sha256:
        name = f"dataset of {line.workflow or line.recipe}"
        yield {
            "type": "data",
            "bom-ref": f"urn:sha256:{line.dataset_sha256}",
            "name": name,
            "hashes": _hashes([line.dataset_sha256]),
            "data": [{"type": "dataset", "name": name}],
        }
    for one in card.datasets:
        yield {
            "type": "data",
            "bom-ref": f"dataset:{quote(one)}",
            "name": one,
            "data": [{"type": "dataset", "name": one}],
        }


def _card(manifest: Manifest, card: Card, datasets: list[dict[str, Any]]) -> dict[str, Any]:
    task = card.task or {"chat": "text-generation", "embedding": "feature-extraction"}.get(manifest.kind, manifest.kind)
    parameters: dict[str, Any] = {"task": task}
    if card.architectures:
        parameters["modelArchitecture"] = card.architectures[0]
    if datasets:
        parameters["datasets"] = [{"ref": one["bom-ref"]} for one in datasets]
    found: dict[str, Any] = {"modelParameters": parameters}
    if card.metrics:
        told = [
            {"type": one.kind or "unnamed", "value": one.value, "slice": one.dataset or one.task or "unnamed"}
            for one in card.metrics
        ]
        found["quantitativeAnalysis"] = {"performanceMetrics": told}
    return found


def _properties(manifest: Manifest, licence: Licence, papers: Papers | None) -> Iterator[dict[str, str]]:
    yield _property("kind", manifest.kind)
    yield _property("format", manifest.format)
    yield _property("licence", licence.verdict)
    for one in licence.reasons:
        yield _property("licence:reason", one)
    for one in licence.duties:
        yield _property("licence:duty", one)
    if papers is not None:
        yield _property("scan", papers.scan)
        yield _property("scan:rules", papers.rules)
        yield _property("signature", papers.signature.method)
        if papers.signature.signer:
            yield _property("signature:signer", papers.signature.signer)
        if papers.reviewed_by:
            yield _property("reviewed-by", papers.reviewed_by)


def _how(manifest: Manifest) -> str:
    making = manifest.making
    return f"{making.how}: {making.detail}" if making.detail else making.how


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": _PREFIX + name, "value": value}


def _ref(name: str, sha256: str) -> str:
    return f"{quote(name)}@{sha256[:16]}"


def _ancestor_ref(one: Ancestor) -> str:
    return _ref(one.name, one.digests[0] if one.digests else "unknown")
