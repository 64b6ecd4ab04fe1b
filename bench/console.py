"""`python -m bench.console [--calls N] [--home FOLDER]`: how long the server takes for each page, with a full ledger.

A home as the demo leaves it is copied and grown: calls by the journal and the writer, as if they had happened over
thirty days, and records beside them. Then every page is asked in process, without a socket, and every query it made is
explained by SQLite. A page is over its bound at 200 ms. Ends with one JSON line; writes `bench/results/console.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import random
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from sqlalchemy import Engine, event, func, select

from bench.kept import keep
from demo.playing import filled
from freehold.app import append_audit, make_publisher
from freehold.core.crypto import Identity, Sealer
from freehold.core.db import connect, insert_many, upgrade, url_of, writing
from freehold.ledger.frames import Close, Open, Scan, Tried
from freehold.ledger.intake.loader import Keys
from freehold.ledger.journal import pack, segment_name
from freehold.ledger.meter import Usage
from freehold.ledger.tables import calls
from freehold.ledger.writer import load_once
from freehold.server.app import create_app
from freehold.server.instance import Instance
from freehold.settings.last_good import in_force
from freehold.workflows.sums import store as record_sums
from freehold.workflows.tables import records

BOUND_MS = 200.0
DAYS = 30
ROUNDS = 9
SEGMENT_CALLS = 20_000
TOKEN = "the-benchs-own-token"
AGENT = {"user-agent": "bench", "host": "127.0.0.1"}
LINK = re.compile(r'href="(/console/[a-z]+/[^"?#]+)"')
BIG = ("calls", "attempts", "records", "usage_hours", "usage_days")
"""Tables that grow with traffic: a scan of one is told."""


def grow(home: Path, count: int) -> tuple[int, int]:
    """Bring the ledger and the records to `count` rows each; how many there are then."""
    engine = connect(url_of(home / "freehold.db"))
    upgrade(engine)
    with engine.connect() as connection:
        seen = [dict(row) for row in connection.execute(select(calls).limit(5000)).mappings()]
        stored = connection.scalar(select(func.count()).select_from(calls)) or 0
        kept = connection.scalar(select(func.count()).select_from(records)) or 0
        samples = [dict(row) for row in connection.execute(select(records)).mappings()]
    epoch = home / "journal" / "ffff"
    epoch.mkdir(parents=True)
    lock = os.open(epoch / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    for sequence, frames in enumerate(_segments(seen, count - stored), 1):
        (epoch / segment_name(sequence)).write_bytes(frames)
    os.close(lock)
    keys = Keys(Identity.load(home / "identity.key"), Sealer.load(home / "data.key"))
    load_once(home, engine, keys)
    _more_records(engine, samples, count - kept)
    with writing(engine) as connection:
        record_sums.settle(connection)  # as the worker does within a second
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        found = tuple(int(connection.scalar(select(func.count()).select_from(one)) or 0) for one in (calls, records))
    engine.dispose()
    return found[0], found[1]


def _segments(seen: list[dict[str, Any]], count: int) -> Iterator[bytes]:
    """Frames of calls like those seen, evenly over the days before now; a guard looked at one in twenty."""
    now, draw, out = time.time(), random.Random(2026), []
    for number in range(count):
        like = seen[number % len(seen)]
        at = now - DAYS * 86400 * (1 - number / count)
        call = (int(at * 1000) << 80 | number).to_bytes(16, "big")
        found = (("pii", "email", 1),) if number % 40 == 0 else ()
        scan = Scan("watch", "0" * 64, 400, found) if number % 20 == 0 else None
        target, outcome = like["target"] or "rented", "ok" if number % 200 else "failed"
        took = draw.lognormvariate(-0.7, 0.8)
        usage = Usage(input=like["input"], output=like["output"])
        cost = Decimal(like["cost"]).scaleb(-12)
        tried = Tried(1, target, 0.0, took / 3, took, outcome, 200 if outcome == "ok" else 502, usage, cost)
        opened = Open(
            call, at, like["key_id"], like["team"], like["route"], like["dialect"], like["stream"], like["label"],
            like["workflow"], target, like["policy_version"], like["routes_version"], Decimal(0), (), bytes(32),
            scan=scan,
        )  # fmt: skip
        error = "" if outcome == "ok" else "FH-UPS-001"
        closed = Close(call, at + took, outcome, tried.status, cost, (tried,), bytes(32), 900, error=error)
        out.append(pack(opened) + pack(closed))
        if len(out) == SEGMENT_CALLS:
            yield b"".join(out)
            out.clear()
    yield b"".join(out)


def _more_records(engine: Engine, samples: list[dict[str, Any]], count: int) -> None:
    now = time.time()
    for first in range(0, max(0, count), SEGMENT_CALLS):
        rows = []
        for number in range(first, min(first + SEGMENT_CALLS, count)):
            at = now - DAYS * 86400 * (1 - number / count)
            name = (int(at * 1000) << 80 | 1 << 79 | number).to_bytes(16, "big")
            rows.append({**samples[number % len(samples)], "id": name, "at": at})
        with writing(engine) as connection:
            insert_many(connection, records, rows)


class Watched:
    """The statements an engine was asked since the last look."""

    def __init__(self, engine: Engine) -> None:
        self.asked: list[tuple[str, Any]] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        self.asked.append((statement, parameters))

    def plans(self, path: Path) -> list[str]:
        """What SQLite does for each statement that reads a table which grows; each said once."""
        found: dict[str, None] = {}
        with sqlite3.connect(path) as connection:
            for statement, parameters in self.asked:
                if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
                    continue
                steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                for one in steps:
                    if any(re.search(rf"\b{table}\b", one[3]) for table in BIG):
                        found.setdefault(one[3])
        self.asked.clear()
        return list(found)


async def measured(home: Path, config: Path) -> list[dict[str, Any]]:
    """Every page of the list, and the first of what each leads to: median milliseconds, size, and query plans."""
    url = url_of(home / "freehold.db")
    identity = Identity.load(home / "identity.key")
    publisher = make_publisher(url, home, identity)
    instance = Instance(connect(url), identity, in_force(str(config), home), publisher, append_audit, time.time)
    watched = Watched(instance.engine)
    transport = httpx.ASGITransport(create_app(instance, TOKEN))
    found: list[dict[str, Any]] = []
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=AGENT) as client:
        entered = await client.post("/console/sign-in", data={"key": TOKEN})
        assert entered.status_code == 303, entered.text
        start = (await client.get("/console/")).text
        paths = list(dict.fromkeys(re.findall(r'<li><a href="(/console[^"]*)" data-key', start)))
        for path in list(paths):
            inside = LINK.findall((await client.get(path)).text.partition("<main")[2])
            paths += [one for one in inside[:1] if one not in paths and not one.endswith(("export", "csv"))]
        for path in paths:
            found.append(await _page(client, path, watched, home))
            print(f"{found[-1]['ms']:8.1f} ms  {path}")
    return found


async def _page(client: httpx.AsyncClient, path: str, watched: Watched, home: Path) -> dict[str, Any]:
    took, size = [], 0
    watched.asked.clear()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        told = await client.get(path)
        took.append((time.perf_counter() - began) * 1000)
        assert told.status_code == 200, (path, told.status_code)
        size = len(told.content)
    shown = re.sub(r"(call|mv|wf|run|rec)_\w+", r"\1_...", path)
    plans = watched.plans(home / "freehold.db")
    return {"page": shown, "ms": round(median(took), 1), "worst_ms": round(max(took), 1), "bytes": size, "plans": plans}


def main() -> None:
    """Grow, ask, tell."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path, help="folder with home/ and freehold.toml, as the demo left them; copied")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="freehold-bench-console-") as name:
        folder = Path(name)
        if options.home:
            shutil.copytree(options.home, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock", "store"))
        else:
            with filled(folder):
                pass
        began = time.perf_counter()
        stored, kept = grow(folder / "home", options.calls)
        took = time.perf_counter() - began
        print(f"{stored:,} calls and {kept:,} records after {took:.0f} s")
        pages = asyncio.run(measured(folder / "home", folder / "freehold.toml"))
    worst = max(pages, key=lambda one: one["ms"])
    told = {
        "calls": stored,
        "records": kept,
        "bound_ms": BOUND_MS,
        "over": [one["page"] for one in pages if one["ms"] > BOUND_MS],
        "slowest": {"page": worst["page"], "ms": worst["ms"]},
        "pages": pages,
    }
    if options.calls >= 1_000_000:
        keep("console", told)
    print(json.dumps({name: value for name, value in told.items() if name != "pages"}))


if __name__ == "__main__":
    main()
