"""What binds an artefact today: its own licence and those of all it comes from, decided by the settings in force.

The papers keep what was decided on admission; facts about the licensee change, and with them the answer.
"""

from __future__ import annotations

import msgspec

from freehold.core.errors import BadArtefact, NotFound
from freehold.registry.artefacts import Manifest, Store, digest_of
from freehold.registry.papers import lineage
from freehold.registry.papers.cards import Card
from freehold.registry.papers.licences import NOBODY_SAYS, Licensee, Policy, Recognised, Use, decide, strictest
from freehold.registry.papers.lineage import Ancestor, Step
from freehold.registry.papers.recognise import licence_of_base
from freehold.registry.papers.types import Licence, Papers
from freehold.registry.papers.writing import card_of


class Terms(msgspec.Struct, frozen=True):
    """What is decided by."""

    licensee: Licensee
    use: Use
    policy: Policy


class Bound(msgspec.Struct, frozen=True):
    """One model of a line, and what its licence comes to."""

    name: str
    via: tuple[str, ...]
    licence: Licence


class Binding(msgspec.Struct, frozen=True):
    """What binds one artefact."""

    name: str
    licence: Licence
    """The strictest of all: the hardest verdict, every duty and reason."""
    each: tuple[Bound, ...]
    """The artefact itself first, then what it comes from, nearest first."""


class Line(msgspec.Struct, frozen=True):
    """One artefact with what its papers tell of where it comes from."""

    manifest: Manifest
    steps: tuple[Step, ...]
    ancestors: tuple[Ancestor, ...]
    card: Card
    papers: Papers | None


def line_of(store: Store, name: str) -> Line:
    """An artefact's line, read from the store with every signature checked.

    Raises NotFound, BadSignature or BadArtefact.
    """
    manifests = {one.name: one for one in store.list()}
    if name not in manifests:
        raise NotFound(f"the store holds no model {name!r}", hint="see them: freehold models list")
    steps = {one.name: signed_steps(store, one) for one in manifests.values()}
    found = manifests[name]
    card = document(store, found, "card")
    return Line(
        manifest=found,
        steps=steps[name] or (lineage.step_of(found),),
        ancestors=lineage.walk(name, manifests, steps),
        card=card_of(card) if card is not None else Card(),
        papers=papers_of(found),
    )


def lines(store: Store) -> dict[str, tuple[Ancestor, ...]]:
    """Everything each artefact of the store comes from, by its name. Raises BadSignature or BadArtefact."""
    manifests = {one.name: one for one in store.list()}
    return lineage.walk_all(manifests, {one.name: signed_steps(store, one) for one in manifests.values()})


def signed_steps(store: Store, manifest: Manifest) -> tuple[Step, ...]:
    """The steps of the lineage statements in its papers, for `lineage.walk`. Raises BadSignature or BadArtefact."""
    data = document(store, manifest, "lineage")
    return () if data is None else (lineage.read(data, store.verifier),)


def papers_of(manifest: Manifest) -> Papers | None:
    """Its papers; None for what was admitted before there were any."""
    found = getattr(manifest, "papers", None)
    return found if isinstance(found, Papers) else None


def document(store: Store, manifest: Manifest, kind: str) -> bytes | None:
    """The statement of one kind beside an artefact, its bytes checked; None where there is none.

    Raises BadArtefact where the bytes are gone or others.
    """
    papers = papers_of(manifest)
    named = next((one for one in papers.statements if one.kind == kind), None) if papers else None
    if named is None:
        return None
    path = store.blob(named.sha256)
    if not path.is_file() or digest_of(path) != named.sha256:
        raise BadArtefact(f"the {kind} of {manifest.name} is gone or was changed", param=str(path))
    return path.read_bytes()


def bind(line: Line, terms: Terms) -> Binding:
    """What binds the artefact of `line` by today's `terms`."""
    manifest, papers = line.manifest, line.papers
    made_of = tuple(one.name for one in line.ancestors if one.role != "source")
    own = Recognised(
        expression=manifest.licence or NOBODY_SAYS,
        source=papers.licence.source if papers else "given",
        said=papers.licence.said if papers else (),
        disagree=papers.licence.disagree if papers else False,
        multimodal=line.card.multimodal,
        name=manifest.name,
        bases=made_of,
    )
    first = Bound(manifest.name, (manifest.name,), _decided(own, terms))
    others = (Bound(one.name, one.via, _decided(_of(one, line), terms)) for one in line.ancestors)
    each = (first, *others)
    return Binding(manifest.name, strictest(tuple(one.licence for one in each)), each)


def _of(ancestor: Ancestor, line: Line) -> Recognised:
    """An ancestor that is not here and says nothing is known by its name, or not at all."""
    expression = ancestor.licence or licence_of_base(ancestor.name)
    return Recognised(
        expression=expression,
        source="base",
        said=(f"base {ancestor.name}: {expression}",),
        multimodal=line.card.multimodal,
        name=ancestor.name,
    )


def _decided(recognised: Recognised, terms: Terms) -> Licence:
    return decide(recognised, terms.licensee, terms.use, terms.policy)
