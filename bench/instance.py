"""Freehold under test: an instance home written straight as signed snapshots, then its real processes.

Three profiles over the same 1,000 keys: `freehold` (key, route, meter), `freehold-everything` (limits, budgets,
policy, journal with its writer, receipts) and `freehold-tls` (as the first, upstream over verified TLS).
"""

from __future__ import annotations

import shutil
import time
from decimal import Decimal
from pathlib import Path

import msgspec

from bench.field import Field, key_numbers
from bench.launch import gateway_command, writer_command
from bench.load import Shot, Subject, fire
from bench.pinning import GATEWAY_CORE, LOAD_CORE, Child, cpu_seconds, free_port
from freehold.core.crypto import Identity, sha256
from freehold.core.db import connect, upgrade, url_of
from freehold.core.label import Label, Level
from freehold.core.permit import Origin
from freehold.core.snapshot import write_snapshot
from freehold.gateway.routing.types import Arm, Route, Routes
from freehold.identity.types import Keys, Principal
from freehold.ledger.meter import Price
from freehold.policy.targets import Target
from freehold.policy.types import Budget, Policy

ROOT = Path(__file__).resolve().parents[1]
_KEYS = 1000
_AMPLE = 10**9
"""Limits that are counted on every call and never reached."""
_LABEL = Label(Level.CONFIDENTIAL, frozenset({"GDPR"}))
_PRICE = Price(input=Decimal("0.15"), output=Decimal("0.60"), source="bench", as_of="2026-11-01")


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Which features are on."""

    name: str
    note: str
    everything: bool = False
    tls: bool = False


PROFILES: tuple[Profile, ...] = (
    Profile(name="freehold", note="1,000 keys, route, usage metered, journal written"),
    Profile(
        name="freehold-everything",
        note="as freehold, with request and token limits, budgets of key, team and route leased from the writer, "
        "a policy decision on a confidential:GDPR label, the journal loaded into SQL with audit tree and receipts",
        everything=True,
    ),
    Profile(name="freehold-tls", note="as freehold, upstream over TLS with the certificate verified", tls=True),
)


class Instance(msgspec.Struct, kw_only=True):
    """One running Freehold."""

    profile: Profile
    home: Path
    subject: Subject
    writer: Child | None = None


def add_instances(field: Field) -> list[Instance]:
    """Start every profile that can be had and take it into the field."""
    found = []
    for profile in PROFILES:
        if profile.tls and not field.tls_upstream:
            continue
        instance = start(field, profile, profile.name)
        field.add(instance.subject, 20)
        if instance.subject in field.subjects:
            found.append(instance)
    return found


def start(field: Field, profile: Profile, name: str) -> Instance:
    """Write a fresh home and start writer and gateway on it. They end with the field."""
    home = field.out / "homes" / name
    shutil.rmtree(home, ignore_errors=True)
    _write_home(field, profile, home)
    logs = field.out / "logs"
    writer = None
    if profile.everything:
        writer = Child(
            f"{name}-writer", writer_command(home), LOAD_CORE, logs / f"{name}-writer.log", cwd=ROOT, first=False
        )
        field.children.append(writer)
    port = free_port()
    gateway = Child(name, gateway_command(home, port), GATEWAY_CORE, logs / f"{name}.log", cwd=ROOT)
    field.children.append(gateway)
    return Instance(profile=profile, home=home, subject=Subject(name=name, port=port, child=gateway), writer=writer)


def _write_home(field: Field, profile: Profile, home: Path) -> None:
    identity = Identity.load(home / "identity.key")
    origin = Origin("http", "127.0.0.1", field.upstream)
    if profile.tls:
        origin = Origin("https", "localhost", field.tls_upstream)
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
        tls_ca=str(field.ca) if profile.tls else "",
    )
    route = Route(name="mock", tiers=((Arm("mock"),),), budgets=("route/mock",) if profile.everything else ())
    contents: dict[str, object] = {
        "keys": Keys(principals=tuple(_principal(number, key, profile) for number, key in enumerate(_secrets()))),
        "routes": Routes(targets=(target,), routes=(route,)),
        "policy": Policy(budgets=_budgets() if profile.everything else ()),
    }
    if profile.everything:
        upgrade(connect(url_of(home / "freehold.db")))
    for kind, content in contents.items():
        write_snapshot(home / "snapshots", kind, 1, time.time(), content, identity)


def _secrets() -> list[str]:
    return key_numbers(_KEYS)


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


def memory_run(field: Field, calls: tuple[int, int], limit: float) -> dict[str, object]:
    """A fresh instance with everything on: its memory after few and after many calls, and what its writer costs."""
    profile = next(one for one in PROFILES if one.everything)
    instance = start(field, profile, "freehold-memory")
    child = instance.subject.child
    assert child is not None
    before = len(field.subjects)
    field.add(instance.subject, 20)
    if len(field.subjects) == before:
        return {"skipped": field.skipped.get("freehold-memory", "")}
    field.subjects.pop()
    first, last = calls
    done = _calls(field, instance, 0, first, limit)
    early, early_writer = child.rss_mb(), instance.writer.rss_mb() if instance.writer else 0.0
    done = _calls(field, instance, done, last, limit)
    late, late_writer = child.rss_mb(), instance.writer.rss_mb() if instance.writer else 0.0
    return {
        "calls": [first, done],
        "scaled_down": done < 1_000_000,
        "gateway_mb": [early, late],
        "writer_mb": [early_writer, late_writer],
        "growth": round(late / early, 3) if early else None,
        **_writer_cost(instance, done, limit),
    }


def _calls(field: Field, instance: Instance, done: int, goal: int, limit: float) -> int:
    """Shoot until `goal` calls were answered in all, or time is up."""
    rate = 10_000.0
    while done < goal and time.monotonic() < limit:
        seconds = min(max((goal - done) / rate, 0.2), 5.0)
        figures = fire(field.tools, instance.subject, Shot(name="memory", connections=64, seconds=seconds))
        if not figures.ok:
            break
        done += figures.ok
        rate = max(figures.rps, 100.0)
    return done


def _writer_cost(instance: Instance, calls: int, limit: float) -> dict[str, object]:
    """CPU of the writer for each call, once it has caught up with the journal."""
    if instance.writer is None:
        return {}
    drained = False
    began = time.monotonic()
    while time.monotonic() < limit and not drained:
        before = _cpu(instance.writer)
        time.sleep(0.5)
        drained = _cpu(instance.writer) - before < 0.02
    spent = _cpu(instance.writer)
    return {
        "writer_us_per_call": round(spent / calls * 1e6, 2) if calls else None,
        "writer_drained": drained,
        "writer_behind_s": round(time.monotonic() - began - 0.5, 1),
    }


def _cpu(child: Child) -> float:
    return sum(map(cpu_seconds, child.pids()))
