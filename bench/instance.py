"""Freehold under test: its real processes on a home the bench wrote, and how memory and writer do over many calls."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from bench.field import Field
from bench.homes import PROFILES, Profile, write_home
from bench.launch import gateway_command, writer_command
from bench.load import Shot, Subject, fire
from bench.pinning import GATEWAY_CORE, LOAD_CORE, Child, cpu_seconds
from freehold.core.permit import Origin
from freehold.core.ports import free_port

ROOT = Path(__file__).resolve().parents[1]


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
    origin = Origin("https", "localhost", field.tls_upstream) if profile.tls else _plain(field)
    write_home(profile, home, origin, field.ca if profile.tls else None)
    logs = field.out / "logs"
    writer = None
    if profile.everything:
        writer = Child(
            f"{name}-writer", writer_command(home), LOAD_CORE, logs / f"{name}-writer.log", cwd=ROOT, first=False
        )
        field.children.append(writer)
    port = free_port()
    gateway = Child(
        name, gateway_command(home, port, receipts=profile.everything), GATEWAY_CORE, logs / f"{name}.log", cwd=ROOT
    )
    field.children.append(gateway)
    return Instance(profile=profile, home=home, subject=Subject(name=name, port=port, child=gateway), writer=writer)


def _plain(field: Field) -> Origin:
    return Origin("http", "127.0.0.1", field.upstream)


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
