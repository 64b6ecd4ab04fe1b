"""Advisories as CSAF 2.0 documents with the VEX profile (OASIS, https://docs.oasis-open.org/csaf/csaf/v2.0), both ways.

Only what is needed to match and to read is taken in; what cannot be matched stays as an advisory about everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from freehold.assurance.errata.types import Advisory, Affected, Subject
from freehold.core.errors import BadArtefact

PUBLISHER = "Freehold"
NAMESPACE = "https://freehold.invalid/errata"
_DAY = "T00:00:00Z"
SUBJECT_NOTE, TRIGGER_NOTE = "subject", "trigger"


def document(
    advisory: Advisory, released: str, *, publisher: str = PUBLISHER, namespace: str = NAMESPACE
) -> dict[str, Any]:
    """The document of an advisory; `released` is an RFC 3339 time."""
    products = [_product(number, one) for number, one in enumerate(advisory.affected)]
    first = f"{advisory.published}{_DAY}" if advisory.published else released
    vulnerability: dict[str, Any] = {
        "title": advisory.title,
        "notes": [
            {"category": "description", "text": advisory.title},
            {"category": "details", "title": TRIGGER_NOTE, "text": advisory.trigger or "not told"},
            {
                "category": "other",
                "title": SUBJECT_NOTE,
                "text": f"{advisory.subject}; {advisory.kind}; {advisory.certainty}",
            },
        ],
        "product_status": {"known_affected": [one["product"]["product_id"] for one in products]},
        "remediations": _remediations(advisory, products),
    }
    cve = next((one for one in (advisory.id, *advisory.aliases) if one.startswith("CVE-")), "")
    if cve:
        vulnerability["cve"] = cve
    else:
        vulnerability["ids"] = [{"system_name": publisher, "text": advisory.id}]
    return {
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "title": advisory.title,
            "lang": "en",
            "publisher": {"category": "vendor", "name": publisher, "namespace": namespace},
            **({"references": [{"summary": advisory.source, "url": namespace}]} if advisory.source else {}),
            "tracking": {
                "id": advisory.id,
                "status": "final",
                "version": "1",
                "initial_release_date": first,
                "current_release_date": released,
                "revision_history": [{"date": first, "number": "1", "summary": "First version"}],
                **({"aliases": list(advisory.aliases)} if advisory.aliases else {}),
            },
        },
        "product_tree": {"branches": [{"category": "vendor", "name": "affected", "branches": products}]},
        "vulnerabilities": [vulnerability],
    }


def _product(number: int, one: Affected) -> dict[str, Any]:
    helper: dict[str, Any] = {}
    if one.purl:
        helper["purl"] = one.purl
    if one.digests:
        helper["hashes"] = [
            {"filename": "artefact", "file_hashes": [{"algorithm": "sha256", "value": digest}]}
            for digest in one.digests
        ]
    if one.licences:
        helper["model_numbers"] = list(one.licences)
    versions = one.versions if one.versions.startswith("vers:") else "vers:generic/*"
    product = {"name": one.purl or ", ".join(one.licences) or "artefact", "product_id": f"P{number}"}
    if helper:
        product["product_identification_helper"] = helper  # type: ignore[assignment]
    return {"category": "product_version_range", "name": versions, "product": product}


def _remediations(advisory: Advisory, products: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for one, product in zip(advisory.affected, products, strict=True):
        ids = [product["product"]["product_id"]]
        if one.fixed:
            found.append({"category": "vendor_fix", "details": f"fixed in {one.fixed}", "product_ids": ids})
        elif advisory.workaround:
            found.append({"category": "workaround", "details": advisory.workaround, "product_ids": ids})
        else:
            found.append({"category": "none_available", "details": "no version fixes it yet", "product_ids": ids})
    return found


def read(found: dict[str, Any]) -> tuple[Advisory, ...]:
    """The advisories of a document. Raises BadArtefact where it is none, or names no product."""
    try:
        tracking = found["document"]["tracking"]
        products = {one[0]: one for one in _products(found.get("product_tree", {}))}
        return tuple(_advisory(one, tracking, found["document"], products) for one in found["vulnerabilities"])
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise BadArtefact(f"this is no CSAF document with vulnerabilities: {error}") from None


def _products(tree: dict[str, Any], vers: str = "") -> Iterable[tuple[str, Affected]]:
    """Every product with what it can be known by, wherever it stands in the tree."""
    product = tree.get("product")
    named = tree.get("name", "")
    vers = named if tree.get("category") == "product_version_range" and str(named).startswith("vers:") else vers
    here = [product] if isinstance(product, dict) else []
    for one in (*here, *tree.get("full_product_names", ())):
        helper = one.get("product_identification_helper", {})
        purl, _, version = str(helper.get("purl", "")).partition("@")
        digests = tuple(
            each["value"].lower()
            for hashes in helper.get("hashes", ())
            for each in hashes.get("file_hashes", ())
            if each.get("algorithm") == "sha256"
        )
        versions = vers or (f"vers:generic/={version}" if version else "")
        yield (
            one["product_id"],
            Affected(purl=purl, versions=versions, digests=digests, licences=tuple(helper.get("model_numbers", ()))),
        )
    for branch in tree.get("branches", ()):
        yield from _products(branch, vers)


def _advisory(
    found: dict[str, Any], tracking: dict[str, Any], document: dict[str, Any], products: dict[str, tuple[str, Affected]]
) -> Advisory:
    notes = {str(one.get("title", one.get("category"))): str(one.get("text", "")) for one in found.get("notes", ())}
    subject, kind, certainty = (*(part.strip() for part in notes.get(SUBJECT_NOTE, "").split(";")), "", "", "")[:3]
    fixed = {
        each: str(one.get("details", "")).rpartition(" ")[2]
        for one in found.get("remediations", ())
        if one.get("category") == "vendor_fix"
        for each in one.get("product_ids", ())
    }
    status = found["product_status"]
    ids = [*status.get("known_affected", ()), *status.get("first_affected", ()), *status.get("under_investigation", ())]
    affected = tuple(
        Affected(
            purl=one.purl, versions=one.versions, digests=one.digests, licences=one.licences, fixed=fixed.get(key, "")
        )
        for key, one in ((key, products[key][1]) for key in dict.fromkeys(ids))
    )
    own = str(tracking["id"])
    cve = str(found.get("cve", ""))
    workarounds = [
        one["details"] for one in found.get("remediations", ()) if one.get("category") in ("workaround", "mitigation")
    ]
    return Advisory(
        id=cve if cve and not own.startswith("FHSA-") else own,
        aliases=tuple(one for one in (cve, own, *tracking.get("aliases", ())) if one),
        subject=subject if subject in get_args(Subject) else "engine",  # type: ignore[arg-type]
        title=str(found.get("title") or document["title"]),
        kind=kind or "vulnerability",
        trigger=notes.get(TRIGGER_NOTE, ""),
        affected=affected,
        workaround=str(workarounds[0]) if workarounds else "",
        certainty=certainty if certainty in ("high", "medium", "low") else "medium",  # type: ignore[arg-type]
        published=str(tracking.get("initial_release_date", ""))[:10],
        source=str(document.get("publisher", {}).get("name", "")),
    )
