"""The papers of an artefact: what was found out about it before it was let in, and how to check it again.

Signed with its manifest. A statement is a file beside the weights, named here by its digest.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from freehold.registry.gate.types import Verdict


class Signature(msgspec.Struct, frozen=True):
    """Whose signature over the files was checked on entry."""

    method: Literal["none", "key", "certificate"] = "none"
    signer: str = ""
    """Fingerprint of the key, or the certificate's subject."""


class Licence(msgspec.Struct, frozen=True):
    """What the licence was recognised as, and what policy makes of it."""

    expression: str
    """SPDX; `NOASSERTION` where nobody says."""
    verdict: Verdict
    source: str
    """Where it was read: `given`, `card`, `file`, `base`."""
    duties: tuple[str, ...] = ()
    """What whoever serves or passes it on must do, in words."""
    reasons: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    """Every place that says something, and what: `README.md: MIT`."""
    disagree: bool = False
    """Places name different licences."""


class Statement(msgspec.Struct, frozen=True):
    """A file about the artefact: `bom`, `scan`, `lineage`, `signature`, `review`, `card`."""

    kind: str
    media_type: str
    sha256: str
    size: int


class Papers(msgspec.Struct, frozen=True, kw_only=True):
    """What admission wrote down."""

    scan: Verdict
    """After a review, where there was one, still what the gate said."""
    rules: str
    """The gate's rules at the time (`Report.rules`)."""
    licence: Licence
    signature: Signature = Signature()
    reviewed_by: str = ""
    """Who vouched for these bytes, where the gate or the licence asked for a person."""
    reviewed_until: str = ""
    """RFC 3339, UTC: from then on they are not loaded again before somebody vouches anew."""
    statements: tuple[Statement, ...] = ()
