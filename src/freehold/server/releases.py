"""What is known of a release on the day it is to be promoted: signature, gate, advisories."""

from __future__ import annotations

import msgspec

from freehold.assurance.errata import feeds
from freehold.assurance.errata.matching import Thing, matched
from freehold.assurance.errata.patches import held_off
from freehold.core.errors import BadRequest
from freehold.registry import channel_files, staging
from freehold.registry.admission import gate
from freehold.registry.artefacts import Store
from freehold.registry.channels import FILES, Facts, Release, Subject
from freehold.registry.layout import replace_file
from freehold.registry.types import Manifest, expired
from freehold.server.api.errata import standing
from freehold.server.instance import Instance

_OURS = "this installation"
LARGEST_BYTES = 4 << 20
"""Of a file in a channel: rules and prices are small."""


def facts_of(instance: Instance, kind: Subject, release: Release) -> Facts:
    """Of a model by its papers, of a file by looking at it now. Raises NotFound, BadSignature or BadArtefact."""
    store = Store(instance.home / "store", instance.identity)
    if kind in FILES:
        return _of_file(instance, store, kind, release)
    now = instance.clock()
    manifest = store.show(release.reference)
    names = {release.reference}
    names |= {one.name for one in store.list() if store.record(one.name).image == release.digest}
    affected = {one.advisory for one in standing(instance) if one.what in names and one.standing == "affected"}
    return msgspec.structs.replace(of_papers(manifest, now), affected=tuple(sorted(affected)))


def of_papers(manifest: Manifest, now: float) -> Facts:
    """What a model's papers say; `now` in Unix seconds."""
    papers = manifest.papers
    here = manifest.origin.package == _OURS
    if papers is None:
        return Facts(signed=here)
    vouched = bool(papers.reviewed_by) and not expired(manifest, now)
    scan = "allow" if papers.scan == "review" and vouched else papers.scan
    return Facts(signed=bool(papers.signature.signer) or here or vouched, scan=scan)


def _of_file(instance: Instance, store: Store, kind: Subject, release: Release) -> Facts:
    data = channel_files.get(store.root, release.digest)
    if len(data) > LARGEST_BYTES:
        raise BadRequest(f"{release.artefact} has {len(data)} bytes: more than rules or prices ever have")
    with staging.folder(store.root) as folder:
        replace_file(folder / release.artefact, data)
        scan = gate()(folder).verdict
    subject = "guard" if kind == "guard" else "prices"
    thing = Thing(name=release.artefact, subject=subject, digests=(release.digest,))  # type: ignore[arg-type]
    found = matched(feeds.everything(instance.home), (thing,), held_off())
    return Facts(bool(release.signer), scan, tuple(sorted(one.advisory for one in found if one.standing == "affected")))
