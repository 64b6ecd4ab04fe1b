"""Advisories in the OSV format (https://ossf.github.io/osv-schema), as feeds of packages have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from freehold.assurance.errata.types import Advisory, Affected
from freehold.core.errors import BadArtefact

_ECOSYSTEMS = {"PyPI": "pypi", "npm": "npm", "Go": "golang", "crates.io": "cargo", "Maven": "maven"}


def read(found: dict[str, Any]) -> tuple[Advisory, ...]:
    """The advisory, unless it was withdrawn. Raises BadArtefact where it is none."""
    if found.get("withdrawn"):
        return ()
    try:
        affected = tuple(each for one in found.get("affected", ()) for each in _affected(one))
        return (
            Advisory(
                id=str(found["id"]),
                aliases=tuple(map(str, found.get("aliases", ()))),
                subject="engine",
                title=str(found.get("summary") or found["id"]),
                kind="vulnerability",
                trigger="",
                affected=affected,
                published=str(found.get("published", ""))[:10],
                source="OSV",
            ),
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise BadArtefact(f"this is no OSV record: {error}") from None


def _affected(one: dict[str, Any]) -> Iterable[Affected]:
    package = one.get("package", {})
    kind = _ECOSYSTEMS.get(str(package.get("ecosystem", "")).partition(":")[0], "generic")
    purl = str(package.get("purl") or f"pkg:{kind}/{str(package['name']).lower()}").partition("@")[0]
    scheme = "pypi" if kind == "pypi" else "semver"
    ranges = [each for each in one.get("ranges", ()) if each.get("type") in ("ECOSYSTEM", "SEMVER")]
    for each in ranges:
        yield from _spans(purl, scheme, each.get("events", ()))
    versions = one.get("versions", ())
    if versions and not ranges:
        yield Affected(purl=purl, versions=f"vers:{scheme}/{'|'.join(f'={version}' for version in versions)}")
    if not ranges and not versions:
        yield Affected(purl=purl, versions="unknown")  # commits: nobody can compare them here


def _spans(purl: str, scheme: str, events: Iterable[dict[str, str]]) -> Iterable[Affected]:
    """From each introduction to the fix, or last version, that follows it."""
    begun = ""
    for event in events:
        if "introduced" in event:
            begun = event["introduced"]
        elif "fixed" in event:
            yield Affected(purl=purl, versions=_span(scheme, begun, f"<{event['fixed']}"), fixed=event["fixed"])
            begun = ""
        elif "last_affected" in event:
            yield Affected(purl=purl, versions=_span(scheme, begun, f"<={event['last_affected']}"))
            begun = ""
    if begun:
        yield Affected(purl=purl, versions=_span(scheme, begun, ""))


def _span(scheme: str, begun: str, end: str) -> str:
    parts = [*([f">={begun}"] if begun not in ("", "0") else []), *([end] if end else [])]
    return f"vers:{scheme}/{'|'.join(parts) or '*'}"
