"""Manifests to hang papers on."""

from __future__ import annotations

from freehold.registry.artefacts import Blob, Lineage, Making, Manifest, Origin


def manifest(name, digest="a", *, base=None, licence="Apache-2.0", **more):
    """A model whose first file's digest is `digest` repeated; trained on `base`, another manifest, where given."""
    sha256 = (digest * 64)[:64]
    line = None
    if base is not None:
        line = Lineage(recipe="lora", dataset_sha256="d" * 64, base=base.name, base_sha256=base.files[0].sha256)
    given = {
        "kind": "adapter" if base else "chat",
        "format": "gguf",
        "files": (Blob("model.gguf", sha256, 10),),
        "origin": Origin("this installation" if base else "owner/model", "1", sha256),
        "making": Making("train" if base else "none", base.files[0].sha256 if base else ""),
        "made_at": "2026-11-22T00:00:00.000Z",
        "lineage": line,
    }
    return Manifest(name=name, licence=licence, **{**given, **more})
