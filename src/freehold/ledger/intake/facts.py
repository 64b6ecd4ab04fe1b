"""What the routes snapshot says about targets, as far as a row needs it: price, owner, region, baseline.

The ledger reads only these fields of the snapshot, since rooms below must not know the types of rooms above.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from freehold.core.crypto import Verifier
from freehold.core.errors import BadSignature
from freehold.core.snapshot import read_snapshot
from freehold.ledger.meter import FREE, Price, Rate, rate

_KEPT_VERSIONS = 32


class TargetFacts(msgspec.Struct, frozen=True):
    """Of one target."""

    name: str
    owned: bool = False
    region: str = "unknown"
    price: Price = FREE
    batch_price: Price | None = None
    """Of a line that was passed to the vendor's own batches."""
    provider: str = ""
    model: str = ""
    digest: str = ""
    """Of an owned model's file: SHA-256 in hex."""


class RouteFacts(msgspec.Struct, frozen=True):
    """Of one route."""

    name: str
    baseline: str = ""


class Baseline(msgspec.Struct, frozen=True):
    """What a route's calls are compared with."""

    target: str
    rate: Rate
    source: str
    """Of its price, with the date."""


class _Content(msgspec.Struct, frozen=True):
    targets: tuple[TargetFacts, ...] = ()
    routes: tuple[RouteFacts, ...] = ()


class Facts(msgspec.Struct, frozen=True):
    """Of one version of the routes."""

    targets: dict[str, TargetFacts]
    baselines: dict[str, Baseline]
    """By route, where it names one that exists."""

    def target(self, name: str) -> TargetFacts:
        """A target that is not in the snapshot any more has no known price or region."""
        return self.targets.get(name) or TargetFacts(name)


NO_FACTS = Facts({}, {})


def facts_of(content: _Content) -> Facts:
    """Index one snapshot's content. A baseline without a price says nothing, rather than that it costs nothing."""
    targets = {one.name: one for one in content.targets}
    priced = {name: one for name, one in targets.items() if one.price != FREE}
    named = [(one.name, priced[one.baseline]) for one in content.routes if one.baseline in priced]
    return Facts(targets, {route: _baseline(target) for route, target in named})


def _baseline(target: TargetFacts) -> Baseline:
    return Baseline(target.name, rate(target.price), f"{target.price.source}, {target.price.as_of}")


class FactsReader:
    """Facts by version. Each version seen is kept, since a call may end after the routes were replaced."""

    def __init__(self, folder: Path, verifier: Verifier) -> None:
        self._folder = folder
        self._verifier = verifier
        self._stamp: tuple[int, int] | None = None
        self._seen: dict[int, Facts] = {}

    def refresh(self) -> None:
        """Read the snapshot where it was replaced since. What this installation did not sign changes nothing."""
        try:
            found = (self._folder / "routes.snapshot").stat()
        except FileNotFoundError:
            return
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            version, content = read_snapshot(self._folder, "routes", _Content, self._verifier)
        except BadSignature:
            return
        self._seen[version] = facts_of(content)
        while len(self._seen) > _KEPT_VERSIONS:
            del self._seen[min(self._seen)]

    def at(self, version: int) -> Facts:
        """Of that version, or of the newest where it was not seen."""
        found = self._seen.get(version)
        if found is None:
            found = self._seen[max(self._seen)] if self._seen else NO_FACTS
        return found


FactsAt = Callable[[int], Facts]
"""Facts of a version of the routes."""
