"""The documents that admission puts beside an artefact: its card, its lineage (signed), its bill of materials.

Each is stored as a blob and named in the papers by its digest, so it is checked with everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from freehold.core.canonical import canonical
from freehold.core.crypto import Identity
from freehold.registry.artefacts import Manifest
from freehold.registry.papers.bom import MEDIA_TYPE as BOM_TYPE
from freehold.registry.papers.bom import bom
from freehold.registry.papers.cards import Card
from freehold.registry.papers.lineage import MEDIA_TYPE as LINEAGE_TYPE
from freehold.registry.papers.lineage import Ancestor, Part, Role, Step, signed, step_of
from freehold.registry.papers.types import Licence, Statement

CARD_TYPE = "application/vnd.freehold.card+json"
_ROLES: dict[str, Role] = {"adapter": "base", "merge": "merged"}


class Document(msgspec.Struct, frozen=True):
    """One file about an artefact."""

    kind: str
    media_type: str
    data: bytes

    @property
    def statement(self) -> Statement:
        """How the papers name it."""
        return Statement(self.kind, self.media_type, hashlib.sha256(self.data).hexdigest(), len(self.data))


def step_of_card(manifest: Manifest, card: Card, bases: tuple[str, ...] = ()) -> Step:
    """The manifest's step with the bases that its card, or a person, names."""
    step = step_of(manifest)
    named = dict.fromkeys((*bases, *card.bases))
    role = _ROLES.get(card.relation, "base")
    known = {one.name for one in step.of}
    # Where a person named the one base there is, the card's word is another name of it.
    base = manifest.lineage.base if manifest.lineage else ""
    licence = manifest.licence if base and len(card.bases) == 1 else ""
    parts = tuple(Part(name=one, role=role, licence=licence) for one in named if one not in known)
    merged = card.relation == "merge" and step.how == "admit"
    return msgspec.structs.replace(step, how="merge" if merged else step.how, of=(*step.of, *parts))


def documents(
    manifest: Manifest, licence: Licence, card: Card, identity: Identity, line: tuple[Ancestor, ...] = ()
) -> tuple[Document, ...]:
    """What is put beside an artefact. `line` are its ancestors, as `lineage.walk` finds them; else its step's parts."""
    step = step_of_card(manifest, card)
    line = line or tuple(_ancestors(manifest, step))
    return (
        Document("bom", BOM_TYPE, canonical(bom(manifest, licence, line, card))),
        Document("card", CARD_TYPE, msgspec.json.encode(card)),
        Document("lineage", LINEAGE_TYPE, signed(step, identity)),
    )


def _ancestors(manifest: Manifest, step: Step) -> Iterator[Ancestor]:
    for one in step.of:
        if one.role != "dataset" and one.sha256 != manifest.files[0].sha256:
            yield Ancestor(
                name=one.name,
                digests=(one.sha256,) if one.sha256 else (),
                role=one.role,
                licence=one.licence,
                here=False,
                via=(manifest.name, one.name),
            )


def card_of(data: bytes) -> Card:
    """A card as `documents` wrote it; an empty one for what is none."""
    try:
        return msgspec.json.decode(data, type=Card)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Card()
