"""Admitting what was trained here: manifests with their lineage, and the licence that comes down from the base.

An adapter is bound to the very bytes of its base, a dataset to its digest: either can be shown years later.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from freehold.core.clock import iso
from freehold.core.errors import BadArtefact
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Blob, Kind, Lineage, Making, Manifest, Origin, Store, digest_of
from freehold.registry.offers import Offer

OWN_LICENCE = "LicenseRef-owner"
"""Of what was made of the owner's data alone: no licence of anybody else's applies."""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What a training run left behind; the first of `files` is what the engine opens."""

    name: str
    """In the store: a-z, 0-9, dot, dash and underscore, at most 64."""
    kind: Kind
    format: str
    """`safetensors`, `gguf` or `json`."""
    files: tuple[Path, ...]
    recipe: str
    dataset_sha256: str
    base: str = ""
    """Name in the store of the model it was trained on, where there is one."""
    workflow: str = ""
    detail: str = ""


def admit_trained(store: Store, product: Product, now: float, admission: Admission | None = None) -> Manifest:
    """Take a trained artefact into the store and sign it; `now` in Unix seconds.

    With `admission` it passes the gate like anything else and gets papers. Raises NotFound where the base is not in
    the store, BadArtefact for no files, or two of one name, and as `Admission.take` does.
    """
    names = [one.name for one in product.files]
    if not names or len(set(names)) != len(names):
        raise BadArtefact(f"{product.name} needs files, each with a name of its own", param=product.name)
    base = store.show(product.base) if product.base else None
    if product.kind in ("adapter", "prompt") and base is None:
        raise BadArtefact(f"the {product.kind} {product.name} names no base", hint="say what it was trained on")
    sources = {one.name: one for one in product.files}
    blobs = tuple(Blob(one.name, digest_of(one), one.stat().st_size) for one in product.files)
    base_sha256 = base.files[0].sha256 if base else ""
    offer = Offer(
        name=product.name,
        kind=product.kind,
        format=product.format,
        origin=Origin("this installation", product.recipe, blobs[0].sha256),
        making=Making("train", base_sha256, product.detail),
        # A classifier asks its encoder and holds nothing of it.
        licence=base.licence if base and product.kind != "classifier" else OWN_LICENCE,
        lineage=Lineage(
            recipe=product.recipe,
            dataset_sha256=product.dataset_sha256,
            base=product.base,
            base_sha256=base_sha256,
            workflow=product.workflow,
        ),
    )
    if admission is not None:
        return admission.made_here(sources, offer)
    manifest = Manifest(
        name=offer.name,
        kind=offer.kind,
        format=offer.format,
        files=blobs,
        origin=offer.origin,
        making=offer.making,
        licence=offer.licence,
        made_at=iso(now),
        lineage=offer.lineage,
    )
    return store.admit(manifest, sources)
