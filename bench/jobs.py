"""`python -m bench.jobs [--calls N] [--requests N]`: heavy work on one process, on two, and on Ray, side by side.

Three works: a log is imported (records are read by the pool, one process writes), its workflows are discovered (texts
are read by the pool, one process unseals and counts), and a plan of six workflows simulates its fleets. Each way in an
interpreter of its own, in turns; the results must be the same. Ends with one JSON line. Imports never go to Ray in an
instance: here they do, to see what that would give.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.kept import OUT, RESULTS, keep

if TYPE_CHECKING:
    from collections.abc import Callable

    from freehold.jobs.pool import Pool
    from freehold.workflows.imports import Into

Figures = dict[str, Any]
CALLS = 20_000
_REPEATED = 12
"""Times that each message is said over: calls of ten thousand bytes, as agents and retrieval make them."""
REQUESTS = 12_000
WORKFLOWS = 6
WAYS = ("one", "two", "ray")
ROUNDS = 2


def write(path: Path, count: int) -> None:
    """A log in the plain form."""
    from bench.imports import calls

    with path.open("w") as file:
        for one in calls(count):
            for message in one["request"]["messages"]:
                message["content"] = " ".join([message["content"] or ""] * _REPEATED)
            file.write(json.dumps(one) + "\n")


def pool_of(way: str) -> Pool:
    """One process: this one. Two: two workers beside it, as on this machine's two processors."""
    from freehold.jobs.local_pool import LocalPool
    from freehold.jobs.settings import JobsSettings
    from freehold.settings.pools import ray_pool

    return ray_pool(JobsSettings(backend="ray", processes=2)) if way == "ray" else LocalPool(1 if way == "one" else 2)


def _put(pool: Pool, home: Path, log: Path) -> Into:
    import msgspec

    from freehold.cli.importing import into
    from freehold.cli.place import Place
    from freehold.workflows.drafts import Options
    from freehold.workflows.imports import import_files

    place = msgspec.structs.replace(into(Place(None, str(home))), pool=pool)
    import_files([log], place, Options(label="public"), bytes(16), lambda: 1_790_000_000.0)
    return place


def imported(pool: Pool, home: Path, log: Path) -> Callable[[], str]:
    """Import a log into a new home; gives a digest of what is kept."""

    def run() -> str:
        return _records(_put(pool, home, log))

    return run


def discovered(pool: Pool, home: Path, log: Path) -> Callable[[], str]:
    """Find the workflows of a log that is imported before; gives a digest of which record is whose."""
    from freehold.jobs.pool import InProcess
    from freehold.workflows.discovery import discover

    place = _put(InProcess(), home, log)

    def run() -> str:
        discover(place.engine, place.shelf, lambda: 1_790_000_000.0, pool=pool)
        return _records(place)

    return run


def _records(place: Into) -> str:
    from sqlalchemy import select

    from freehold.core.db import reading
    from freehold.workflows.tables import records

    found, owners = hashlib.sha256(), dict[str, int]()
    wanted = select(records.c.assigned, records.c.id, records.c.model, records.c.app).order_by(records.c.id)
    with reading(place.engine) as connection:
        for owner, *row in connection.execute(wanted):
            found.update(repr((owners.setdefault(owner, len(owners)), *row)).encode())  # ids of workflows are drawn
    return found.hexdigest()


def simulated(pool: Pool, requests: int) -> Callable[[], str]:
    """Simulate the fleets of a plan; gives a digest of it."""
    from datetime import date

    import msgspec

    from freehold.planner.preparing import Traffic, prepare, split
    from freehold.planner.settings import PlanSettings
    from freehold.planner.traffic import Columns, arrivals

    draw, at = random.Random(5), 0.0
    rows = Columns()
    for number in range(requests):
        at += draw.expovariate(requests / (8 * 86400.0))
        kind = number % WORKFLOWS
        rows.t.append(at)
        rows.input.append(int(draw.lognormvariate(6 + 0.2 * (kind % 4), 0.7)) + 1)
        rows.output.append(int(draw.lognormvariate(4 + 0.3 * (kind % 3), 0.8)) + 1)
        rows.workflow.append(f"w{kind}")
    whole = arrivals(rows, "bench")
    settings = PlanSettings(now="openai/gpt-4o", draws=100)

    def run() -> str:
        inputs = prepare(settings, Traffic(split(whole), whole), date(2026, 11, 1), pool=pool)
        return hashlib.sha256(msgspec.json.encode(inputs)).hexdigest()

    return run


WORKS = {"import": imported, "discovery": discovered}


def run_once(options: argparse.Namespace) -> Figures:
    """One work in one way, in this interpreter. Starting the pool counts; loading modules does not."""
    with closing(pool_of(options.way)) as pool, tempfile.TemporaryDirectory(dir=options.data.parent) as home:
        if options.work == "simulation":
            run = simulated(pool, options.requests)
        else:
            run = WORKS[options.work](pool, Path(home), options.data)
        began, own, load = time.monotonic(), time.process_time(), os.getloadavg()[0]
        digest = run()
        took = time.monotonic() - began
        own = time.process_time() - own
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": round(took, 2),
        "own_cpu_seconds": round(own, 2),
        **({} if options.way == "ray" else {"workers_cpu_seconds": round(workers.ru_utime + workers.ru_stime, 2)}),
        "load_before": round(load, 1),
        "digest": digest,
    }


def measured(options: argparse.Namespace, work: str, log: Path) -> Figures:
    """Each way in turns, the best of each; the digests must agree."""
    rounds: dict[str, list[Figures]] = {way: [] for way in options.ways}
    for _ in range(options.rounds):
        for way in options.ways:
            command = [sys.executable, "-m", "bench.jobs", "--way", way, "--work", work, "--data", str(log)]
            command += ["--requests", str(options.requests)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rounds[way].append(json.loads(told.splitlines()[-1]))
            print(work, way, {name: value for name, value in rounds[way][-1].items() if name != "digest"}, flush=True)
    digests = {one["digest"] for found in rounds.values() for one in found}
    if len(digests) != 1:
        raise RuntimeError(f"{work}: the results are not the same")
    best = {way: min(found, key=lambda one: one["seconds"]) for way, found in rounds.items()}
    return {way: {name: value for name, value in one.items() if name != "digest"} for way, one in best.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.jobs", description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="of the log that is imported; 0 imports none")
    parser.add_argument(
        "--requests", type=int, default=REQUESTS, help="of the traffic that is planned for; 0 plans none"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    for name in ("--way", "--work"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(run_once(options)))
        return 0
    found: Figures = {"calls": options.calls, "requests": options.requests, "workflows": WORKFLOWS}
    with tempfile.TemporaryDirectory(prefix="freehold-bench-jobs-") as folder:
        log = Path(folder) / "log"
        if options.calls:
            write(log, options.calls)
            found["log_bytes"] = log.stat().st_size
            found |= {work: measured(options, work, log) for work in WORKS}
        if options.requests:
            found["simulation"] = measured(options, "simulation", log)
    whole = (options.calls, options.requests, len(options.ways)) == (CALLS, REQUESTS, len(WAYS))
    keep("jobs", found, RESULTS if whole else OUT)
    print(json.dumps({"bench": "jobs", **found, "same": True}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
