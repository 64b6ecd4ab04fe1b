"""Guards made ready for calls: compiled profiles by name, put on the routes that name them.

Fail closed: a route whose guard could not be made ready answers nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b

import msgspec
from msgspec.structs import replace

from freehold.core.crypto import Sealer
from freehold.core.errors import FreeholdError
from freehold.gateway.recall import Recall
from freehold.gateway.routing.table import RouteTable, Unarmed
from freehold.guard.apply import ALTERING
from freehold.guard.profile import Guard, compile_profile
from freehold.guard.types import Piece, Profile, Rule

SCAN_SECONDS = 2.0
"""Most time that detectors work on one request, and again on its answer; long requests are looked at beside others."""
MORE_SECONDS = 1e-5
"""What each character of an answer adds to that: an answer comes bit by bit, and others are answered in between."""
MOST_CLEAN = 20_000
"""Texts that are remembered to hold nothing: some 4 MB."""
SURE = 0.8
"""Least score of a refusal for which somebody else is asked."""


class Guards(msgspec.Struct, frozen=True):
    """What the data plane reads of the `policy` snapshot beside what `policy` itself does."""

    guards: tuple[Profile, ...] = ()


class House:
    """What all guards of a process share."""

    def __init__(self, sealer: Sealer, vault_secret: Callable[[str], bytes]) -> None:
        """`vault_secret` gives a tenant's key. It may raise OSError or FreeholdError."""
        self.sealer = sealer
        self.recall = Recall(sealer.digest(b"guard-recall", b""))
        self.vault_secret = vault_secret


class Armed:
    """One guard, ready."""

    def __init__(self, guard: Guard, house: House, refused: Callable[[str], bool] | None) -> None:
        self.guard = guard
        self.recall = house.recall
        self.sealer = house.sealer
        self.vault_secret = house.vault_secret
        self.stands_in = any(rule.action == "pseudonymise" for rule in guard.profile.rules)
        """Does a rule put stand-ins in the place of what is found?"""
        self.profile = guard.profile
        self.answers = _for_answers(guard)
        self.vital = frozenset(
            rule.detector for rule in self.answers.profile.rules if rule.action in ALTERING and "out" in rule.directions
        )
        """Detectors that may have an answer go on otherwise than it came."""
        self.refused = refused
        self.clean = Clean(house.sealer.digest(b"guard-clean", guard.digest.encode()))
        """Tells a model's refusal; None where nobody is asked instead."""


class Clean:
    """Texts in which a guard found nothing, as keyed digests, the latest so many."""

    def __init__(self, key: bytes, most: int = MOST_CLEAN) -> None:
        self._key = key
        self._most = most
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def holds(self, piece: Piece) -> bool:
        """Was this very text, by who wrote it, looked at?"""
        digest = self._digest(piece)
        found = digest in self._known
        if found:
            self._known.move_to_end(digest)
        return found

    def add(self, pieces: Iterable[Piece]) -> None:
        """These were looked at, and held nothing."""
        for piece in pieces:
            self._known[self._digest(piece)] = None
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def _digest(self, piece: Piece) -> bytes:
        data = f"{piece.source}\0{piece.text}".encode("utf-8", "surrogatepass")
        return blake2b(data, digest_size=16, key=self._key).digest()


Watch = Armed | Unarmed


def arm(profiles: Iterable[Profile], house: House) -> dict[str, Watch]:
    """Guards by name."""
    found: dict[str, Watch] = {}
    for profile in profiles:
        try:
            guard = compile_profile(profile)
            refused = refusals() if profile.reroute_refusals else None
            found[profile.name] = Armed(guard, house, refused)
        except FreeholdError as error:
            found[profile.name] = Unarmed(error.message)
        except Exception as error:  # noqa: BLE001 - whatever keeps a guard from being ready, its routes answer nothing
            found[profile.name] = Unarmed(f"its detectors cannot be made ready: {type(error).__name__}")
    return found


def named(table: RouteTable) -> frozenset[str]:
    """Guards that the routes name."""
    return frozenset({table.guard, *(path.route.guard for path in table.paths.values())})


def put_on(table: RouteTable, guards: Mapping[str, Watch]) -> list[str]:
    """Give each route its guard; says which could not be given."""
    faults = []
    paths = {path.name: path for path in table.paths.values()}
    for path in paths.values():
        path.watch = watch_of(path.route.guard, guards)
        if isinstance(path.watch, Unarmed):
            faults.append(f"route {path.name}: {path.watch.fault}")
    table.watch_pins(watch_of(table.guard, guards))
    return faults


def watch_of(name: str, guards: Mapping[str, Watch]) -> Watch | None:
    """The guard by that name; None for none."""
    if not name:
        return None
    return guards.get(name) or Unarmed(f"there is no guard {name!r}")


class Patience:
    """How long detectors may take for one text or one answer; only time in which they work counts."""

    def __init__(self, seconds: float = SCAN_SECONDS, now: Callable[[], float] = time.monotonic) -> None:
        self._left = seconds
        self._now = now
        self._since = now()

    def begin(self, characters: int = 0) -> None:
        """They go to work, on so many characters more."""
        self._since = self._now()
        self._left += MORE_SECONDS * characters

    def rest(self) -> None:
        """They are done for now."""
        self._left -= self._now() - self._since

    def late(self) -> bool:
        """Have they had their time?"""
        return self._now() - self._since > self._left


def refusals() -> Callable[[str], bool]:
    """Tells whether a text is a refusal."""
    from freehold.guard.detectors.refusal import Refusal

    detector = Refusal()
    return lambda text: detector.score(text) >= SURE


def _for_answers(guard: Guard) -> Guard:
    """The same guard for what comes back: what was given a stand-in on the way out is the caller's own."""
    rules = tuple(map(_watching, guard.profile.rules))
    return Guard(replace(guard.profile, rules=rules), guard.detectors, guard.digest)


def _watching(rule: Rule) -> Rule:
    return replace(rule, action="flag") if rule.action == "pseudonymise" else rule
