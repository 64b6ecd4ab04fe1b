"""What is offered to the store, by what rules it is judged, and what was found."""

from __future__ import annotations

import msgspec

from freehold.registry.converting import Brought
from freehold.registry.gate.types import Report, Verdict
from freehold.registry.papers import signing
from freehold.registry.papers.licences import Licensee, Policy, Use
from freehold.registry.papers.types import Licence, Signature
from freehold.registry.types import Kind, Lineage, Making, Origin


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided by: facts about the licensee, what is wanted of licences, whose signatures count."""

    licensee: Licensee = Licensee()
    use: Use = Use()
    policy: Policy = Policy()
    trust: signing.Trust = signing.Trust()
    unsigned: Verdict = "allow"
    """What comes of files that no maker's signature is over."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is to come in, as whoever brings it tells it."""

    name: str
    kind: Kind
    format: str
    origin: Origin
    making: Making = Making("none")
    licence: str = ""
    """What a person says; empty to go by the model's own word."""
    base: str = ""
    """Name in the store of what it was trained on."""
    lineage: Lineage | None = None
    only: tuple[str, ...] = ()
    """Patterns of the files that are meant, where not all of a folder are."""
    signature: bytes = b""
    """Its maker's, as OpenSSF's format has it."""
    brought: Brought | None = None
    """What it was before some of its files were converted."""


class Review(msgspec.Struct, frozen=True):
    """A person's word for very bytes; `until` in Unix seconds."""

    by: str
    until: float


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a model before it was let in."""

    verdict: Verdict
    report: Report
    licence: Licence
    signature: Signature
    reasons: tuple[str, ...]
