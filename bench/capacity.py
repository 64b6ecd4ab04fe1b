"""`python -m bench.capacity [--small]`: how the cost of a call, a start and a page grows with what an instance holds.

Five axes, one at a time: keys, targets with a route each, workflows, calls in the ledger, days of them. In process and
without a network; what a gateway answers over sockets is measured by `bench.gateway`. Ends with one JSON line; writes
`bench/results/capacity.json`, which `docs/explanation/capacity.md` reads its figures from.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.homes import PROFILES, write_home
from bench.kept import keep
from bench.rig import ANSWER, BODY, Rig, request, response
from bench.steps import best
from freehold.core.crypto import Identity, Sealer, sha256
from freehold.core.db import connect, reading, upgrade, url_of
from freehold.core.permit import Origin
from freehold.core.snapshot import read_snapshot, write_snapshot
from freehold.gateway.assign import Template, Workflows
from freehold.gateway.routing.types import Arm, Route, Routes
from freehold.gateway.shingles import Shingler
from freehold.identity.types import Keys as Principals
from freehold.ledger.frames import Close, Open, Tried
from freehold.ledger.intake.loader import Keys
from freehold.ledger.journal import pack, segment_name
from freehold.ledger.meter import Usage
from freehold.ledger.records import Filter
from freehold.ledger.usage import store as usage
from freehold.ledger.writer import load_once

Figures = dict[str, Any]
SEGMENT_CALLS = 20_000
WORDS = ("order", "refund", "invoice", "claim", "ship", "late", "broken", "patient", "policy", "account", "please")


@contextmanager
def gateway(kind: str = "", content: msgspec.Struct | None = None) -> Iterator[tuple[Rig, Figures]]:
    """A rig whose snapshot of `kind` has `content`, and what it cost to sign, store and load it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_home(PROFILES[0], home, Origin("http", "127.0.0.1", 9))
        if content is not None:
            write_snapshot(home / "snapshots", kind, 2, time.time(), content, Identity.load(home / "identity.key"))
        before, began = _resident(), time.perf_counter()
        rig = Rig(home, receipts=False)
        told = {"load_s": round(time.perf_counter() - began, 3), "grown_mib": round(_resident() - before, 1)}
        if content is not None:
            told["snapshot_bytes"] = (home / "snapshots" / f"{kind}.snapshot").stat().st_size
        try:
            yield rig, told
        finally:
            rig.close()


def a_call(rig: Rig, body: bytes = BODY) -> float:
    """Microseconds of a whole plain call, without the kernel."""
    asked, told = request(body), response(ANSWER)

    def call() -> None:
        rig.ask(asked)
        rig.tell(told)

    call()
    if not rig.wire.last.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the rig's call failed: {rig.wire.last[:300]!r}")
    return round(best(call, 1000), 2)


def by_keys(count: int) -> Figures:
    """The call of one key among so many; tenants are teams of keys."""
    held = _content("keys", Principals)
    one = held.principals[0]
    more = tuple(
        msgspec.structs.replace(one, key_id=f"key_{at}", name=f"k{at}", team=f"t{at // 10}", digest=sha256(b"%d" % at))
        for at in range(count - 1)
    )
    with gateway("keys", msgspec.structs.replace(held, principals=(one, *more))) as (rig, told):
        return {"keys": count, "call_us": a_call(rig), **told}


def by_targets(count: int) -> Figures:
    """The call of one route among so many, each with a target of its own."""
    held = _content("routes", Routes)
    target, route = held.targets[0], held.routes[0]
    targets = tuple(msgspec.structs.replace(target, name=f"target-{at}") for at in range(count - 1))
    routes = tuple(Route(name=f"route-{at}", tiers=((Arm(f"target-{at}"),),)) for at in range(count - 1))
    whole = msgspec.structs.replace(held, targets=(target, *targets), routes=(route, *routes))
    with gateway("routes", whole) as (rig, told):
        return {"targets": count, "call_us": a_call(rig), **told}


def by_workflows(count: int) -> Figures:
    """A call that is told from so many workflows by its words: one whose opening is known, and one never seen."""
    draw = random.Random(2026)
    prompts = [" ".join(draw.choices(WORDS, k=60)) for _ in range(count)]
    shingler = Shingler()
    templates = tuple(
        Template(workflow=f"wf_{at}", system=shingler.of_system(text).astype("<u8").tobytes())
        for at, text in enumerate(prompts)
    )
    with gateway("workflows", Workflows(templates=templates)) as (rig, told):
        system = prompts[count // 2].encode()
        body = b'{"model":"mock","messages":[{"role":"system","content":"%b"},{"role":"user","content":"%b"}]}'
        known = a_call(rig, body % (system, b"Where is it?"))
        numbers = iter(range(10**9))

        def new() -> None:
            rig.ask(request(body % (system + b" word%d" % next(numbers), b"Where is it?")))
            rig.tell(response(ANSWER))

        return {"workflows": count, "call_us": known, "new_opening_us": round(best(new, 300), 2), **told}


def by_calls(home: Path, sizes: list[int]) -> list[Figures]:
    """What loading the next calls costs, and what they weigh, the more there are: one writer, one core."""
    engine = connect(url_of(home / "freehold.db"))
    upgrade(engine)
    keys = Keys(Identity.load(home / "identity.key"), Sealer.load(home / "data.key"))
    found, stored = [], 0
    for size in sizes:
        write_journal(home, stored, size, sizes[-1])
        journal = sum(one.stat().st_size for one in (home / "journal").rglob("*.journal"))
        began = time.process_time()
        load_once(home, engine, keys)
        took, added = time.process_time() - began, size - stored
        weight = (home / "freehold.db").stat().st_size
        found.append(
            {
                "calls": size,
                "loaded_per_cpu_s": round(added / took),
                "journal_bytes_a_call": round(journal / added),
                "database_bytes_a_call": round(weight / size),
            }
        )
        stored = size
        print(found[-1])
    engine.dispose()
    return found


def by_days(home: Path, days: list[int]) -> list[Figures]:
    """Milliseconds to sum the last so many days by model, off the hourly sums."""
    engine = connect(url_of(home / "freehold.db"))
    found = []
    for span in days:
        since = (datetime.now(UTC) - timedelta(days=span)).timestamp()

        def ask(since: float = since) -> None:
            with reading(engine) as connection:
                usage.sums(connection, ("target",), Filter(since=since))

        found.append({"days": span, "summed_ms": round(best(ask, 5) / 1000, 2)})
    engine.dispose()
    return found


def write_journal(home: Path, first: int, until: int, last: int) -> None:
    """A journal whose gateway is gone, with calls `first` to `until` of `last`, which fill a year in order."""
    epoch = home / "journal" / f"epoch{first}"
    epoch.mkdir(parents=True)
    lock = os.open(epoch / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    now, counts, cost = time.time(), Usage(input=200, output=120), Decimal("0.0001")
    for sequence, begin in enumerate(range(first, until, SEGMENT_CALLS), 1):
        frames = []
        for number in range(begin, min(begin + SEGMENT_CALLS, until)):
            at = now - 365 * 86400 * (1 - number / last) - 1
            call = (int(at * 1000) << 80 | number).to_bytes(16, "big")
            key, target = f"key_{number % 1000:04d}", f"target-{number % 20}"
            tried = Tried(1, target, 0.0, 0.2, 0.9, "ok", 200, counts, cost)
            frames.append(pack(_opened(call, at, key, target)))
            frames.append(pack(Close(call, at + 1, "ok", 200, cost, (tried,), bytes(32), 900, error="")))
        (epoch / segment_name(sequence)).write_bytes(b"".join(frames))
    os.close(lock)


def _opened(call: bytes, at: float, key: str, target: str) -> Open:
    return Open(
        call, at, key, f"team-{key[-2:]}", "mock", "openai_chat", False, "internal", "", target, 1, 1, Decimal(0), (),
        bytes(32),
    )  # fmt: skip


def _content(kind: str, form: type[Any]) -> Any:
    """What `bench.homes` writes of a kind."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_home(PROFILES[0], home, Origin("http", "127.0.0.1", 9))
        return read_snapshot(home / "snapshots", kind, form, Identity.load(home / "identity.key"))[1]


def _resident() -> float:
    """MiB at most so far: runs go from small to large."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _told(figures: Figures) -> Figures:
    print(figures)
    return figures


def main() -> None:
    """Measure each axis, from small to large."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of each; nothing is kept")
    small = parser.parse_args().small
    tens = [10, 100, 1000] if small else [10, 100, 1000, 10_000]
    calls = [10_000, 50_000] if small else [100_000, 300_000, 1_000_000]
    np.seterr(all="raise")
    found: Figures = {
        "keys": [_told(by_keys(one)) for one in (*tens, tens[-1] * 10)],
        "targets": [_told(by_targets(one)) for one in tens],
        "workflows": [_told(by_workflows(one)) for one in tens],
    }
    with tempfile.TemporaryDirectory(prefix="freehold-bench-capacity-") as folder:
        found["calls"] = by_calls(Path(folder), calls)
        found["days"] = [_told(one) for one in by_days(Path(folder), [1, 30, 365])]
    if not small:
        keep("capacity", found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
