"""Homes of instances under test: written straight as signed snapshots, with 1,000 keys and one target."""

from __future__ import annotations

import shutil
import time
from decimal import Decimal
from pathlib import Path

import msgspec

from bench.load import KEY
from freehold.core.crypto import Identity, sha256
from freehold.core.db import connect, upgrade, url_of
from freehold.core.label import Label, Level
from freehold.core.permit import Origin
from freehold.core.snapshot import write_snapshot
from freehold.gateway.routing.types import Arm, Route, Routes
from freehold.guard import types as guard
from freehold.guard.built_in import built_in
from freehold.identity.types import Keys, Principal
from freehold.ledger.meter import Price
from freehold.policy.targets import Target
from freehold.policy.types import Budget, Policy
from freehold.policy.vendors import Fact

_KEYS = 1000
_AMPLE = 10**9
"""Limits that are counted on every call and never reached."""
_LABEL = Label(Level.CONFIDENTIAL, frozenset({"GDPR"}))
_PRICE = Price(input=Decimal("0.15"), output=Decimal("0.60"), source="bench", as_of="2026-11-01")


_TERMS = (("dpa", "signed"), ("trains_by_default", "no"), ("zero_retention", "on"), ("retention_days", "0"))
_CONTRACTS = tuple(
    Fact(
        party="provider/mock",
        attribute=name,
        values=(value,),
        certainty="contract",
        source="bench",
        as_of="2026-01-01",
        by="bench",
    )
    for name, value in _TERMS
)
"""What confidential content needs of whoever serves it."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Which features are on."""

    name: str
    note: str
    everything: bool = False
    tls: bool = False
    guarded: bool = False
    """Are requests and answers looked at by every detector there is?"""


PROFILES: tuple[Profile, ...] = (
    Profile(name="freehold", note='1,000 keys, route, usage metered (`journal = "metered"`, no digests)'),
    Profile(
        name="freehold-everything",
        note="strict journal, request and token limits, budgets of key, team and route leased from the writer, a "
        "decision on a confidential:GDPR label, bodies hashed, the journal loaded into SQL, audit tree, receipts",
        everything=True,
    ),
    Profile(
        name="freehold-guarded",
        note="as freehold-everything, and every detector on each text of request and answer: personal data and secrets "
        "redacted, the rest written down; answers and streams decoded and encoded again",
        everything=True,
        guarded=True,
    ),
    Profile(name="freehold-tls", note="as freehold, upstream over TLS with the certificate verified", tls=True),
)


def write_home(profile: Profile, home: Path, origin: Origin, ca: Path | None = None) -> None:
    """A fresh home whose one target is at `origin`."""
    shutil.rmtree(home, ignore_errors=True)
    identity = Identity.load(home / "identity.key")
    target = Target(
        name="mock",
        provider="mock",
        driver="openai",
        dialects=("openai_chat",),
        model="mock",
        origin=origin,
        clearance=_LABEL,
        region="eu",
        price=_PRICE,
        tls_ca=str(ca) if ca else "",
    )
    guards = (_guard(),) if profile.guarded else ()
    route = Route(
        name="mock",
        tiers=((Arm("mock"),),),
        budgets=("route/mock",) if profile.everything else (),
        guard=guards[0].name if guards else "",
    )
    contents: dict[str, object] = {
        "keys": Keys(principals=tuple(_principal(number, key, profile) for number, key in enumerate(_secrets()))),
        "routes": Routes(targets=(target,), routes=(route,)),
        "policy": Policy(budgets=_budgets() if profile.everything else (), guards=guards, facts=_CONTRACTS),
    }
    if profile.everything:
        upgrade(connect(url_of(home / "freehold.db")))
    for kind, content in contents.items():
        write_snapshot(home / "snapshots", kind, 1, time.time(), content, identity)


def _guard() -> guard.Profile:
    """Every detector that this installation has. Nothing is blocked, so that every call is answered."""
    watch = built_in("watch")
    assert watch is not None
    taken = tuple(guard.Rule(detector=one, action="redact") for one in ("pii", "secrets"))
    rest = tuple(rule for rule in watch.rules if rule.detector not in {"pii", "secrets"})
    return msgspec.structs.replace(watch, name="bench", rules=(*taken, *rest))


def _secrets() -> list[str]:
    """The keys the load client may use: the first is `KEY`."""
    found = [f"sk-bench-{number:040d}" for number in range(_KEYS)]
    assert found[0] == KEY
    return found


def _principal(number: int, secret: str, profile: Profile) -> Principal:
    ample = _AMPLE if profile.everything else None
    return Principal(
        key_id=f"key_{number:04d}",
        name=f"bench-{number}",
        digest=sha256(secret.encode()),
        team="bench",
        label=_LABEL,
        requests_per_minute=ample,
        tokens_per_minute=ample,
        budgets=(f"key/bench-{number}", "team/bench") if profile.everything else (),
    )


def _budgets() -> tuple[Budget, ...]:
    limit = Decimal(10**9)
    keys = (Budget(id=f"key/bench-{number}", limit=limit) for number in range(_KEYS))
    return (*keys, Budget(id="team/bench", limit=limit), Budget(id="route/mock", limit=limit, period="day"))


def drawn_on() -> tuple[str, ...]:
    """Ids of the budgets the first key's calls draw on."""
    return ("key/bench-0", "team/bench", "route/mock")
